package command

import (
	"math"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
)

// onnx makes `vitc onnx`.
func (a *app) onnx() *cobra.Command {
	var q driver.ONNXRequest
	var output string
	c := &cobra.Command{
		Use:   "onnx FILE.vit [TRAIN | MODEL]",
		Short: "Write a trained model for ONNX runtimes",
		Long: `Onnx writes an inference graph with its weights as an ONNX model (opset 20, f32): the ` + "`fn predict`" + `
of an eval block, which takes pictures' bytes after the stages of its data, or, of a model that no
eval block predicts with, the model's own fn. Inputs and outputs have the program's names, and the
batch is open unless --batch settles it.`,
		Example: `  vitc onnx examples/fashion.vit --weights runs/fashion
  vitc onnx examples/zoo/b16.vit b16 --weights b16.safetensors -o b16.onnx --batch 8`,
		Args:              between(1, 2, "a program and, where it has several, the name of a train block or model"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			q.File, q.Block, q.Stdin = args[0], append(args, "")[1], a.in
			return a.writeONNX(q, output)
		},
	}
	c.Flags().StringVar(&q.Weights, "weights", "", "checkpoint, or folder of checkpoints")
	c.Flags().StringVar(&q.Eval, "eval", "", "the eval block, where several predict")
	numberFlag(c, &q.Batch, "batch", 1, math.MaxInt32, "settle the batch")
	outputFlag(c, &output, "write to this file (default FILE.onnx)")
	setFlag(c, &q.Params)
	return c
}

func (a *app) writeONNX(q driver.ONNXRequest, output string) error {
	if q.Weights == "" {
		return usage(driver.CodeFlag, "a model without weights computes nothing", "--weights with a checkpoint", "vitc onnx "+q.File+" --weights FILE")
	}
	if output == "" {
		if q.File == driver.Stdin {
			return usage(driver.CodeArgs, "a program from the standard input has no name for its model", "-o FILE.onnx", "vitc onnx - -o model.onnx")
		}
		output = strings.TrimSuffix(q.File, ".vit") + ".onnx"
	}
	model, warnings, err := driver.ONNX(a.sources, q)
	if err != nil {
		return err
	}
	a.printDiagnostics(warnings)
	if err := a.emit(output, model); err != nil {
		return err
	}
	if output != driver.Stdin {
		a.printf("%s: %s\n", output, size(int64(len(model))))
	}
	return nil
}

package command

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/runtime/table"
)

// importWeights makes `vitc import`.
func (a *app) importWeights() *cobra.Command {
	var asJSON bool
	q := &driver.Weights{}
	c := &cobra.Command{
		Use:   "import FILE.vit [TRAIN | MODEL] WEIGHTS",
		Short: "Bring weights of another library in",
		Long: `Import fills a model's parameters and states from a file of weights: safetensors, .npz, .npy or
ONNX. An import block says where each lies; --as names one of the program's or of the library
weights.vit, without it the one that fits is taken. Every tensor of the file must be read or be
listed as unused by the block, and every parameter be filled.

What is written goes by the names of this program: ` + "`load`" + ` in a start table and vitc predict
take it.`,
		Example: `  vitc import b16.vit vit_base_patch16_224.safetensors -o b16.safetensors
  vitc import s16.vit S_16.npz --as vision_transformer
  vitc import b16.vit model.safetensors --as 'transformers(root: "")'`,
		Args:              between(2, 3, "a program, the name of a train block or model where it has several, and a file of weights"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			a.weightsArgs(q, args)
			r, err := driver.ImportWeights(a.sources, *q)
			return a.showImport(r, err, asJSON, "from")
		},
	}
	weightsFlags(c, q, "import block, or a call of it; without it the one that fits")
	outputFlag(c, &q.Out, "write the model's leaves to this file, safetensors or .npz")
	jsonFlag(c, &asJSON)
	return c
}

// exportWeights makes `vitc export`.
func (a *app) exportWeights() *cobra.Command {
	var asJSON bool
	q := &driver.Weights{}
	c := &cobra.Command{
		Use:   "export FILE.vit [TRAIN | MODEL] CHECKPOINT --as BLOCK -o OUT",
		Short: "Write a model's weights as another library has them",
		Long: `Export turns an import block round: it writes the parameters of a checkpoint, or of a file that
vitc import wrote, under the names and in the layouts of another library, as f32. CHECKPOINT may be
the folder of a run. Averages are taken where the run kept them.

Of a sum, such as that of class token and position, the first term takes the number; the others are
-0 where no other line gives them one. Importing what was exported gives the same bits.`,
		Example: `  vitc export b16.vit runs/finetune --as timm -o model.safetensors
  vitc export b16.vit runs/finetune --as big_vision -o model.npz`,
		Args:              between(2, 3, "a program, the name of a train block or model where it has several, and a checkpoint"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			a.weightsArgs(q, args)
			if q.As == "" || q.Out == "" {
				return usage(driver.CodeArgs, "`vitc export` wants --as and -o", "the import block to turn round, and a file to write", "--as timm -o model.safetensors")
			}
			r, err := driver.ExportWeights(a.sources, *q)
			return a.showImport(r, err, asJSON, "to")
		},
	}
	weightsFlags(c, q, "import block to turn round, or a call of it")
	outputFlag(c, &q.Out, "the file to write, safetensors or .npz")
	jsonFlag(c, &asJSON)
	return c
}

// weightsArgs reads FILE [MODEL] WEIGHTS.
func (a *app) weightsArgs(q *driver.Weights, args []string) {
	q.Source.File, q.File, q.Stdin = args[0], args[len(args)-1], a.in
	if len(args) == 3 {
		q.Block = args[1]
	}
}

func weightsFlags(c *cobra.Command, q *driver.Weights, as string) {
	c.Flags().StringVar(&q.As, "as", "", as)
	c.Flags().StringVar(&q.Into, "into", "", "path of the model where the train block has several")
	setFlag(c, &q.Params)
}

func (a *app) showImport(r *driver.ImportReport, err error, asJSON bool, way string) error {
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(r)
	}
	t := table.Table{Right: []bool{false, false, false, false}}
	t.Add("leaf", "type", way, "")
	for _, row := range r.Leaves {
		t.Add(row.Leaf, row.Type, tensorNames(row.From), remarks(row))
	}
	a.printf("%s\n", t.String())
	a.printf("%d leaves, %s numbers, by the import block %s\n", len(r.Leaves), thousands(r.Numbers), r.Block)
	if len(r.Unused) > 0 {
		a.printf("unused: %s\n", strings.Join(r.Unused, ", "))
	}
	if r.Out != "" {
		a.printf("written to %s\n", filepath.Clean(r.Out))
	}
	return nil
}

func remarks(row driver.ImportRow) string {
	var out []string
	if len(row.From) == 0 {
		out = append(out, "as initialised")
	}
	if row.Resized {
		out = append(out, "resized")
	}
	if row.Rounded {
		out = append(out, "converted to f32")
	}
	return strings.Join(out, ", ")
}

// tensorNames shows two names, and how many more there are.
func tensorNames(names []string) string {
	if len(names) <= 2 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

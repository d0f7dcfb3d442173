package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/fault"
	"vitc/runtime/predict"
	"vitc/runtime/train"
)

// predictOptions are the flags of `vitc predict`.
type predictOptions struct {
	request  driver.PredictRequest
	inputs   []string
	top      int
	labels   string // file of the classes' names, a line each
	output   string // safetensors file of everything predicted
	features bool
	json     bool
}

// The bounds of --top, and its default.
const (
	maxTop     = 1000
	defaultTop = 5
)

// predict makes `vitc predict`.
func (a *app) predict() *cobra.Command {
	o := predictOptions{top: defaultTop}
	c := &cobra.Command{
		Use:   "predict FILE INPUT...",
		Short: "Classify pictures, or get their features",
		Long: `Predict runs the ` + "`fn predict`" + ` of an eval block over pictures (.png, .jpg), folders of them with all
that is in them, and tensors (.safetensors, .npy, .npz; the examples as u8). FILE is a program (.vit) or what
vitc build made of one (.vitb). What is done to a picture is what the program says: the stages of the
eval block's data, then the fn.

The first tensor that the fn gives is shown as the classes of the largest values; --features shows
the one named features, -o writes all. Pictures that cannot be read are reported, the others
predicted, and the exit status is 1.`,
		Example: `  vitc predict examples/fashion.vit photos/
  vitc predict model.vit --weights runs/big cat.png dog.jpg --top 3 --labels names.txt
  vitc predict model.vit --weights model.safetensors photos/ --json
  vitc predict model.vitb --weights runs/big photos/ -o features.safetensors`,
		Args:              between(2, -1, "a program and what to predict from"),
		ValidArgsFunction: vitFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.request.File, o.request.Stdin, o.inputs = args[0], a.in, args[1:]
			return a.predictFiles(commandContext(c), &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.request.Weights, "weights", "", "checkpoint, or folder of checkpoints (default runs/TRAIN)")
	f.StringVar(&o.request.Block, "of", "", "the train block or model, where there are several")
	f.StringVar(&o.request.Eval, "eval", "", "the eval block, where several predict")
	numberFlag(c, &o.top, "top", 1, maxTop, "how many classes to show")
	f.StringVar(&o.labels, "labels", "", "file with the names of the classes, one a line")
	f.BoolVar(&o.features, "features", false, "show the tensor named features instead of classes")
	outputFlag(c, &o.output, "write all that is predicted to this safetensors file")
	numberFlag(c, &o.request.Machine.Threads, "threads", 1, maxThreads, "threads that compute (default one a core)")
	targetFlag(c, &o.request.Target)
	isaFlag(c, &o.request.Machine.ISA)
	setFlag(c, &o.request.Params)
	f.BoolVar(&o.json, "json", false, "print a JSON object a line for each input")
	return c
}

func (a *app) predictFiles(ctx context.Context, o *predictOptions) error {
	p, err := driver.OpenPrediction(a.sources, o.request)
	if err != nil {
		return err
	}
	defer p.Close()
	a.printDiagnostics(p.Warnings)
	if p.Passed != "" {
		a.note("%s", p.Passed)
	}
	shown, err := a.shownOutput(o, p)
	if err != nil {
		return err
	}
	inputs, err := p.Find(o.inputs)
	if err != nil {
		return fault.Diagnostic(err, driver.CodeFile, diag.Pos{})
	}
	kept := &predict.Collector{}
	failed, err := p.Predict(ctx, inputs, func(r predict.Row) error {
		if o.output != "" {
			kept.Add(r)
			return nil
		}
		return shown.print(a, r)
	})
	if err == nil && o.output != "" {
		err = a.writePredictions(o, kept)
	}
	a.printDiagnostics(failed)
	if err == nil && len(failed) > 0 {
		return driver.ErrReported
	}
	return err
}

func (a *app) writePredictions(o *predictOptions, kept *predict.Collector) error {
	var b bytes.Buffer
	if err := kept.Encode(&b); err != nil {
		return fault.Diagnostic(err, train.CodeWrite, diag.Pos{})
	}
	return a.emit(o.output, b.Bytes())
}

// shownPrediction is which output is shown, and how.
type shownPrediction struct {
	index   int
	top     int // 0: all values as they are
	classes []string
	json    bool
}

// shownOutput finds what the flags ask for among the outputs, and the names of its classes.
func (a *app) shownOutput(o *predictOptions, p *driver.Prediction) (*shownPrediction, error) {
	outputs := p.Outputs()
	s := &shownPrediction{top: o.top, json: o.json}
	var names []string
	for i, out := range outputs {
		if names = append(names, out.Name); o.features && out.Name == "features" {
			s.index, s.top = i, 0
			return s, nil
		}
	}
	if o.features {
		return nil, &diag.Diagnostic{Code: driver.CodeValue, Msg: "the program predicts no features", Expected: "an output named features; found " + strings.Join(names, ", "),
			Pos: diag.Pos{File: o.request.File}, Fix: "fn predict(...) { (probability: ..., features: net.features(...)) }"}
	}
	if len(outputs[0].Type.Dims) != 1 || !outputs[0].Type.DType.Float() {
		s.top = 0
		return s, nil
	}
	s.top = min(s.top, outputs[0].Type.Size())
	s.classes = p.Classes
	if o.labels != "" {
		text, err := a.sources.Read(o.labels, nil)
		if err != nil {
			return nil, err
		}
		s.classes = strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	}
	if n := outputs[0].Type.Size(); len(s.classes) > 0 && len(s.classes) != n {
		if o.labels == "" {
			s.classes = nil // the data had fewer than the model
			return s, nil
		}
		return nil, &diag.Diagnostic{Code: driver.CodeValue, Msg: "not as many names as classes", Pos: diag.Pos{File: o.labels},
			Expected: fmt.Sprintf("%d lines; found %d", n, len(s.classes))}
	}
	return s, nil
}

// classValue is a class and what is predicted of it, as JSON has it.
type classValue struct {
	Class int      `json:"class"`
	Name  string   `json:"name,omitempty"`
	Value *float64 `json:"value"` // null where it is not finite
}

func (s *shownPrediction) print(a *app, r predict.Row) error {
	out := r.Outputs[s.index]
	values := predict.Floats(out)
	if s.top == 0 {
		return s.printAll(a, r.Name, out, values)
	}
	var list []classValue
	for _, i := range predict.Top(values, s.top) {
		c := classValue{Class: i, Value: finite(values[i])}
		if s.classes != nil {
			c.Name = s.classes[i]
		}
		list = append(list, c)
	}
	if s.json {
		return a.printLine(struct {
			File string       `json:"file"`
			Top  []classValue `json:"top"`
		}{r.Name, list})
	}
	a.printf("%s\n", r.Name)
	shares := areShares(values)
	for _, c := range list {
		name := c.Name
		if name == "" {
			name = fmt.Sprintf("class %d", c.Class)
		}
		a.printf("  %s  %s\n", aligned(values[c.Class], shares), name)
	}
	return nil
}

// areShares reports whether values can be probabilities, as softmax and sigmoid give them.
func areShares(values []float64) bool {
	return !slices.ContainsFunc(values, func(x float64) bool { return !(x >= 0 && x <= 1+1e-6) })
}

// aligned prints a value with the same width whatever it is.
func aligned(x float64, share bool) string {
	if share {
		return fmt.Sprintf("%6.2f %%", 100*x)
	}
	return fmt.Sprintf("%10.4g", x)
}

// printAll shows every element of an output.
func (s *shownPrediction) printAll(a *app, file string, out predict.Output, values []float64) error {
	if s.json {
		list := make([]*float64, len(values))
		for i, x := range values {
			list[i] = finite(x)
		}
		return a.printLine(struct {
			File   string     `json:"file"`
			Name   string     `json:"name"`
			Type   ir.Type    `json:"type"`
			Values []*float64 `json:"values"`
		}{file, out.Name, out.Type, list})
	}
	a.printf("%s\n  %s %s\n ", file, out.Name, out.Type)
	for _, x := range values {
		a.printf(" %.6g", x)
	}
	a.printf("\n")
	return nil
}

// finite is a number that JSON has, or nil.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// printLine writes one JSON object on a line.
func (a *app) printLine(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

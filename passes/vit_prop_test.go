package passes_test

import (
	"math"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// vitArgs draws small parameters, images and labels from sines.
func vitArgs(f *ir.Func, classes int) []*interp.Tensor {
	args := make([]*interp.Tensor, len(f.Body.Params))
	n := 0.0
	for i, p := range f.Body.Params {
		args[i] = interp.New(p.Type)
		for k := range args[i].F {
			n++
			args[i].F[k] = 0.5 * math.Sin(n*n)
			if p.Type.DType == ir.I32 {
				args[i].F[k] = float64(k % classes)
			}
		}
	}
	return args
}

func vitStep(t *testing.T, c irtest.ViT, args []*interp.Tensor, o interp.Options, names ...string) []*interp.Tensor {
	t.Helper()
	m := c.Step()
	if err := passes.Run(m, names, passes.Options{}); err != nil {
		t.Fatal(err)
	}
	out, err := interp.Run(m.Funcs[0], args, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var smallViT = irtest.ViT{Batch: 2, Tokens: 3, Patch: 2, Width: 4, Heads: 2, Depth: 2, Classes: 3}

// Every parameter of a ViT steps along the slope of the loss: through attention, norms, the scan
// over layers and the cross entropy. The step is 0.1 times the gradient.
func TestViTGradients(t *testing.T) {
	f := smallViT.Step().Funcs[0]
	args := vitArgs(f, smallViT.Classes)
	exact := interp.Options{Exact: true}
	pipeline := []string{"simplify", "autodiff", "simplify"}
	base := vitStep(t, smallViT, args, exact, pipeline...)
	m := smallViT.Step()
	if err := passes.Run(m, pipeline, passes.Options{}); err != nil {
		t.Fatal(err)
	}
	loss := func() float64 {
		out, err := interp.Run(m.Funcs[0], args, exact)
		if err != nil {
			t.Fatal(err)
		}
		return out[len(out)-1].F[0]
	}
	for i, p := range f.Args {
		if p.Role != ir.RoleState {
			continue
		}
		for _, k := range []int{0, len(args[i].F) / 2, len(args[i].F) - 1} {
			x := args[i].F[k]
			args[i].F[k] = x + step
			up := loss()
			args[i].F[k] = x - step
			down := loss()
			args[i].F[k] = x
			want, got := (up-down)/(2*step), (x-base[i].F[k])/0.1
			if !(math.Abs(want-got) <= tolerance*max(1, math.Abs(want))) {
				t.Errorf("the gradient by %s [%d] is %g, differences give %g", p.Name, k, got, want)
			}
		}
	}
}

// A step's numbers pass through the pipelines unchanged: fused and planned to the last bit, and
// in bf16 as well.
func TestViTPipelines(t *testing.T) {
	for _, d := range []ir.DType{ir.F32, ir.BF16} {
		c := smallViT
		c.DType = d
		args := vitArgs(c.Step().Funcs[0], c.Classes)
		want := vitStep(t, c, args, interp.Options{}, passes.Pipeline("ref")...)
		for i, got := range vitStep(t, c, args, interp.Options{}, passes.Pipeline("cpu")...) {
			for k, g := range got.F {
				if w := want[i].F[k]; g != w {
					t.Fatalf("%s: result %d [%d]: %g becomes %g", d, i+1, k, w, g)
				}
			}
		}
	}
}

package passes_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// through takes a copy of the module through passes.
func through(t *rapid.T, m *ir.Module, names ...string) *ir.Module {
	t.Helper()
	c, err := ir.Parse(m.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	if err := passes.Run(c, names, passes.Options{}); err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	return c
}

func evaluate(t *rapid.T, m *ir.Module, args []*interp.Tensor, o interp.Options) []*interp.Tensor {
	t.Helper()
	out, err := interp.Run(m.Funcs[0], args, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	return out
}

// slope is the loss's derivative along a direction of one argument, by differences over step.
func slope(t *rapid.T, m *ir.Module, args []*interp.Tensor, i int, way []float64, step float64) float64 {
	at := func(h float64) float64 {
		moved := append([]*interp.Tensor(nil), args...)
		x := interp.New(args[i].Type)
		for k := range x.F {
			x.F[k] = args[i].F[k] + h*way[k]
		}
		moved[i] = x
		return evaluate(t, m, moved, interp.Options{Exact: true})[0].F[0]
	}
	return (at(step) - at(-step)) / (2 * step)
}

// Central differences over h err by h² times the third derivative, which is bounded by some
// thousands for these short programs of tame functions, and by 2⁻⁵³/h of rounding: with h = 2⁻¹⁶
// both stay below 10⁻⁶. At a corner or jump the differences over h and h/8 tell two stories, and
// say nothing about the gradient: such points are passed over.
const (
	step      = 0x1p-16
	tolerance = 2e-6
)

// offGrid moves each element by an amount of its own, below the grid's spacing: ties between
// arguments, and corners at zero, are where a gradient is only a convention.
func offGrid(args []*interp.Tensor) {
	n := 0.0
	for _, a := range args {
		for k := range a.F {
			if a.Type.DType.Float() {
				n += math.Phi
				a.F[k] += (n - math.Floor(n)) / 256
			}
		}
	}
}

func checkGradient(t *rapid.T, p *irtest.Program, pipeline ...string) {
	f := p.Plain.Funcs[0]
	args := irtest.Args(t, f)
	offGrid(args)
	grad := through(t, p.Grad, pipeline...)
	got := evaluate(t, grad, args, interp.Options{Exact: true})
	for k, i := range p.Params {
		way := make([]float64, len(args[i].F))
		for j := range way {
			way[j] = rapid.Float64Range(-1, 1).Draw(t, "way")
		}
		sum := 0.0
		for j, d := range got[len(f.Results)+k].F {
			sum += d * way[j]
		}
		want, near := slope(t, p.Plain, args, i, way, step), slope(t, p.Plain, args, i, way, step/8)
		scale := max(1, math.Abs(want))
		if math.Abs(want-near) > tolerance*scale {
			continue
		}
		if !(math.Abs(sum-want) <= 2*tolerance*scale) {
			t.Fatalf("the gradient by %s along %v is %g, differences give %g\n%s\n%s", f.Args[i].Name, way, sum, want, p.Grad, grad)
		}
	}
}

// The gradient that autodiff writes is that of finite differences, through scans and kinks too.
func TestGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := irtest.Draw(t, irtest.Config{Kinks: rapid.Bool().Draw(t, "kinks")})
		checkGradient(t, p, "autodiff")
	})
}

// So it is when simplify has been there before and after.
func TestGradientsSimplified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := irtest.Draw(t, irtest.Config{Kinks: rapid.Bool().Draw(t, "kinks")})
		checkGradient(t, p, "simplify", "autodiff", "simplify")
	})
}

// And so it is through the whole pipeline of the CPU, for longer programs.
func TestGradientsPlanned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := irtest.Draw(t, irtest.Config{Ops: 25, Kinks: rapid.Bool().Draw(t, "kinks")})
		checkGradient(t, p, passes.Pipeline("cpu")...)
	})
}

package passes_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
)

// differ says where two runs' results differ: exactly, or by more than a tolerance.
func differ(t *rapid.T, before, after *ir.Module, args []*interp.Tensor, o interp.Options, tolerance float64) {
	t.Helper()
	want, got := evaluate(t, before, retyped(before, args), o), evaluate(t, after, retyped(after, args), o)
	if len(want) != len(got) {
		t.Fatalf("%d results become %d", len(want), len(got))
	}
	for i := range want {
		for k, w := range want[i].F {
			g := got[i].F[k]
			if !(w == g || w != w && g != g || math.Abs(w-g) <= tolerance*max(1, math.Abs(w))) {
				t.Fatalf("result %d [%d]: %g becomes %g\n%s\n%s", i+1, k, w, g, before, after)
			}
		}
	}
}

// differentiated draws a program and takes it through autodiff.
func differentiated(t *rapid.T, c irtest.Config) (*ir.Module, []*interp.Tensor) {
	p := irtest.Draw(t, c)
	return through(t, p.Grad, "autodiff"), irtest.Args(t, p.Grad.Funcs[0])
}

// Simplify keeps every bit of f32 results.
func TestSimplifyKeepsBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := irtest.Draw(t, irtest.Config{Kinks: true})
		args := irtest.Args(t, p.Plain.Funcs[0])
		differ(t, p.Plain, through(t, p.Plain, "simplify"), args, interp.Options{}, 0)
	})
}

func TestSimplifyKeepsGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, args := differentiated(t, irtest.Config{Kinks: true})
		differ(t, m, through(t, m, "simplify"), args, interp.Options{}, 0)
	})
}

// Simplify is done when it is done: again, it changes nothing.
func TestSimplifyIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, _ := differentiated(t, irtest.Config{Kinks: true})
		once := through(t, m, "simplify")
		if twice := through(t, once, "simplify"); twice.String() != once.String() {
			t.Fatalf("simplified:\n%s\nagain:\n%s", once, twice)
		}
	})
}

// Autodiff leaves what is no gradient as it was.
func TestAutodiffKeepsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := irtest.Draw(t, irtest.Config{Kinks: true})
		after := through(t, p.Grad, "autodiff")
		n := len(p.Plain.Funcs[0].Results)
		after.Funcs[0].Results, after.Funcs[0].Body.Yield = after.Funcs[0].Results[:n], after.Funcs[0].Body.Yield[:n]
		differ(t, p.Plain, after, irtest.Args(t, p.Plain.Funcs[0]), interp.Options{}, 0)
	})
}

// The passes of the CPU after autodiff keep every bit.
func TestFuseAndMemoryKeepBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := rapid.SampledFrom([]ir.DType{ir.F32, ir.Real, ir.BF16}).Draw(t, "dtype")
		m, args := differentiated(t, irtest.Config{Ops: 25, Kinks: true, DType: dtype})
		m = through(t, m, "simplify", "precision", "simplify")
		fused := through(t, m, "fuse")
		differ(t, m, fused, args, interp.Options{}, 0)
		planned := through(t, fused, "memory")
		differ(t, fused, planned, args, interp.Options{}, 0)
		for _, e := range checkMemory(planned.Funcs[0]) {
			t.Errorf("%s\n%s", e, planned)
		}
	})
}

// Precision makes of real what the interpreter takes it for.
func TestPrecisionKeepsBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, args := differentiated(t, irtest.Config{Kinks: true, DType: ir.Real})
		differ(t, m, through(t, m, "precision"), args, interp.Options{}, 0)
	})
}

// retyped gives arguments the types of the module's parameters.
func retyped(m *ir.Module, args []*interp.Tensor) []*interp.Tensor {
	out := make([]*interp.Tensor, len(args))
	for i, a := range args {
		out[i] = &interp.Tensor{Type: m.Funcs[0].Body.Params[i].Type, F: a.F}
	}
	return out
}

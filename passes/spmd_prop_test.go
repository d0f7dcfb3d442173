package passes_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// spmdCase is a differentiated program and a plan for it.
type spmdCase struct {
	m    *ir.Module
	plan *ir.Plan
	args []*interp.Tensor
}

// drawSPMD draws a program with gradients, and a plan whose lines speak of its dims by labels that
// say what divides them.
func drawSPMD(t *rapid.T) spmdCase {
	p := irtest.Draw(t, irtest.Config{Ops: 12, Kinks: rapid.Bool().Draw(t, "kinks"), Sizes: irtest.LayoutSizes})
	m := through(t, p.Grad, "simplify", "autodiff", "simplify")
	plan := irtest.DrawPlan(t, m.Funcs[0])
	return spmdCase{m, plan, irtest.Args(t, m.Funcs[0])}
}

// spread is the case's program for the devices of its plan.
func (c spmdCase) spread(t *rapid.T, names ...string) *ir.Module {
	t.Helper()
	m := through(t, c.m)
	err := passes.Run(m, names, passes.Options{Config: passes.Config{Plan: c.plan, Eager: true}})
	if list, ok := err.(diag.List); ok {
		t.Skip(list)
	}
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, c.plan, c.m)
	}
	return m
}

// onMesh runs a partitioned module on whole arguments.
func onMesh(m *ir.Module, args []*interp.Tensor, like *ir.Func) ([]*interp.Tensor, error) {
	var types []ir.Type
	for _, v := range like.Body.Yield {
		types = append(types, v.Type)
	}
	return interp.RunWhole(m.Mesh, m.Funcs[0], args, types, interp.Options{})
}

// Sums in another order differ by some roundings of their largest term: 10⁻⁵ of the largest number
// of a result is about a hundred of f32.
const spmdTolerance = 1e-5

// far says where results differ by more than sums in another order may, "" where they do not.
func far(want, got []*interp.Tensor) (i, k int, yes bool) {
	for i := range want {
		scale := 1.0
		for _, w := range want[i].F {
			if a := math.Abs(w); a < math.Inf(1) {
				scale = max(scale, a)
			}
		}
		for k, w := range want[i].F {
			if g := got[i].F[k]; !(w == g || w != w && g != g || math.Abs(w-g) <= spmdTolerance*scale) {
				return i, k, true
			}
		}
	}
	return 0, 0, false
}

// A partitioned program computes on a mesh what it computes on one device, gradients and steps
// included; and so it does once its collectives are fewer, and once it has kernels and memory.
func TestPartitionKeepsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSPMD(t)
		want := evaluate(t, c.m, retyped(c.m, c.args), interp.Options{})
		partitioned := c.spread(t, "propagate", "partition")
		fewer := c.spread(t, "propagate", "partition", "collectives")
		planned := c.spread(t, "propagate", "partition", "collectives", "prefetch", "fuse", "asynchronous", "memory")
		for _, m := range []*ir.Module{partitioned, fewer, planned} {
			got, err := onMesh(m, retyped(c.m, c.args), c.m.Funcs[0])
			if err != nil {
				t.Fatalf("%v\n%+v\n%s\n%s", err, c.plan, c.m, m)
			}
			if i, k, yes := far(want, got); yes {
				t.Fatalf("result %d [%d]: %g becomes %g\n%+v\n%s\n%s", i+1, k, want[i].F[k], got[i].F[k], c.plan, c.m, m)
			}
		}
		for _, e := range checkMemory(planned.Funcs[0]) {
			t.Errorf("%s\n%s", e, planned)
		}
	})
}

// Propagation alone moves nothing: on one device its reshards are identities.
func TestPropagateKeepsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSPMD(t)
		m := c.spread(t, "propagate")
		want, got := evaluate(t, c.m, retyped(c.m, c.args), interp.Options{}), evaluate(t, m, retyped(c.m, c.args), interp.Options{})
		if i, k, yes := far(want, got); yes {
			t.Fatalf("result %d [%d]: %g becomes %g\n%+v\n%s\n%s", i+1, k, want[i].F[k], got[i].F[k], c.plan, c.m, m)
		}
	})
}

// A module without a plan goes through as it is.
func TestNoPlanNoChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSPMD(t)
		if m := through(t, c.m, "order", "propagate", "partition"); m.String() != c.m.String() {
			t.Fatalf("%s\nbecomes\n%s", c.m, m)
		}
	})
}

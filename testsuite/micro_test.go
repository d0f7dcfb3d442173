package testsuite

import (
	"math"
	"path/filepath"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// microTolerance is relative: slices change nothing but the order of f32 sums.
const microTolerance = 1e-5

// TestMicrobatches: a step in slices is the step of the whole batch, with dropout, stochastic
// depth, mixup and a penalty on a parameter, on one device and on several. A draw that were not
// the same to the last bit would be far off.
func TestMicrobatches(t *testing.T) {
	whole := microStep(t, nil)
	args := stateOf(whole.Funcs[0])
	want := interpret(t, whole.Funcs[0], args, interp.Options{})
	for _, n := range []int{2, 4} {
		m := microStep(t, &ir.Plan{Name: "p", Micro: n})
		sameStep(t, m.Funcs[0], want, interpret(t, m.Funcs[0], args, interp.Options{}))
	}
	for _, text := range []string{"mesh data:4\nbatch: data", "mesh data:2 model:2\nbatch: data\nmlp: model\nheads: model\nparams.width: data"} {
		plan, err := irtest.Plan(text)
		if err != nil {
			t.Fatal(err)
		}
		plan.Micro = 2
		m := microStep(t, plan)
		runPasses(t, m, meshPasses, passes.Config{Plan: plan})
		var types []ir.Type
		for _, v := range whole.Funcs[0].Body.Yield {
			types = append(types, v.Type)
		}
		got, err := interp.RunWhole(m.Mesh, m.Funcs[0], args, types, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sameStep(t, m.Funcs[0], want, got)
	}
}

func microStep(t *testing.T, plan *ir.Plan) *ir.Module {
	t.Helper()
	m := loaded(t, filepath.Join("testdata", "micro.vit"))
	m.Funcs = []*ir.Func{m.Func("step")}
	runPasses(t, m, onePasses, passes.Config{Plan: plan})
	return m
}

func sameStep(t *testing.T, f *ir.Func, want, got []*interp.Tensor) {
	t.Helper()
	for k, w := range want {
		for e, x := range w.F {
			if y := got[k].F[e]; !(math.Abs(x-y) <= microTolerance*max(1e-2, math.Abs(x))) {
				t.Fatalf("%s [%d] is %g, was %g", f.Results[k].Name, e, y, x)
			}
		}
	}
}

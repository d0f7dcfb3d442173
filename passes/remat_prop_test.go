package passes_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// rematPlan puts everything under one policy, on one chip of which only some bytes may be filled.
func rematPlan(policy ir.RematPolicy, bytes float64) *ir.Plan {
	const memory = 32 << 30 // of a v4
	return &ir.Plan{
		Devices: ir.Devices{Platform: "tpu", Chip: "v4", Shape: []int{1, 1, 1}},
		Remat:   []ir.RematLine{{Path: "**", Policy: policy}},
		Reserve: 1 - bytes/memory, Micro: 1,
	}
}

var policies = []ir.RematPolicy{ir.RematAll, ir.RematDots, ir.RematNone, ir.RematFit}

// withPolicy differentiates a copy of a module.
func withPolicy(t interface{ Fatalf(string, ...any) }, m *ir.Module, c passes.Config) *ir.Module {
	var text strings.Builder
	err := ir.Print(&text, m, ir.PrintOptions{Locs: true})
	n := m
	if err == nil {
		n, err = ir.Parse(text.String())
	}
	if err == nil {
		err = passes.Run(n, []string{"simplify", "autodiff", "simplify"}, passes.Options{Config: c})
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	return n
}

// Whatever is kept, the gradients are the same. A softmax's probabilities are computed by either
// of two formulas, which differ by rounding: in exact numbers, by less than 1e-9.
func TestPoliciesKeepGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := irtest.Draw(t, irtest.Config{Ops: 12, Kinks: rapid.Bool().Draw(t, "kinks")})
		args := irtest.Args(t, p.Grad.Funcs[0])
		offGrid(args)
		want := evaluate(t, withPolicy(t, p.Grad, passes.Config{}), args, interp.Options{Exact: true})
		policy := rapid.SampledFrom(policies).Draw(t, "policy")
		room := rapid.Float64Range(0, 20000).Draw(t, "room")
		m := withPolicy(t, p.Grad, passes.Config{Plan: rematPlan(policy, room)})
		keeps(t, m, args, want)
	})
}

// keeps holds a differentiated module to the results of another, as it is and with kernels and memory.
func keeps(t *rapid.T, m *ir.Module, args, want []*interp.Tensor) {
	t.Helper()
	for _, m := range []*ir.Module{m, through(t, m, "precision", "fuse", "memory")} {
		got := evaluate(t, m, args, interp.Options{Exact: true})
		for i, w := range want {
			for k, x := range w.F {
				if g := got[i].F[k]; !(math.Abs(g-x) <= 1e-9*max(1, math.Abs(x))) && !(math.IsNaN(g) && math.IsNaN(x)) {
					t.Fatalf("result %d [%d] is %g, was %g\n%s", i+1, k, g, x, m)
				}
			}
		}
	}
}

// The same where every op of a loop may be under a policy of its own, or under none: of drawn programs,
// few of whose loops keep anything, and of a ViT's step.
func TestPathsKeepGradients(t *testing.T) {
	vit := irtest.ViT{Batch: 2, Tokens: 3, Patch: 2, Width: 4, Heads: 2, Depth: 2, Classes: 3}
	mixed := 0
	rapid.Check(t, func(t *rapid.T) {
		m := vit.Step()
		args := vitArgs(m.Funcs[0], vit.Classes)
		if rapid.Bool().Draw(t, "drawn") {
			m = irtest.Draw(t, irtest.Config{Ops: 12}).Grad
			args = irtest.Args(t, m.Funcs[0])
			offGrid(args)
		}
		m.Funcs[0].Body.Walk(func(op *ir.Op) {
			op.Pos = &diag.Loc{Path: rapid.SampledFrom([]string{"net", "net.a", "net.b", "net.c"}).Draw(t, "path")}
		})
		plan := drawPolicies(t, "net.a", "net.b", "net")
		want := evaluate(t, withPolicy(t, m, passes.Config{}), args, interp.Options{Exact: true})
		got := withPolicy(t, m, passes.Config{Plan: plan, Remat: func(r passes.Remat) {
			if len(r.Kept) > 0 && plan.Remated("net.a") != plan.Remated("net.b") {
				mixed++
			}
		}})
		keeps(t, got, args, want)
	})
	if mixed < 20 {
		t.Errorf("%d loops keep anything under two policies: what is drawn says too little", mixed)
	}
}

// drawPolicies draws a policy for some of the paths, and how many bytes fit may fill.
func drawPolicies(t *rapid.T, paths ...string) *ir.Plan {
	plan := rematPlan(ir.RematNone, rapid.Float64Range(0, 20000).Draw(t, "room"))
	plan.Remat = nil
	for _, path := range paths {
		if rapid.IntRange(0, 4).Draw(t, "line") > 0 {
			plan.Remat = append(plan.Remat, ir.RematLine{Path: path, Policy: rapid.SampledFrom(policies).Draw(t, "policy")})
		}
	}
	return plan
}

package passes_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
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

func withPolicy(t interface{ Fatalf(string, ...any) }, m *ir.Module, c passes.Config) *ir.Module {
	n, err := ir.Parse(m.String())
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
		for _, m := range []*ir.Module{m, through(t, m, "precision", "fuse", "memory")} {
			got := evaluate(t, m, args, interp.Options{Exact: true})
			for i, w := range want {
				for k, x := range w.F {
					if g := got[i].F[k]; !(math.Abs(g-x) <= 1e-9*max(1, math.Abs(x))) && !(math.IsNaN(g) && math.IsNaN(x)) {
						t.Fatalf("%s: result %d [%d] is %g, was %g\n%s", policy, i+1, k, g, x, m)
					}
				}
			}
		}
	})
}

// What the backward turns of a ViT keep under each policy, and that its step is the same.
func TestViTPolicies(t *testing.T) {
	c := irtest.ViT{Batch: 4, Tokens: 16, Patch: 6, Width: 16, Heads: 2, Depth: 3, Classes: 5, DType: ir.F32}
	args := vitArgs(c.Step().Funcs[0], c.Classes)
	var want []*interp.Tensor
	for _, x := range []struct {
		policy ir.RematPolicy
		room   float64
		kept   string
		bytes  int64
	}{
		{ir.RematNone, 0, "reduce sub reduce rearrange rearrange dot add rearrange dot reduce sub reduce add", 152064},
		{ir.RematDots, 0, "reduce sub reduce rearrange rearrange dot add rearrange dot reduce sub reduce add", 152064},
		{ir.RematAll, 0, "x reduce reduce add reduce reduce", 16896},
		{ir.RematFit, 0, "x reduce reduce add reduce reduce", 16896},
		{ir.RematFit, 240000, "x reduce reduce dot add dot reduce reduce", 53760},
		{ir.RematFit, 1 << 30, "reduce sub reduce rearrange rearrange dot add rearrange dot reduce sub reduce add", 152064},
	} {
		var said []passes.Remat
		m := withPolicy(t, c.Step(), passes.Config{Plan: rematPlan(x.policy, x.room), Remat: func(r passes.Remat) { said = append(said, r) }})
		out, err := interp.Run(m.Funcs[0], args, interp.Options{Exact: true})
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = out
		}
		for i, w := range want {
			for k := range w.F {
				if g := out[i].F[k]; math.Abs(g-w.F[k]) > 1e-12 {
					t.Errorf("%s: result %d [%d] is %g, was %g", x.policy, i+1, k, g, w.F[k])
				}
			}
		}
		if len(said) != 1 {
			t.Fatalf("%s: %d loops are reported", x.policy, len(said))
		}
		var kept []string
		for _, k := range said[0].Kept {
			name := k.Value.Name
			if k.Value.Def != nil {
				name = k.Value.Def.Row.Name
			}
			kept = append(kept, name)
		}
		if got := strings.Join(kept, " "); got != x.kept || said[0].Bytes != x.bytes {
			t.Errorf("%s in %g bytes keeps %d: %s; want %d: %s", x.policy, x.room, said[0].Bytes, got, x.bytes, x.kept)
		}
	}
}

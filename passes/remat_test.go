package passes_test

import (
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
)

// What the backward turns of a ViT keep under the lines of a plan, and that its step is the same.
func TestViTPolicies(t *testing.T) {
	c := irtest.ViT{Batch: 4, Tokens: 16, Patch: 6, Width: 16, Heads: 2, Depth: 3, Classes: 5, DType: ir.F32}
	args := vitArgs(c.Step().Funcs[0], c.Classes)
	want := run(t, c.Step(), args, "simplify", "autodiff")
	const (
		attn, mlp  = irtest.Block + ".attn: ", irtest.Block + ".mlp: "
		everything = "reduce sub reduce rearrange rearrange dot add rearrange dot reduce sub reduce add"
		least      = "x reduce reduce add reduce reduce"
	)
	for _, x := range []struct {
		lines string
		room  float64
		kept  string
		bytes int64
	}{
		{"**: none", 0, everything, 152064},
		{"**: dots", 0, everything, 152064},
		{"**: all", 0, least, 16896},
		{"**: fit", 0, least, 16896},
		{"**: fit", 240000, "x reduce reduce dot add dot reduce reduce", 53760},
		{"**: fit", 1 << 30, everything, 152064},
		// Attention is computed again from the norm's input; the mlp's hidden layer is kept.
		{attn + "all", 0, "x reduce reduce add reduce reduce add", 66048},
		{attn + "all|**: fit", 1 << 30, "x reduce reduce add reduce reduce add", 66048},
		{mlp + "fit|**: all", 1 << 30, "x reduce reduce add reduce reduce add", 66048},
		// And the other way round.
		{mlp + "all", 0, "reduce sub reduce rearrange rearrange dot add rearrange dot reduce sub reduce", 102912},
		{attn + "none|**: fit", 0, "reduce sub reduce rearrange rearrange dot add rearrange dot reduce sub reduce", 102912},
		{attn + "dots|**: all", 0, "reduce sub reduce rearrange rearrange dot add rearrange dot reduce sub reduce", 102912},
	} {
		plan := rematPlan(ir.RematNone, x.room)
		plan.Remat = nil
		for _, l := range strings.Split(x.lines, "|") {
			path, policy, _ := strings.Cut(l, ": ")
			plan.Remat = append(plan.Remat, ir.RematLine{Path: path, Policy: ir.RematPolicy(policy)})
		}
		var said []passes.Remat
		m := withPolicy(t, c.Step(), passes.Config{Plan: plan, Remat: func(r passes.Remat) { said = append(said, r) }})
		compare(t, want, run(t, m, args), 1e-12)
		if len(said) != 1 {
			t.Fatalf("%s: %d loops are reported", x.lines, len(said))
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
			t.Errorf("%s in %g bytes keeps %d: %s; want %d: %s", x.lines, x.room, said[0].Bytes, got, x.bytes, x.kept)
		}
	}
}

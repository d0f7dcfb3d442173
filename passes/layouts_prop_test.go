package passes_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// drawLayout draws a mesh and, for the axes of a small ViT, lines as a person might write them.
func drawLayout(t *rapid.T) *ir.Plan {
	plan := &ir.Plan{Mesh: rapid.SampledFrom(irtest.Meshes).Draw(t, "mesh"), Overlap: ir.OverlapRing, Micro: rapid.SampledFrom([]int{1, 2}).Draw(t, "micro")}
	for _, l := range []ir.ShardLine{{Axis: "batch"}, {Axis: "mlp"}, {Axis: "head"}, {Axis: "mlp", Params: true}, {Axis: "head", Params: true},
		{Axis: "width"}, {Axis: "token"}, {Axis: "width", Params: true}, {Axis: "class", Params: true}} {
		for _, a := range rapid.Permutation(plan.Mesh).Draw(t, "order") {
			if rapid.IntRange(0, 2).Draw(t, l.Axis) == 0 {
				l.Over = append(l.Over, a.Name)
			}
		}
		if len(l.Over) > 0 {
			plan.Shard = append(plan.Shard, l)
		}
	}
	for _, path := range []string{irtest.Block + ".attn", "**"} {
		policy := rapid.SampledFrom([]ir.RematPolicy{ir.RematNone, ir.RematAll, ir.RematDots}).Draw(t, "remat")
		plan.Remat = append(plan.Remat, ir.RematLine{Path: path, Policy: policy})
	}
	return plan
}

// A ViT's step under any layout gives the numbers that it gives on one device, whatever passes
// have done to its communication: small collectives taken out of loops and joined, weights gathered a layer ahead, products overlapped
// wherever they can be, variances in one pass.
func TestLayoutsKeepNumbers(t *testing.T) {
	c := irtest.ViT{Batch: 16, Tokens: 4, Patch: 2, Width: 8, Heads: 4, Depth: 2, Classes: 6}
	args := vitArgs(c.Step().Funcs[0], c.Classes)
	want := vitStep(t, c, args, interp.Options{}, passes.Pipeline("ref")...)
	tried, ways := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		plan := drawLayout(t)
		for _, names := range [][]string{
			{"collectives"}, {"prefetch"}, {"overlap"}, {"collectives", "prefetch", "fence", "overlap"}, {"prefetch", "fence", "overlap"},
		} {
			m := c.Step()
			spmd := append([]string{"simplify", "micro", "autodiff", "simplify", "precision", "simplify", "moments", "propagate", "partition"}, names...)
			err := passes.Run(m, spmd, passes.Options{Config: passes.Config{Plan: plan, Eager: true}})
			if list, ok := err.(diag.List); ok {
				t.Skip(list)
			}
			if err != nil {
				t.Fatalf("%v\n%+v", err, plan)
			}
			tried++
			text := m.String()
			for _, way := range []string{" permute ", " all_gather ", " reduce_scatter ", " all_to_all ", " all_reduce "} {
				if strings.Contains(text, way) {
					ways[way]++
				}
			}
			got, err := onMesh(m, args, c.Step().Funcs[0])
			if err != nil {
				t.Fatalf("%v\n%+v\n%s", err, plan, m)
			}
			if i, k, yes := far(want, got); yes {
				t.Fatalf("%v: result %d [%d]: %g becomes %g\n%+v\n%s", names, i+1, k, want[i].F[k], got[i].F[k], plan, m)
			}
		}
	})
	t.Logf("%d programs with %v", tried, ways)
	for _, way := range []string{" permute ", " all_gather ", " reduce_scatter "} {
		if ways[way] < tried/20 {
			t.Errorf("%d of %d programs have a %s: the plans drawn say too little", ways[way], tried, way)
		}
	}
}

package passes_test

import (
	"slices"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// onDevices runs a ViT's step, its batch over n devices, with sums over examples in order.
func onDevices(t *testing.T, c irtest.ViT, n int, ordered bool) []*interp.Tensor {
	t.Helper()
	m := c.Step()
	if err := passes.Run(m, []string{"simplify", "autodiff", "simplify"}, passes.Options{}); err != nil {
		t.Fatal(err)
	}
	var types []ir.Type
	for _, v := range m.Funcs[0].Body.Yield {
		types = append(types, v.Type)
	}
	args := vitArgs(m.Funcs[0], c.Classes)
	plan := &ir.Plan{Mesh: ir.Mesh{{Name: "data", Size: n}}, Shard: []ir.ShardLine{{Axis: "batch", Over: []string{"data"}}}}
	o := passes.Options{Config: passes.Config{Plan: plan, Ordered: ordered}}
	if err := passes.Run(m, []string{"order", "propagate", "partition"}, o); err != nil {
		t.Fatal(err)
	}
	out, err := interp.RunWhole(m.Mesh, m.Funcs[0], args, types, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Data parallelism changes no bit of a step: 1, 2, 4 and 8 devices compute the same. Without the
// pass they do not, or this test would say nothing.
func TestDataParallelKeepsBits(t *testing.T) {
	c := irtest.ViT{Batch: 16, Tokens: 4, Patch: 2, Width: 8, Heads: 4, Depth: 2, Classes: 4}
	for _, ordered := range []bool{true, false} {
		want, same := onDevices(t, c, 1, ordered), true
		for _, n := range []int{2, 4, 8} {
			for i, got := range onDevices(t, c, n, ordered) {
				if !slices.Equal(got.F, want[i].F) {
					same = false
					if ordered {
						t.Errorf("%d devices: result %d differs", n, i+1)
					}
				}
			}
		}
		if same && !ordered {
			t.Error("sums as they come are the same, too: the program is too small to tell")
		}
	}
}

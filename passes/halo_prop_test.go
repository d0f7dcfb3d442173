package passes_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
)

func drawSliding(t *rapid.T, c irtest.Sliding) spmdCase {
	m, plan := irtest.DrawSliding(t, c)
	m = through(t, m, "simplify", "autodiff", "simplify")
	return spmdCase{m, plan, irtest.Distinct(m.Funcs[0])}
}

// Convolutions and poolings over rows that devices share give what they give on one device, and their
// gradients do: halos go between neighbours, and where windows do not lie in blocks rows are gathered.
func TestHalosKeepNumbers(t *testing.T) {
	tried, sent := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawSliding(t, irtest.Sliding{Layers: 2, Pools: true})
		want := evaluate(t, c.m, c.args, interp.Options{})
		for _, m := range []*ir.Module{c.spread(t, "propagate", "partition"), c.spread(t, "propagate", "partition", "fuse", "memory")} {
			got, err := onMesh(m, c.args, c.m.Funcs[0])
			if err != nil {
				t.Fatalf("%v\n%+v\n%s\n%s", err, c.plan, c.m, m)
			}
			if i, k, yes := far(want, got); yes {
				t.Fatalf("result %d [%d]: %g becomes %g\n%+v\n%s\n%s", i+1, k, want[i].F[k], got[i].F[k], c.plan, c.m, m)
			}
			tried++
			if strings.Contains(m.String(), " permute ") {
				sent++
			}
		}
	})
	if t.Logf("halos in %d of %d programs", sent, tried); sent < tried/3 {
		t.Errorf("halos in %d of %d programs: what is drawn says too little", sent, tried)
	}
}

// A halo that is not sent, or sent to another device, changes the numbers: types cannot tell.
func TestHaloMutantsAreSeen(t *testing.T) {
	mutants := 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawSliding(t, irtest.Sliding{Layers: 1, Around: true})
		want := evaluate(t, c.m, c.args, interp.Options{})
		text := c.spread(t, "propagate", "partition").String()
		for k, op := range irtest.Collectives(reread(t, text)) {
			if op.Row.Name != "permute" {
				continue
			}
			for _, mu := range irtest.Mutations {
				m := reread(t, text)
				if !mu.Make(m, irtest.Collectives(m)[k]) || ir.Verify(m) != nil {
					continue
				}
				mutants++
				got, err := onMesh(m, c.args, c.m.Funcs[0])
				if err != nil {
					continue // the mesh interpreter has found it
				}
				if _, _, yes := far(want, got); !yes {
					t.Fatalf("permute %d %s, and no number changes\n%s", k, mu.Name, m)
				}
			}
		}
	})
	if mutants == 0 {
		t.Error("nothing was broken")
	}
}

package passes_test

import (
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/irtest"
)

// Whatever program is laid out by whatever plan, its collectives as they come or joined: the verifier refuses it once one of its collectives
// is left out, done twice, done over other axes, or along another dim.
func TestMutantsAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"propagate", "partition", "collectives"}
		text := drawSPMD(t).spread(t, names[:rapid.IntRange(2, 3).Draw(t, "passes")]...).String()
		for k, op := range irtest.Collectives(reread(t, text)) {
			if !irtest.Telling(op) {
				continue
			}
			for _, mu := range irtest.Mutations {
				m := reread(t, text)
				if mu.Make(m, irtest.Collectives(m)[k]) && ir.Verify(m) == nil {
					t.Fatalf("%s %s, and the verifier takes\n%s", op.Row.Name, mu.Name, m)
				}
			}
		}
	})
}

func reread(t *rapid.T, text string) *ir.Module {
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

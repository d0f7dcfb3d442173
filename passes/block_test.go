package passes_test

import (
	"testing"

	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
)

// What docs/ARCHITECTURE.md says of this program: its forward scan keeps tanh's result and the
// carry and nothing else, ten kernels do it all, and the new weights lie where the old ones did.
func TestResidualBlock(t *testing.T) {
	m, err := ir.Parse(irtest.Residual)
	if err != nil {
		t.Fatal(err)
	}
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	f := m.Func("step")
	kernels, kept := 0, -1
	f.Body.Walk(func(op *ir.Op) {
		switch op.Row.Name {
		case "fusion":
			kernels++
		case "scan":
			if kept < 0 {
				kept = len(op.Body.Stack)
			}
		}
	})
	if kernels != 10 || kept != 2 {
		t.Errorf("%d kernels, %d values kept: want 10 and 2\n%s", kernels, kept, m)
	}
	for i, v := range f.Body.Yield[:2] {
		if want := f.Body.Params[i].Mem.Space; v.Mem.Space != want {
			t.Errorf("the new %s lies in %s, want %s", f.Results[i].Name, v.Mem.Space, want)
		}
	}
}

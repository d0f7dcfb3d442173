package lang

import (
	"encoding/json"
	"strings"
	"testing"

	"vitc/ir"
)

// TestLowered compares what small programs lower to: every train's module, and beside it
// what the runtime is told.
func TestLowered(t *testing.T) {
	golden(t, "testdata/lower/*.txtar", func(t *testing.T, name string, src []byte) string {
		u, list := Load(name, src, nil)
		if list.Errors() > 0 {
			t.Fatal(rendered(t, u, list))
		}
		var b strings.Builder
		for _, train := range u.Trains() {
			p := lowerProgram(t, u, train, Options{})
			for _, facts := range []any{p.Train, p.Evals} {
				text, err := json.Marshal(facts)
				if err != nil {
					t.Fatal(err)
				}
				b.WriteString(string(text) + "\n")
			}
			b.WriteString(p.Module.String())
			if again, err := ir.Parse(p.Module.String()); err != nil || again.String() != p.Module.String() {
				t.Errorf("the module does not read back: %v", err)
			}
		}
		return b.String()
	})
}

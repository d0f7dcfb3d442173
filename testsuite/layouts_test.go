package testsuite

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vitc/driver"
	"vitc/ir"
	"vitc/passes"
)

// TestLayouts lays the block of testdata/layouts/block.vit out by each of the canonical plans, one a
// case: forward, backward and optimizer. A case names its plan, and parameters of the train block,
// on lines of its comment, and has two files:
//
//   - collectives, written by hand: each collective in program order, and behind # who would write
//     it and why. -update leaves it alone;
//   - step, the function of one device, which -update writes.
//
// What the devices compute together is what one device computes.
func TestLayouts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "layouts", "*.txtar"))
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { layoutCase(t, file) })
	}
}

func layoutCase(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Files) == 0 || a.Files[0].Name != "collectives" {
		t.Fatalf("%s: expected a comment, then the file collectives, then the file step", file)
	}
	one, many := layOut(t, string(a.Comment))
	step := many.Func("step")
	if d := cmp.Diff(byHand(a.Files[0].Data), movesOf(step)); d != "" {
		t.Errorf("%s: -by hand +got:\n%s", file, d)
	}
	text := (&ir.Module{Phase: many.Phase, Mesh: many.Mesh, Funcs: []*ir.Func{step}}).String()
	switch {
	case *update:
		a.Files = append(a.Files[:1], txtar.File{Name: "step", Data: []byte(text)})
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
	case len(a.Files) != 2:
		t.Fatalf("%s has no file step: go test ./testsuite -run TestLayouts -update writes it", file)
	default:
		if d := cmp.Diff(string(a.Files[1].Data), text); d != "" {
			t.Errorf("%s (-want +got; go test ./testsuite -run TestLayouts -update accepts it):\n%s", file, d)
		}
	}
	checkSpread(t, one.Func("step"), many, step)
}

// layOut gives the program for one device, and the one for those of the case's plan.
func layOut(t *testing.T, comment string) (one, many *ir.Module) {
	t.Helper()
	q := driver.Source{File: filepath.Join("testdata", "layouts", "block.vit"), Params: map[string]string{}}
	for _, line := range strings.Split(comment, "\n") {
		if name, ok := strings.CutPrefix(line, "plan: "); ok {
			q.Plan = name
		}
		if set, ok := strings.CutPrefix(line, "set: "); ok {
			name, value, _ := strings.Cut(set, "=")
			q.Params[name] = value
		}
	}
	load := func() *ir.Program {
		p, _, err := driver.Load(driver.NewSources(), q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := load()
	i := slices.IndexFunc(p.Plans, func(x ir.Plan) bool { return x.Name == q.Plan })
	if i < 0 {
		t.Fatalf("there is no plan %q", q.Plan)
	}
	one, many = p.Module, load().Module
	runPasses(t, one, onePasses, passes.Config{})
	runPasses(t, many, slices.Concat(onePasses, meshPasses), passes.Config{Plan: &p.Plans[i]})
	return one, many
}

// byHand is the lines of a case's collectives, without what stands behind them.
func byHand(text []byte) []string {
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		line, _, _ = strings.Cut(line, "#")
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

// movesOf writes a function's collectives in order: which, over what, what it gives, and the
// instance that it belongs to.
func movesOf(f *ir.Func) []string {
	var lines []string
	f.Body.Walk(func(op *ir.Op) {
		if op.Row.Class != ir.Collective {
			return
		}
		path := "-"
		if op.Pos != nil && op.Pos.Path != "" {
			path = op.Pos.Path
		}
		lines = append(lines, fmt.Sprintf("%s over %s: %s at %s", op.Row.Name, strings.Join(ir.Over(op.Attrs), ", "), op.Out[0].Type, path))
	})
	return lines
}

package testsuite

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
)

// TestCollectivesMatter breaks every collective of every case of partition, of the passes behind it
// and of the layouts, one at a time, and demands that the verifier tells, or else the numbers: that a case passes says that its
// collectives are the right ones. Where values vary, and of a ring that is turned, only the numbers
// can tell.
func TestCollectivesMatter(t *testing.T) {
	tally := &mutants{refused: map[string]int{}, differ: map[string]int{}}
	cases := slices.Concat(casesOf(t, "passes", "partition"), casesOf(t, "passes", "collectives"), casesOf(t, "passes", "prefetch"), casesOf(t, "passes", "overlap"))
	for _, file := range cases {
		a := archived(t, file)
		before := parsed(t, string(a.Files[0].Data))
		runPasses(t, before, mathPasses(string(a.Comment)), passes.Config{})
		tally.add(t, file, string(a.Files[len(a.Files)-1].Data), func(m *ir.Module) bool { return meshDiffers(t, before, m) != nil })
	}
	for _, file := range casesOf(t, "layouts") {
		tally.add(t, file, string(archived(t, file).Files[1].Data), func(*ir.Module) bool { return false })
	}
	t.Logf("refused: %v; other numbers: %v", tally.refused, tally.differ)
	for _, told := range []string{"all_reduce dropped", "all_reduce doubled", "all_gather over other axes", "reduce_scatter dropped", "reduce_scatter over other axes"} {
		if tally.refused[told] == 0 {
			t.Errorf("no %s was tried", told)
		}
	}
	if n := sumOf(tally.refused) + sumOf(tally.differ); n < 350 {
		t.Errorf("only %d collectives were broken", n)
	}
}

func casesOf(t *testing.T, under ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", filepath.Join(under...), "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatal(under, err)
	}
	return files
}

func archived(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// mutants counts what told of them.
type mutants struct{ refused, differ map[string]int }

// add breaks the collectives of a module's text; differs runs a module and says whether its numbers
// are others.
func (c *mutants) add(t *testing.T, file, text string, differs func(*ir.Module) bool) {
	for k := range irtest.Collectives(parsed(t, text)) {
		for _, mu := range irtest.Mutations {
			m := parsed(t, text)
			op := irtest.Collectives(m)[k]
			told := op.Row.Name + " " + mu.Name
			typed := irtest.Telling(op)
			if !mu.Make(m, op) {
				continue
			}
			switch {
			case ir.Verify(m) != nil:
				c.refused[told]++
			case !typed && differs(m):
				c.differ[told]++
			default:
				t.Errorf("%s: %s of %s, and nothing tells", filepath.Base(file), told, op.Out[0].Name)
			}
		}
	}
}

func sumOf(counts map[string]int) int {
	n := 0
	for _, k := range counts {
		n += k
	}
	return n
}

// mathPasses are those that a case runs before its own and that a single device understands.
func mathPasses(comment string) []string {
	return slices.DeleteFunc(before(comment), func(n string) bool { return n == "propagate" || n == "order" || n == "partition" })
}

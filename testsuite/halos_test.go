package testsuite

import (
	"path/filepath"
	"slices"
	"testing"

	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
)

// rowsOver is a plan under which devices share the rows of images.
func rowsOver(t *testing.T, mesh string) *ir.Plan {
	t.Helper()
	plan, err := irtest.Plan("mesh " + mesh + "\nbatch: data\nrow: space")
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestHybridRows shares the rows of R50+B/16's images among devices. By hand: the root convolution of
// 7x7, two apart, needs halos on both sides; the maximum and each first convolution of 3x3 of a stage
// that halves the image one; the other four of 3x3 two, three of them in loops. That is 13, and 11 for
// gradients, the images having none; and what the loops' backward turns lay out again needs its 6 again.
// What is gathered is the tokens, where the class token is put before them, and the gradient of their
// positions.
func TestHybridRows(t *testing.T) {
	m := loaded(t, filepath.Join("..", "examples", "zoo", "r50_b16.vit"))
	m.Funcs = slices.DeleteFunc(m.Funcs, func(f *ir.Func) bool { return f.Name != "step" })
	runPasses(t, m, slices.Concat(onePasses, meshPasses), passes.Config{Plan: rowsOver(t, "data:64 space:2")})
	moves := map[string]int{}
	m.Func("step").Body.Walk(func(op *ir.Op) {
		if over := ir.Over(op.Attrs); slices.Contains(over, "space") && op.Row.Class == ir.Collective && len(op.In) > 0 {
			moves[op.Row.Name]++
		}
	})
	if moves["permute"] != 30 || moves["all_gather"] != 2 || moves["all_to_all"] != 0 {
		t.Errorf("moves over space: %v, want 30 permutes and 2 all_gathers", moves)
	}
}

// TestRowsKeepPrograms trains a small hybrid whose images' rows devices share: as one device does.
func TestRowsKeepPrograms(t *testing.T) {
	file := filepath.Join("testdata", "rows.vit")
	one := loaded(t, file)
	runPasses(t, one, onePasses, passes.Config{})
	for _, mesh := range []string{"data:1 space:2", "data:2 space:4"} {
		many := loaded(t, file)
		runPasses(t, many, slices.Concat(onePasses, meshPasses), passes.Config{Plan: rowsOver(t, mesh)})
		checkSpread(t, one.Func("step"), many, many.Func("step"))
	}
}

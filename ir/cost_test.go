package ir_test

import (
	"math"
	"testing"

	"vitc/ir"
)

func costOf(t *testing.T, text string) *ir.Region {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m.Funcs[0].Body
}

// TestProductFlops counts two products of 64·32·128 multiply-adds in each of 8 turns; the rest of the
// step costs nothing.
func TestProductFlops(t *testing.T) {
	if got, want := costOf(t, built).ProductFlops(), 8*2*2*64*32*128; got != want {
		t.Errorf("the step costs %d, want %d", got, want)
	}
}

func TestProductFlopsOfOps(t *testing.T) {
	const head = "ir built\n\nfunc @f(%x: f32[a:3, b:5] input=\"x\", %y: f32[b:5, c:7] input=\"y\", %z: f32[c:7] input=\"z\") -> ("
	for _, c := range []struct {
		name, op, result string
		want             int
	}{
		{"product", "dot %x, %y [ab,bc->ac]", "f32[a:3, c:7]", 2 * 3 * 5 * 7},
		{"matrix by vector", "dot %y, %z [bc,c->b]", "f32[b:5]", 2 * 5 * 7},
		{"outer product", "dot %x, %z [ab,c->abc]", "f32[a:3, b:5, c:7]", 0},
		{"sum", "reduce %x [ab->a] kind=sum", "f32[a:3]", 0},
		{"pointwise", "mul %x, %x", "f32[a:3, b:5]", 0},
		{"power", "pow %x, 3", "f32[a:3, b:5]", 0},
	} {
		r := costOf(t, head+c.result+" output=\"o\") precision=f32 {\n  %o: "+c.result+" = "+c.op+"\n  yield %o\n}\n")
		if got := r.ProductFlops(); got != c.want {
			t.Errorf("%s costs %d, want %d", c.name, got, c.want)
		}
	}
}

// TestProductFlopsSaturate: what no int holds is the largest int, never a negative number.
func TestProductFlopsSaturate(t *testing.T) {
	r := costOf(t, built)
	r.Walk(func(op *ir.Op) {
		for i := range op.Rule.Factors {
			op.Rule.Factors[i].Size = 1 << 30
		}
	})
	if got := r.ProductFlops(); got != math.MaxInt {
		t.Errorf("the step costs %d, want %d", got, math.MaxInt)
	}
}

func TestTimes(t *testing.T) {
	turns := map[string]int{}
	costOf(t, built).Times(func(op *ir.Op, n int) { turns[op.Row.Name] += n })
	want := map[string]int{"scan": 1, "dot": 16, "tanh": 8, "add": 8, "mul": 4, "reduce": 1, "grad": 1, "sub": 2}
	for name, n := range want {
		if turns[name] != n {
			t.Errorf("%s runs %d times, want %d", name, turns[name], n)
		}
	}
	if len(turns) != len(want) {
		t.Errorf("ops are %v, want %v", turns, want)
	}
}

package ir_test

import (
	"math"
	"testing"

	"vitc/ir"
	"vitc/ir/irtest"
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
	if got, want := costOf(t, irtest.Residual).ProductFlops(), float64(8*2*2*64*32*128); got != want {
		t.Errorf("the step costs %g, want %g", got, want)
	}
}

func TestProductFlopsOfOps(t *testing.T) {
	const head = "ir built\n\nfunc @f(%x: f32[a:3, b:5] input=\"x\", %y: f32[b:5, c:7] input=\"y\", %z: f32[c:7] input=\"z\") -> ("
	for _, c := range []struct {
		name, op, result string
		want             float64
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
			t.Errorf("%s costs %g, want %g", c.name, got, c.want)
		}
	}
}

// TestProductFlopsOfGiants: no size overflows the count.
func TestProductFlopsOfGiants(t *testing.T) {
	r := costOf(t, irtest.Residual)
	r.Walk(func(op *ir.Op) {
		for i := range op.Rule.Factors {
			op.Rule.Factors[i].Size = 1 << 30
		}
	})
	if got, want := r.ProductFlops(), 8*2*2*math.Pow(2, 90); got != want {
		t.Errorf("the step costs %g, want %g", got, want)
	}
}

func TestTurns(t *testing.T) {
	costOf(t, irtest.Residual).Walk(func(op *ir.Op) {
		want := 1
		if op.Row.Name == "scan" {
			want = 8
		}
		if got := op.Turns(); got != want {
			t.Errorf("%s runs %d times, want %d", op.Row.Name, got, want)
		}
	})
}

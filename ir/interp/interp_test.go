package interp_test

import (
	"slices"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
)

// module parses IR text.
func module(t *testing.T, src string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return m
}

// floats is a tensor of the given elements.
func tensor(t ir.Type, x ...float64) *interp.Tensor { return &interp.Tensor{Type: t, F: x} }

// run evaluates the first function of a text.
func run(t *testing.T, src string, o interp.Options, args ...*interp.Tensor) []*interp.Tensor {
	t.Helper()
	out, err := interp.Run(module(t, src).Funcs[0], args, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, what string, got *interp.Tensor, want ...float64) {
	t.Helper()
	if !slices.EqualFunc(got.F, want, func(a, b float64) bool { return a == b || a != a && b != b }) {
		t.Errorf("%s: got %v, want %v", what, got.F, want)
	}
}

const chain = `ir built
func @f(%x: f32[b:2, w:3] input="x", %w: f32[w:3, m:2] input="w") -> (f32[b:2, m:2] output="y", f32[] output="s") {
  %h: f32[b:2, m:2] = dot %x, %w [bw,wm->bm]
  %y: f32[b:2, m:2] = mul %h, 2
  %s: f32[] = reduce %y [bm->] kind=sum
  yield %y, %s
}`

func TestRun(t *testing.T) {
	f := module(t, chain).Funcs[0]
	x := tensor(f.Body.Params[0].Type, 1, 2, 3, 4, 5, 6)
	w := tensor(f.Body.Params[1].Type, 1, 0, 0, 1, 1, 1)
	out := run(t, chain, interp.Options{}, x, w)
	same(t, "y", out[0], 8, 10, 20, 22)
	same(t, "s", out[1], 60)
}

func TestWrongArguments(t *testing.T) {
	f := module(t, chain).Funcs[0]
	tx, tw := f.Body.Params[0].Type, f.Body.Params[1].Type
	x, w := interp.New(tx), interp.New(tw)
	for _, c := range []struct {
		args []*interp.Tensor
		want string
	}{
		{nil, "takes 2 arguments, found 0"},
		{[]*interp.Tensor{x, nil}, "argument 2 (w) is missing"},
		{[]*interp.Tensor{x, x}, "argument 2 (w) is f32[b:2, w:3], expected f32[w:3, m:2]"},
		{[]*interp.Tensor{x, {Type: tw, F: w.F[:5]}}, "argument 2 (w) has 5 elements"},
		{[]*interp.Tensor{{Type: tx.As(ir.I32), F: x.F}, w}, "argument 1 (x) is i32[b:2, w:3]"},
	} {
		_, err := interp.Run(f, c.args, interp.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

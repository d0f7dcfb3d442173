package passes_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

func micro(n int) passes.Config { return passes.Config{Plan: &ir.Plan{Name: "p", Micro: n}} }

func parsed(t *testing.T, text string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func run(t *testing.T, m *ir.Module, args []*interp.Tensor, names ...string) []*interp.Tensor {
	t.Helper()
	if err := passes.Run(m, names, passes.Options{}); err != nil {
		t.Fatal(err)
	}
	out, err := interp.Run(m.Funcs[0], args, interp.Options{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func compare(t *testing.T, want, got []*interp.Tensor, tolerance float64) {
	t.Helper()
	for i, w := range want {
		for k, x := range w.F {
			if y := got[i].F[k]; !(math.Abs(x-y) <= tolerance*max(1, math.Abs(x))) {
				t.Fatalf("result %d [%d] is %g, was %g", i+1, k, y, x)
			}
		}
	}
}

// A ViT's step in slices is its step, under every policy of recomputation: in exact numbers, to
// rounding.
func TestMicroViT(t *testing.T) {
	c := irtest.ViT{Batch: 8, Tokens: 3, Patch: 2, Width: 4, Heads: 2, Depth: 2, Classes: 3}
	args := vitArgs(c.Step().Funcs[0], c.Classes)
	want := run(t, c.Step(), args, "simplify", "autodiff")
	for _, n := range []int{2, 4, 8} {
		for _, policy := range policies {
			plan := rematPlan(policy, 1<<20)
			plan.Micro = n
			m := c.Step()
			if err := passes.Run(m, []string{"simplify", "micro", "autodiff", "simplify"}, passes.Options{Config: passes.Config{Plan: plan}}); err != nil {
				t.Fatal(err)
			}
			compare(t, want, run(t, m, args), 1e-12)
		}
	}
}

// A step in slices goes through the whole pipeline of the CPU: a loop in a loop, and state in place.
func TestMicroPlanned(t *testing.T) {
	c := irtest.ViT{Batch: 8, Tokens: 3, Patch: 2, Width: 4, Heads: 2, Depth: 2, Classes: 3}
	args := vitArgs(c.Step().Funcs[0], c.Classes)
	want := run(t, c.Step(), args, passes.Pipeline("cpu")...)
	m := c.Step()
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{Config: micro(2)}); err != nil {
		t.Fatal(err)
	}
	compare(t, want, run(t, m, args), 1e-12)
}

// Draws and positions in a loop are those of the whole batch, wherever the examples lie in them.
func TestMicroDraws(t *testing.T) {
	const text = `ir built

func @step(%w: f32[width:3] state="w", %x: f32[batch:8, width:3] input="x", %key: u32[word:2] input="key") -> (f32[width:3] state="w", f32[] metric="loss") {
  %y: f32[batch:8, width:3] = scan length=2 carry(%c=%x) const(%v=%w, %k=%key) {
    %b: f32[batch:8, width:3] = broadcast %v [w->bw]
    %d: f32[batch:8, width:3] = mul %c, %b
    %t: f32[width:3, batch:8] = rearrange %d [bw->wb]
    %r: u32[width:3, batch:8] = rng_bits %k, 7 strides=(1,5000000000)
    %h: u32[width:3, batch:8] = shr %r, 8
    %f: f32[width:3, batch:8] = cast %h
    %u: f32[width:3, batch:8] = mul %f, 0.000000059604645
    %m: f32[width:3, batch:8] = mul %t, %u
    %i: i32[width:3, batch:8] = iota dim=1
    %j: f32[width:3, batch:8] = cast %i
    %n: f32[width:3, batch:8] = add %m, %j
    %o: f32[batch:8, width:3] = rearrange %n [wb->bw]
    yield %o
  }
  %z: f32[row:24] = rearrange %y [bw->(bw)]
  %p: u32[row:24] = rng_bits %key, 9 strides=(3)
  %e: f32[row:24] = cast %p
  %g: f32[row:24] = mul %z, %e
  %s: f32[] = reduce %g [r->] kind=sum
  %l: f32[] = mul %s, 0.000000001
  %a: f32[width:3] = grad %l, %w
  yield %a, %l
}
`
	args := vitArgs(parsed(t, text).Funcs[0], 1)
	want := run(t, parsed(t, text), args, "autodiff")
	for _, n := range []int{2, 4} {
		m := parsed(t, text)
		if err := passes.Run(m, []string{"micro", "autodiff", "simplify"}, passes.Options{Config: micro(n)}); err != nil {
			t.Fatal(err)
		}
		compare(t, want, run(t, m, args), 1e-12)
	}
}

// Where examples meet after a parameter, the op is named with its place.
func TestMicroRefuses(t *testing.T) {
	const head = `ir built

func @step(%w: f32[width:3] state="w", %x: f32[batch:8, width:3] input="x") -> (f32[width:3] state="w", f32[] metric="loss") {
  %b: f32[batch:8, width:3] = broadcast %w [w->bw]
  %y: f32[batch:8, width:3] = mul %x, %b
`
	const tail = `
  %l: f32[] = reduce %z [bw->] kind=sum
  %g: f32[width:3] = grad %l, %w
  yield %g, %l
}
`
	for name, c := range map[string]struct{ body, op string }{
		"batch norm":  {"%m: f32[width:3] = reduce %y [bw->w] kind=sum\n%c: f32[batch:8, width:3] = broadcast %m [w->bw] loc(\"n.vit\":4:2; \"net.norm\")\n%z: f32[batch:8, width:3] = sub %y, %c", "`broadcast`"},
		"root of sum": {"%m: f32[width:3] = reduce %y [bw->w] kind=sum\n%c: f32[width:3] = sqrt %m loc(\"n.vit\":4:2; \"net\")\n%z: f32[batch:8, width:3] = broadcast %c [w->bw]", "`sqrt`"},
		"contrastive": {"%s: f32[batch:8, other:8] = dot %y, %y [bw,cw->bc] loc(\"n.vit\":4:2; \"net\")\n%e: f32[batch:8, other:8] = exp %s\n%q: f32[batch:8] = reduce %e [bc->b] kind=sum\n%z: f32[batch:8, width:3] = broadcast %q [b->bw]", "`dot`"},
		"maximum":     {"%m: f32[width:3] = reduce %y [bw->w] kind=max loc(\"n.vit\":4:2; \"net\")\n%z: f32[batch:8, width:3] = broadcast %m [w->bw]", "`reduce`"},
		"roll":        {"%z: f32[batch:8, width:3] = roll %y dim=0 by=1 loc(\"n.vit\":4:2; \"net\")", "`roll`"},
		"in a loop":   {"%z: f32[batch:8, width:3] = scan length=2 carry(%c=%y) {\n%d: f32[batch:8, width:3] = roll %c dim=0 by=1 loc(\"n.vit\":4:2; \"net\")\nyield %d\n}", "`roll`"},
	} {
		m := parsed(t, head+c.body+tail)
		err := passes.Run(m, []string{"micro"}, passes.Options{Config: micro(2)})
		var list diag.List
		if !errors.As(err, &list) || len(list) != 1 {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		d := list[0]
		if d.Code != passes.CodeMeet || !strings.HasPrefix(d.Label, c.op) || d.Pos.Line != 4 {
			t.Errorf("%s: got %v at %v: %s", name, d, d.Pos, d.Label)
		}
	}
}

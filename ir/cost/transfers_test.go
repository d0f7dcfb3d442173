package cost

import (
	"testing"

	"vitc/ir"
)

// ordered runs a program in its order, and gives what becomes of its transfer.
func ordered(t *testing.T, body string) (Timeline, *Transfer, Seconds) {
	t.Helper()
	mod, err := ir.Parse(`ir partitioned mesh(data:64, model:16)
func @f(%x: bf16[a:8192, b:8192] input="x", %w: bf16[b:512, c:8192]{b@model} input="w") -> (bf16[a:8192, c:8192] output="y") {` + body + "\n  yield %y }")
	if err != nil {
		t.Fatal(err)
	}
	m := model(t, "tpu:v4:8x8x16", vit22b)
	r := mod.Funcs[0].Body
	tl, all := m.Transfers(r, true)
	if tl != m.InOrder(r) || len(all) != 1 {
		t.Errorf("%+v with a log, %+v without; %d transfers", tl, m.InOrder(r), len(all))
	}
	for _, x := range all {
		return tl, x, m.Region(r)
	}
	return tl, nil, Seconds{}
}

// Where the order binds, a collective in one holds the core up even if nothing reads it yet; one that
// was started runs beside what stands in front of its done.
func TestInOrder(t *testing.T) {
	tl, x, s := ordered(t, `
  %g: bf16[b:8192, c:8192] = all_gather %w dim=0 over=model
  %h: bf16[a:8192, b:8192] = dot %x, %x [ab,bc->ac]
  %y: bf16[a:8192, c:8192] = dot %h, %g [ab,bc->ac]`)
	near(t, "in one", tl.Step, s.Core+s.Link)
	near(t, "exposed in one", x.Exposed, s.Link)
	tl, x, s = ordered(t, `
  %t: ~bf16[b:8192, c:8192] = all_gather_start %w dim=0 over=model
  %h: bf16[a:8192, b:8192] = dot %x, %x [ab,bc->ac]
  %g: bf16[b:8192, c:8192] = all_gather_done %t
  %y: bf16[a:8192, c:8192] = dot %h, %g [ab,bc->ac]`)
	near(t, "started", tl.Step, s.Core)
	near(t, "exposed where started", x.Exposed, 0)
	near(t, "under way", x.Seconds, s.Link)
	if len(x.Beside) != 1 || x.Beside[0].Out[0].Name != "h" {
		t.Errorf("it runs beside %v, expected %%h", x.Beside)
	}
	tl, _, s = ordered(t, `
  %h: bf16[a:8192, b:8192] = dot %x, %x [ab,bc->ac]
  %t: ~bf16[b:8192, c:8192] = all_gather_start %w dim=0 over=model
  %g: bf16[b:8192, c:8192] = all_gather_done %t
  %y: bf16[a:8192, c:8192] = dot %h, %g [ab,bc->ac]`)
	near(t, "started late", tl.Step, s.Core+s.Link)
}

// In a loop whose order binds nothing is brought ahead.
func TestInOrderLoops(t *testing.T) {
	tl, x, s := ordered(t, `
  %y: bf16[a:8192, b:8192] = scan length=10 carry(%h=%x) const(%v=%w) {
    %t: ~bf16[b:8192, c:8192] = all_gather_start %v dim=0 over=model
    %n: bf16[a:8192, c:8192] = dot %h, %h [ab,bc->ac]
    %g: bf16[b:8192, c:8192] = all_gather_done %t
    %o: bf16[a:8192, c:8192] = dot %n, %g [ab,bc->ac]
    yield %o }`)
	near(t, "step", tl.Step, s.Core)
	near(t, "under way", x.Seconds, s.Link)
	if x.Ahead || len(x.Beside) != 1 || x.Beside[0].Out[0].Name != "n" {
		t.Errorf("%+v, expected %%n beside it", x)
	}
}

package cost

import (
	"math"
	"testing"

	"vitc/ir"
)

// times of the programs below, on a v4: a product of 8192³ on the core, and the gather of a weight of
// 8192² over the ring of 16, 1.43 ms.
func scheduled(t *testing.T, text string) (Timeline, float64, float64) {
	t.Helper()
	mod, err := ir.Parse("ir partitioned mesh(data:64, model:16)\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	if err := ir.Verify(mod); err != nil {
		t.Fatal(err)
	}
	m := model(t, "tpu:v4:8x8x16", vit22b)
	body := mod.Funcs[0].Body
	s := m.Region(body)
	tl := m.Schedule(body)
	logged, transfers := m.Transfers(body, false)
	waited, moved := 0.0, 0.0
	for _, x := range transfers {
		waited += x.Exposed
		moved += x.Seconds
	}
	if logged != tl || math.Abs(waited-tl.Exposed) > 1e-9 || math.Abs(moved-tl.Links) > 1e-9 {
		t.Errorf("%g s are waited for transfers of %g s, with %+v: expected %+v", waited, moved, logged, tl)
	}
	if math.Abs(s.Core-tl.Core) > 1e-9 || math.Abs(s.Link-tl.Links) > 1e-9 {
		t.Errorf("the region takes %+v, its schedule %+v", s, tl)
	}
	return tl, s.Core, s.Link
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-3*max(math.Abs(want), 1e-6) {
		t.Errorf("%s: %g s, want %g", what, got, want)
	}
}

// A gather that is begun first hides behind the product that does not read it; one whose result is
// read at once is waited for.
func TestTransfersRunBesideTheCore(t *testing.T) {
	const head = "func @f(%x: bf16[a:8192, b:8192] input=\"x\", %w: bf16[b:512, c:8192]{b@model} input=\"w\") -> (bf16[a:8192, c:8192] output=\"y\") {\n"
	tl, core, _ := scheduled(t, head+`
  %g: bf16[b:8192, c:8192] = all_gather %w dim=0 over=model
  %h: bf16[a:8192, b:8192] = dot %x, %x [ab,bc->ac]
  %y: bf16[a:8192, c:8192] = dot %h, %g [ab,bc->ac]
  yield %y }`)
	near(t, "hidden", tl.Step, core)
	near(t, "exposed of the hidden one", tl.Exposed, 0)
	tl, core, link := scheduled(t, head+`
  %g: bf16[b:8192, c:8192] = all_gather %w dim=0 over=model
  %y: bf16[a:8192, c:8192] = dot %x, %g [ab,bc->ac]
  yield %y }`)
	near(t, "waited for", tl.Step, core+link)
	near(t, "exposed", tl.Exposed, link)
}

// In a loop the next turn's weight is brought meanwhile: only the first gather is waited for.
func TestLoopsBringWeightsAhead(t *testing.T) {
	tl, core, link := scheduled(t, `func @f(%x: bf16[a:8192, b:8192] input="x", %w: bf16[layer:10, b:512, c:8192]{b@model} input="w") -> (bf16[a:8192, b:8192] output="y") {
  %y: bf16[a:8192, b:8192] = scan length=10 label=layer carry(%h=%x) each(%v=%w) {
    %g: bf16[b:8192, c:8192] = all_gather %v dim=0 over=model
    %n: bf16[a:8192, c:8192] = dot %h, %g [ab,bc->ac]
    yield %n }
  yield %y }`)
	near(t, "exposed", tl.Exposed, link/10)
	near(t, "step", tl.Step, core+link/10)
}

// What an exchange of activations brings is waited for in every turn.
func TestLoopsWaitForActivations(t *testing.T) {
	tl, core, link := scheduled(t, `func @f(%x: bf16[a:8192, b:512]{b@model} input="x", %w: bf16[b:8192, c:512]{c@model} input="w") -> (bf16[a:8192, b:512]{b@model} output="y") {
  %y: bf16[a:8192, b:512]{b@model} = scan length=10 carry(%h=%x) const(%v=%w) {
    %g: bf16[a:8192, b:8192] = all_gather %h dim=1 over=model
    %n: bf16[a:8192, c:512]{c@model} = dot %g, %v [ab,bc->ac]
    yield %n }
  yield %y }`)
	near(t, "exposed", tl.Exposed, link)
	near(t, "step", tl.Step, core+link)
}

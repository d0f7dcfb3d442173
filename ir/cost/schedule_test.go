package cost

import (
	"fmt"
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

// The core stands still during a scatter, and on a chip that halts for them during gathers too; and of
// two sends in opposite directions of one ring neither waits for the other.
func TestWhatRunsBesideTheCore(t *testing.T) {
	step := func(target, text string) Timeline {
		mod, err := ir.Parse("ir partitioned mesh(data:16, model:16)\n" + text)
		if err != nil {
			t.Fatal(err)
		}
		m := model(t, target, ir.Mesh{{Name: "data", Size: 16}, {Name: "model", Size: 16}})
		return m.Schedule(mod.Funcs[0].Body)
	}
	const head = "func @f(%x: bf16[a:8192, b:8192] input=\"x\", %w: bf16[b:512, c:8192]{b@model} input=\"w\", %g: bf16[a:8192, b:8192]{+model} input=\"g\") -> "
	gather := head + `(bf16[a:8192, c:8192] output="y") {
  %v: bf16[b:8192, c:8192] = all_gather %w dim=0 over=model
  %h: bf16[a:8192, b:8192] = dot %x, %x [ab,bc->ac]
  %y: bf16[a:8192, c:8192] = dot %h, %v [ab,bc->ac]
  yield %y }`
	scatter := head + `(bf16[a:8192, b:8192] output="h", bf16[a:512, b:8192]{a@model} output="s") {
  %s: bf16[a:512, b:8192]{a@model} = reduce_scatter %g dim=0 over=model
  %h: bf16[a:8192, b:8192] = dot %x, %x [ab,bc->ac]
  yield %h, %s }`
	if tl := step("tpu:v4:4x4x16", gather); tl.Exposed != 0 {
		t.Errorf("a gather on a v4 is waited for: %+v", tl)
	}
	for target, text := range map[string]string{"tpu:v5e:16x16": gather, "tpu:v4:4x4x16": scatter} {
		if tl := step(target, text); tl.Links == 0 || tl.Exposed != tl.Links {
			t.Errorf("%s: the core does not stand still: %+v", target, tl)
		}
	}
	sends := func(back int) float64 {
		return step("tpu:v4:4x4x16", head+`(bf16[b:512, c:8192]{b@model} output="p", bf16[b:512, c:8192]{b@model} output="q") {
  %p: bf16[b:512, c:8192]{b@model} = permute %w over=model step=1
  %q: bf16[b:512, c:8192]{b@model} = permute %w over=model step=`+fmt.Sprint(back)+`
  yield %p, %q }`).Step
	}
	if one, two := sends(15), sends(1); math.Abs(two-2*one) > 1e-3*two {
		t.Errorf("two sends take %g s there and back, %g s one way", one, two)
	}
}

// Blocks of 6 rows are no whole tiles: their scatter is an all_reduce, twice the bytes. A result
// gathered along its lanes from blocks of 48 is put in order, one from blocks of 128 is not.
func TestTiles(t *testing.T) {
	mod, err := ir.Parse(`ir partitioned mesh(data:64, model:16)
func @f(%g: bf16[a:6144, b:8192]{+data, +model} input="g", %v: bf16[a:8192, b:48]{b@data} input="v", %w: bf16[a:8192, b:128]{b@data} input="w") -> () {
  %s: bf16[a:96, b:8192]{a@data, +model} = reduce_scatter %g dim=0 over=data
  %p: bf16[a:6, b:8192]{a@(data, model)} = reduce_scatter %g dim=0 over=(data,model)
  %q: bf16[a:8192, b:3072] = all_gather %v dim=1 over=data
  %r: bf16[a:8192, b:8192] = all_gather %w dim=1 over=data
  yield }`)
	if err != nil {
		t.Fatal(err)
	}
	m := model(t, "tpu:v4:8x8x16", vit22b)
	ops := mod.Funcs[0].Body.Ops
	whole := 6144.0 * 8192 * 2
	near(t, "blocks of 96 rows", m.Collective(ops[0]), m.Move("reduce_scatter", whole, []string{"data"}))
	near(t, "blocks of 6 rows", m.Collective(ops[1]), m.Move("all_reduce", whole, []string{"data", "model"}))
	near(t, "lanes in order", m.Op(ops[2]).Core, m.Pass(20*8192*3072*2))
	near(t, "whole tiles of lanes", m.Op(ops[3]).Core, 0)
}

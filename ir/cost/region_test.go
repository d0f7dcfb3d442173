package cost

import (
	"testing"

	"vitc/ir"
)

// The sum of three products is added up in the epilogues of two, each of which reads what there is;
// who reads the sum finds it in memory, and not its terms.
func TestSumsOfProducts(t *testing.T) {
	const head = `ir differentiated
func @f(%x: bf16[a:8192, b:8192] input="x") -> (bf16[a:8192, b:8192] output="y") {
  %p: bf16[a:8192, b:8192] = dot %x, %x [ab,bc->ac]
`
	core := func(body string) float64 {
		mod, err := ir.Parse(head + body)
		if err != nil {
			t.Fatal(err)
		}
		return model(t, "tpu:v4:8x8x16", vit22b).Region(mod.Funcs[0].Body).Core
	}
	one := core("  yield %p }")
	sum := core(`  %q: bf16[a:8192, b:8192] = dot %x, %x [ab,cb->ac]
  %r: bf16[a:8192, b:8192] = dot %x, %x [ba,bc->ac]
  %s: bf16[a:8192, b:8192] = add %p, %q
  %t: bf16[a:8192, b:8192] = add %r, %s
  yield %t }`)
	pass := model(t, "tpu:v4:8x8x16", vit22b).Pass(8192 * 8192 * 2)
	near(t, "three products and two epilogues", sum, 3*one+2*pass)
	tanh := core("  %y: bf16[a:8192, b:8192] = tanh %p\n  yield %y }") - one
	read := core(`  %q: bf16[a:8192, b:8192] = dot %x, %x [ab,cb->ac]
  %s: bf16[a:8192, b:8192] = add %p, %q
  %y: bf16[a:8192, b:8192] = tanh %s
  yield %y }`)
	near(t, "a reader of a sum as one of a product", read, 2*one+pass+tanh)
	twice := core(`  %q: bf16[a:8192, b:8192] = dot %x, %x [ab,cb->ac]
  %s: bf16[a:8192, b:8192] = add %p, %q
  %m: bf16[a:8192, b:8192] = mul %s, %p
  %n: bf16[a:8192, b:8192] = mul %m, %q
  yield %n }`)
	if twice <= 2*one+pass {
		t.Errorf("products that are read elsewhere take %g s with their sum, expected more than %g", twice, 2*one+pass)
	}
}

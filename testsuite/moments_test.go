package testsuite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/passes"
)

// twoPass is the sum of (x − mean)² of each row, as the library's norms write it.
const twoPass = `ir differentiated
func @f(%x: f32[batch:64, width:256] input="x") -> (f32[batch:64] output="v") {
  %s: f32[batch:64] = reduce %x [bw->b] kind=sum
  %m: f32[batch:64] = mul %s, 0.00390625
  %ms: f32[batch:64, width:256] = broadcast %m [b->bw]
  %d: f32[batch:64, width:256] = sub %x, %ms
  %dd: f32[batch:64, width:256] = mul %d, %d
  %v: f32[batch:64] = reduce %dd [bw->b] kind=sum
  yield %v
}`

// TestVarianceInOnePass holds what moments loses of a variance against what its comment and the
// rationale say: 2⁻²⁴·(1 + mean²/variance) of it, times what sums of so many terms round beside.
func TestVarianceInOnePass(t *testing.T) {
	one := parsed(t, twoPass)
	runPasses(t, one, []string{"moments"}, passes.Config{})
	before := parsed(t, twoPass)
	for _, mean := range []float64{0, 1, 10, 100} {
		t.Run(fmt.Sprintf("mean %g", mean), func(t *testing.T) {
			x := normal(before.Func("f").Body.Params[0].Type, mean)
			want := interpret(t, before.Func("f"), x, interp.Options{Exact: true})[0].F
			worst := func(m *ir.Module) (far float64) {
				for i, v := range interpret(t, m.Func("f"), x, interp.Options{})[0].F {
					far = max(far, math.Abs(v-want[i])/want[i])
				}
				return far
			}
			const sums = 4 // roundings: of squares, of both sums, of their difference
			lost, bound := worst(one), sums*0x1p-24*(1+mean*mean)
			if lost > bound {
				t.Errorf("one pass loses %.2g of a variance, expected at most %.2g", lost, bound)
			}
			if two := worst(before); mean >= 10 && lost < 4*two {
				t.Errorf("one pass loses %.2g, two lose %.2g: the case shows nothing", lost, two)
			}
		})
	}
}

// TestVarianceIsNotNegative: rows of one large number have a variance of zero, whatever rounding
// leaves of the difference. The width is no power of two: the mean of such rows is rounded.
func TestVarianceIsNotNegative(t *testing.T) {
	const width = 255
	m := parsed(t, strings.NewReplacer("256", "255", "0.00390625", "0.00392156862745098").Replace(twoPass))
	runPasses(t, m, []string{"moments"}, passes.Config{})
	x := interp.New(m.Func("f").Body.Params[0].Type)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := 0; i < len(x.F); i += width {
		c := float64(float32(1000 + rnd.Float64()))
		for k := range width {
			x.F[i+k] = c
		}
	}
	for i, v := range interpret(t, m.Func("f"), []*interp.Tensor{x}, interp.Options{})[0].F {
		if !(v >= 0) {
			t.Errorf("row %d of equal numbers has the variance %g", i, v)
		}
	}
}

// normal draws numbers of a mean and the variance 1, in f32.
func normal(typ ir.Type, mean float64) []*interp.Tensor {
	x := interp.New(typ)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range x.F {
		x.F[i] = float64(float32(mean + rnd.NormFloat64()))
	}
	return []*interp.Tensor{x}
}

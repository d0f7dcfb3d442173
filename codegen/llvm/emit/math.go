package emit

import (
	"math"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// The elementary functions, of f32 in any number of lanes, at every level. An error of
// n ulp is |got-want| <= n units in the last place of the f32 nearest to want, measured
// by the tests over a million arguments spread over all bit patterns. NaN gives NaN,
// infinities and zeros give what C99 Annex F says. Polynomials are minimax fits, by
// Remez exchange, of the expression that each comment names.

// poly evaluates c[0] + c[1]x + ... by Horner's rule.
func (b *Builder) poly(x value.Value, c ...float64) value.Value {
	p := value.Value(like(x, c[len(c)-1]))
	for i := len(c) - 2; i >= 0; i-- {
		p = b.FMA(p, x, like(x, c[i]))
	}
	return p
}

// ln2 in two parts; the first has so few bits that its product with an exponent is exact.
const (
	ln2Hi = 0.693359375
	ln2Lo = -2.12194440054690583e-4
)

// Exp returns e to the x. Error: 1 ulp; subnormal results included.
//
// x = n ln2 + r, |r| <= ln2/2; exp(r) = 1 + r + r^2 P(r), P of degree 4 fitted to
// (exp(r)-1-r)/r^2.
func (b *Builder) Exp(x value.Value) value.Value {
	x = b.clamp(x, -104, 89) // beyond, the result is 0 or +Inf as at the ends
	t := b.FMA(x, like(x, math.Log2E), like(x, roundMagic))
	n := b.FSub(t, like(x, roundMagic))
	r := b.FMA(n, like(x, -ln2Hi), x)
	r = b.FMA(n, like(x, -ln2Lo), r)
	p := b.poly(r, 0.49999994, 0.166665211, 0.0416683741, 0.00836864673, 0.00138149678)
	y := b.FAdd(b.FMA(p, b.FMul(r, r), r), like(x, 1))
	return b.scale(y, n, t)
}

// scale returns y*2^n, rounded once. t holds n in its last bits, as roundMagic+n.
func (b *Builder) scale(y, n, t value.Value) value.Value {
	if vt := y.Type(); b.ISA().HasMasks() && Lanes(vt) == 16 {
		return b.intrinsic("llvm.x86.avx512.mask.scalef.ps.512", vt, y, n, Zero(vt), constant.NewInt(I16, -1), Int32(4))
	}
	// In two factors, as neither end of the exponents is within reach of one. The first
	// product is exact.
	i := b.SubWrap(b.BitCast(t, I32), likeInt(t, int32(math.Float32bits(roundMagic))))
	half := b.AShr(i, likeInt(i, 1))
	return b.FMul(b.FMul(y, b.exp2Int(half)), b.exp2Int(b.SubWrap(i, half)))
}

// exp2Int returns 2^i for i in the range of normal exponents.
func (b *Builder) exp2Int(i value.Value) value.Value {
	return b.BitCast(b.Shl(b.AddWrap(i, likeInt(i, 127)), likeInt(i, 23)), F32)
}

// Logistic returns 1/(1+exp(-x)). Error: 3 ulp.
func (b *Builder) Logistic(x value.Value) value.Value {
	// Of e = exp(-|x|), which cannot overflow: 1/(1+e) or e/(1+e).
	e := b.Exp(b.FNeg(b.FAbs(x)))
	top := b.Select(b.FCmp(enum.FPredOLT, x, like(x, 0)), e, like(x, 1))
	return b.FDiv(top, b.FAdd(e, like(x, 1)))
}

// Tanh returns the hyperbolic tangent. Error: 2 ulp.
//
// For |x| < 0.625 x + x^3 P(x^2), fitted to tanh(x)/x - 1; beyond 1 - 2/(exp(2|x|)+1).
func (b *Builder) Tanh(x value.Value) value.Value {
	a := b.FAbs(x)
	z := b.FMul(x, x)
	p := b.poly(z, -0.333332926, 0.133315414, -0.0537386239, 0.0206159968, -0.00566477515)
	near := b.FMA(b.FMul(p, z), x, x)
	e := b.Exp(b.FAdd(a, a))
	far := b.FSub(like(x, 1), b.FDiv(like(x, 2), b.FAdd(e, like(x, 1))))
	r := b.Select(b.FCmp(enum.FPredOLT, a, like(x, 0.625)), near, far)
	return b.CopySign(r, x)
}

// Erf returns the error function. Error: 6 ulp.
//
// x P(x^2)/Q(x^2) with P and Q of degree 5 fitted to erf(x)/x for |x| <= 3.92, where the
// function rounds to 1.
func (b *Builder) Erf(x value.Value) value.Value {
	x = b.clamp(x, -3.92, 3.92)
	z := b.FMul(x, x)
	p := b.poly(z, 1.12837911, 0.190407038, 0.052748803, 0.00376564311, 0.00028488363, 2.05008678e-06)
	q := b.poly(z, 1, 0.502076566, 0.114109352, 0.0149692679, 0.0011625425, 3.80917591e-05)
	return b.clamp(b.FDiv(b.FMul(x, p), q), -1, 1)
}

// logParts returns f and e with x = (1+f)*2^e, sqrt(1/2) <= 1+f < sqrt(2), for positive
// x, subnormal ones included.
func (b *Builder) logParts(x value.Value) (f, e value.Value) {
	tiny := b.FCmp(enum.FPredOLT, x, like(x, 0x1p-126))
	x = b.Select(tiny, b.FMul(x, like(x, 0x1p23)), x)
	i := b.BitCast(x, I32)
	k := b.AShr(b.SubWrap(i, likeInt(i, int32(math.Float32bits(math.Sqrt2/2)))), likeInt(i, 23))
	m := b.BitCast(b.SubWrap(i, b.Shl(k, likeInt(i, 23))), F32)
	k = b.SubWrap(k, b.Select(tiny, likeInt(i, 23), likeInt(i, 0)))
	return b.FSub(m, like(x, 1)), b.IntToFloat(k)
}

// logSum returns log(1+f) + e ln2 + c, for f in logParts' range and small c:
// log(1+f) = f - f^2/2 + f^3 P(f), P of degree 7.
func (b *Builder) logSum(f, e, c value.Value) value.Value {
	z := b.FMul(f, f)
	p := b.poly(f, 0.333333313, -0.250008196, 0.200012267, -0.166233569, 0.142017573, -0.13160181, 0.12761578, -0.0763450265)
	y := b.FMul(b.FMul(p, z), f)
	y = b.FMA(e, like(f, ln2Lo), y)
	if c != nil {
		y = b.FAdd(y, c)
	}
	y = b.FMA(z, like(f, -0.5), y)
	return b.FMA(e, like(f, ln2Hi), b.FAdd(f, y))
}

// logEnds replaces y where x is at or beyond the ends of log's domain, which begins at
// zero: -Inf at zero, NaN below it, x itself at +Inf and NaN.
func (b *Builder) logEnds(y, x value.Value, zero float64) value.Value {
	y = b.Select(b.FCmp(enum.FPredUGE, x, like(x, math.Inf(1))), x, y)
	y = b.Select(b.FCmp(enum.FPredOLT, x, like(x, zero)), like(x, math.NaN()), y)
	return b.Select(b.FCmp(enum.FPredOEQ, x, like(x, zero)), like(x, math.Inf(-1)), y)
}

// Log returns the natural logarithm. Error: 1 ulp.
func (b *Builder) Log(x value.Value) value.Value {
	f, e := b.logParts(x)
	return b.logEnds(b.logSum(f, e, nil), x, 0)
}

// Log1p returns log(1+x), exact near zero. Error: 1 ulp.
func (b *Builder) Log1p(x value.Value) value.Value {
	// Near zero f = x itself. Elsewhere u = 1+x loses bits of x; what it lost, divided
	// by u, is added to the logarithm of u.
	one := like(x, 1)
	u := b.FAdd(x, one)
	f, e := b.logParts(u)
	lost := b.Select(b.FCmp(enum.FPredOLT, x, one),
		b.FSub(x, b.FSub(u, one)), b.FSub(one, b.FSub(u, x)))
	c := b.FDiv(lost, u)
	near := b.cur.NewAnd(b.FCmp(enum.FPredOGT, x, like(x, math.Sqrt2/2-1)), b.FCmp(enum.FPredOLT, x, like(x, math.Sqrt2-1)))
	zero := like(x, 0)
	f, e, c = b.Select(near, x, f), b.Select(near, zero, e), b.Select(near, zero, c)
	return b.CopySign(b.logEnds(b.logSum(f, e, c), x, -1), x)
}

// toF64 and toF32 convert between the floats; narrowing rounds to nearest.
func (b *Builder) toF64(x value.Value) value.Value { return b.cur.NewFPExt(x, retype(x, types.Double)) }
func (b *Builder) toF32(x value.Value) value.Value {
	return b.cur.NewFPTrunc(x, retype(x, types.Float))
}

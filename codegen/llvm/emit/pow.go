package emit

import (
	"math"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"
)

// Pow returns x to the y. Error: 1 ulp.
//
// |x|^y = 2^(y log2|x|) is computed in f64, since the product magnifies an error of the
// logarithm a hundredfold; the series need no more than f32's 24 bits and that.
func (b *Builder) Pow(x, y value.Value) value.Value {
	a := b.FAbs(x)
	one, zero, inf := like(x, 1), like(x, 0), like(x, math.Inf(1))
	p := b.FMul(b.toF64(y), b.log2F64(a))
	mag := b.toF32(b.exp2F64(p))
	// Where the product is 0*Inf or 0*NaN: 1^y and x^0 are 1 whatever the other is, and
	// (-1)^Inf is 1.
	unit := b.Or(b.FCmp(enum.FPredOEQ, y, zero), b.FCmp(enum.FPredOEQ, x, one))
	unit = b.Or(unit, b.And(b.FCmp(enum.FPredOEQ, a, one), b.FCmp(enum.FPredOEQ, b.FAbs(y), inf)))
	mag = b.Select(unit, one, mag)
	whole := b.FCmp(enum.FPredOEQ, b.Floor(y), y)
	half := b.FMul(y, like(y, 0.5))
	odd := b.And(whole, b.FCmp(enum.FPredONE, b.Floor(half), half))
	signed := b.Select(odd, b.CopySign(mag, x), mag)
	// A root of a negative number.
	finite := b.And(b.FCmp(enum.FPredOLT, x, zero), b.FCmp(enum.FPredOGT, x, like(x, math.Inf(-1))))
	nan := b.And(finite, b.FCmp(enum.FPredONE, b.Floor(y), y))
	return b.Select(nan, like(x, math.NaN()), signed)
}

// int64Like returns the i64 constant n in as many lanes as x has.
func int64Like(x value.Value, n int64) constant.Constant {
	return SplatConst(constant.NewInt(I64, n), Lanes(x.Type()))
}

// log2F64 returns the base-2 logarithm, in f64, of an f32 that is not negative, with a
// relative error below 2^-38.
//
// With x = m 2^e and s = (m-1)/(m+1), log m = 2(s + s^3/3 + s^5/5 + ...), |s| < 0.172.
func (b *Builder) log2F64(x value.Value) value.Value {
	d := b.toF64(x)
	i := b.BitCast(d, I64)
	bias := int64(math.Float64bits(1) - math.Float64bits(math.Sqrt2/2))
	k := b.LShr(b.AddWrap(i, int64Like(i, bias)), int64Like(i, 52)) // biased exponent
	k32 := b.SubWrap(b.Trunc(k, I32), likeInt(k, 1023))
	m := b.BitCast(b.SubWrap(i, b.Shl(b.SubWrap(k, int64Like(k, 1023)), int64Like(k, 52))), F64)
	s := b.FDiv(b.FSub(m, like(d, 1)), b.FAdd(m, like(d, 1)))
	const c = 2 * math.Log2E
	series := b.poly(b.FMul(s, s), c, c/3, c/5, c/7, c/9, c/11, c/13)
	r := b.FMA(s, series, b.cur.NewSIToFP(k32, retype(x, F64)))
	r = b.Select(b.FCmp(enum.FPredOEQ, d, like(d, 0)), like(d, math.Inf(-1)), r)
	return b.Select(b.FCmp(enum.FPredUGE, d, like(d, math.Inf(1))), d, r)
}

// exp2F64 returns 2^p in f64 for results in the range of f32; beyond that, something
// that f32 rounds to 0 or Inf. Relative error below 2^-31.
func (b *Builder) exp2F64(p value.Value) value.Value {
	const magic = 0x1.8p52 // loses the fraction of what is added to it
	p = b.clamp(p, -200, 200)
	t := b.FAdd(p, like(p, magic))
	f := b.FMul(b.FSub(p, b.FSub(t, like(p, magic))), like(p, math.Ln2))
	e := b.poly(f, 1, 1, 1./2, 1./6, 1./24, 1./120, 1./720, 1./5040, 1./40320)
	n := b.SubWrap(b.BitCast(t, I64), int64Like(t, int64(math.Float64bits(magic))))
	scale := b.Shl(b.AddWrap(n, int64Like(n, 1023)), int64Like(n, 52))
	return b.FMul(e, b.BitCast(scale, F64))
}

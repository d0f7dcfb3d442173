package emit

import (
	"math"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"
)

// f16 is a format of memory only; conversion is integer arithmetic on every level, since
// below AVX2 LLVM would call the C library.

// WidenF16 turns the bits of IEEE half precision (i16) into f32, exactly.
func (b *Builder) WidenF16(h value.Value) value.Value {
	w := b.ZExt(h, I32)
	sign := b.Shl(b.And(w, likeInt(w, 0x8000)), likeInt(w, 16))
	mag := b.Shl(b.And(w, likeInt(w, 0x7fff)), likeInt(w, 13))
	// The exponent's bias is 112 less; the product brings subnormals right as well.
	f := b.BitCast(mag, F32)
	scaled := b.BitCast(b.FMul(f, like(f, 0x1p112)), I32)
	special := b.ICmp(enum.IPredUGE, mag, likeInt(w, 0x7c00<<13))
	bits := b.Select(special, b.Or(mag, likeInt(w, 0x7f800000)), scaled)
	return b.BitCast(b.Or(bits, sign), F32)
}

// NarrowF16 rounds f32 to the bits of half precision (i16), to nearest, ties to even; too
// large becomes infinite.
func (b *Builder) NarrowF16(x value.Value) value.Value {
	u := b.BitCast(x, I32)
	sign := b.And(b.LShr(u, likeInt(u, 16)), likeInt(u, 0x8000))
	a := b.FAbs(x)
	m := b.BitCast(a, I32)
	odd := b.And(b.LShr(m, likeInt(u, 13)), likeInt(u, 1))
	normal := b.LShr(b.AddWrap(b.AddWrap(m, likeInt(u, 0xfff-112<<23)), odd), likeInt(u, 13))
	// Below 2^-14 the sum with 0.5 has the subnormal's bits in its last ten.
	tiny := b.SubWrap(b.BitCast(b.FAdd(a, like(x, 0.5)), I32), likeInt(u, 0x3f000000))
	h := b.Select(b.FCmp(enum.FPredOLT, a, like(x, 0x1p-14)), tiny, normal)
	h = b.Select(b.FCmp(enum.FPredOGE, a, like(x, 65520)), likeInt(u, 0x7c00), h)
	h = b.Select(b.FCmp(enum.FPredUNO, x, x), likeInt(u, 0x7e00), h)
	return b.Trunc(b.Or(h, sign), I16)
}

// FRem returns x - y trunc(x/y) exactly, with the sign of x; NaN where x is infinite, y is
// zero or either is NaN.
//
// x is brought below |y| 2^28k for k = 9, 8, ..., 0 in f64: each quotient has at most 29
// bits and |y| has 24, so that products and differences are exact; a quotient rounded up
// leaves a negative rest, which |y| 2^28k mends.
func (b *Builder) FRem(x, y value.Value) value.Value {
	one, zero, inf := like(x, 1), like(x, 0), like(x, math.Inf(1))
	ax, ay := b.FAbs(x), b.FAbs(y)
	bad := b.Or(b.Or(b.FCmp(enum.FPredUEQ, ax, inf), b.FCmp(enum.FPredUNO, y, y)), b.FCmp(enum.FPredOEQ, y, zero))
	huge := b.FCmp(enum.FPredOEQ, ay, inf) // x is the rest
	skip := b.Or(bad, huge)
	r := b.toF64(b.Select(skip, zero, ax))
	d := b.toF64(b.Select(skip, one, ay))
	for k := 9; k >= 0; k-- {
		m := b.FMul(d, like(d, math.Ldexp(1, 28*k)))
		q := b.cur.NewSIToFP(b.cur.NewFPToSI(b.FDiv(r, m), retype(r, I32)), retype(r, F64))
		r = b.FSub(r, b.FMul(q, m))
		r = b.Select(b.FCmp(enum.FPredOLT, r, like(r, 0)), b.FAdd(r, m), r)
	}
	rest := b.Select(huge, ax, b.toF32(r))
	return b.Select(bad, like(x, math.NaN()), b.CopySign(rest, x))
}

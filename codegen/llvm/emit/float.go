package emit

import (
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"
)

// FAdd returns x+y.
func (b *Builder) FAdd(x, y value.Value) value.Value { return b.cur.NewFAdd(x, y) }

// FSub returns x-y.
func (b *Builder) FSub(x, y value.Value) value.Value { return b.cur.NewFSub(x, y) }

// FMul returns x*y.
func (b *Builder) FMul(x, y value.Value) value.Value { return b.cur.NewFMul(x, y) }

// FDiv returns x/y.
func (b *Builder) FDiv(x, y value.Value) value.Value { return b.cur.NewFDiv(x, y) }

// FNeg returns -x.
func (b *Builder) FNeg(x value.Value) value.Value { return b.cur.NewFNeg(x) }

// FMA returns x*y+z, rounded once where the level has the instruction and twice on
// baseline machines, where LLVM would call the C library.
func (b *Builder) FMA(x, y, z value.Value) value.Value {
	if !b.ISA().HasFMA() {
		return b.FAdd(b.FMul(x, y), z)
	}
	t := z.Type()
	return b.intrinsic("llvm.fma."+suffix(t), t, x, y, z)
}

// FAbs clears the sign.
func (b *Builder) FAbs(x value.Value) value.Value {
	return b.intrinsic("llvm.fabs."+suffix(x.Type()), x.Type(), x)
}

// CopySign returns x with the sign of y.
func (b *Builder) CopySign(x, y value.Value) value.Value {
	return b.intrinsic("llvm.copysign."+suffix(x.Type()), x.Type(), x, y)
}

// Sqrt returns the correctly rounded square root, NaN below zero.
func (b *Builder) Sqrt(x value.Value) value.Value {
	return b.intrinsic("llvm.sqrt."+suffix(x.Type()), x.Type(), x)
}

// FMax returns the greater of x and y, and NaN if either is.
func (b *Builder) FMax(x, y value.Value) value.Value { return b.pick(enum.FPredUGT, x, y) }

// FMin returns the lesser of x and y, and NaN if either is.
func (b *Builder) FMin(x, y value.Value) value.Value { return b.pick(enum.FPredULT, x, y) }

// pick returns x where the unordered predicate holds or x is NaN, and y where y is NaN.
// The machine's min and max return the second operand when either is NaN.
func (b *Builder) pick(p enum.FPred, x, y value.Value) value.Value {
	r := b.Select(b.FCmp(p, x, y), x, y)
	return b.Select(b.FCmp(enum.FPredUNO, y, y), y, r)
}

// clamp returns x between two constants; NaN stays NaN.
func (b *Builder) clamp(x value.Value, lo, hi float64) value.Value {
	h, l := like(x, hi), like(x, lo)
	x = b.Select(b.FCmp(enum.FPredOLT, h, x), h, x)
	return b.Select(b.FCmp(enum.FPredOGT, l, x), l, x)
}

// roundMagic is 1.5*2^23: an f32 of magnitude below 2^22 added to it loses its fraction.
const roundMagic = 12582912

// Floor returns the greatest integer not above x.
func (b *Builder) Floor(x value.Value) value.Value {
	if b.ISA().HasFMA() { // and so has the rounding instruction
		return b.intrinsic("llvm.floor."+suffix(x.Type()), x.Type(), x)
	}
	// SSE2: round to nearest, step down where that went up. From 2^23 on, and for NaN,
	// infinities and -0, x is its own floor.
	r := b.IntToFloat(b.cur.NewFPToSI(b.clamp(x, -1<<30, 1<<30), retype(x, I32)))
	r = b.Select(b.FCmp(enum.FPredOGT, r, x), b.FSub(r, like(x, 1)), r)
	small := b.FCmp(enum.FPredOLT, b.FAbs(x), like(x, 1<<23))
	r = b.CopySign(r, x)
	return b.Select(small, r, x)
}

// LoadBF16 loads n lanes of bf16 and widens them to f32, exactly.
func (b *Builder) LoadBF16(n int, p value.Value, align int) value.Value {
	return b.WidenBF16(b.Load(Vec(I16, n), p, align))
}

// WidenBF16 turns the bits of bf16 (i16) into f32, exactly.
func (b *Builder) WidenBF16(x value.Value) value.Value {
	w := b.ZExt(x, I32)
	return b.BitCast(b.Shl(w, likeInt(w, 16)), F32)
}

// NarrowBF16 rounds f32 to the bits of bf16 (i16), to nearest, ties to even. NaN stays
// NaN. It is integer arithmetic on every level, as the machine's own conversion loses
// subnormals.
func (b *Builder) NarrowBF16(x value.Value) value.Value {
	u := b.BitCast(x, I32)
	top := b.LShr(u, likeInt(u, 16))
	odd := b.And(top, likeInt(u, 1))
	r := b.LShr(b.AddWrap(b.AddWrap(u, likeInt(u, 0x7fff)), odd), likeInt(u, 16))
	r = b.Select(b.FCmp(enum.FPredUNO, x, x), b.Or(top, likeInt(u, 0x40)), r)
	return b.Trunc(r, I16)
}

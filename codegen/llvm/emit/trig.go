package emit

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// Sin returns the sine. Error: 1.5e-7 absolute for every finite x, and 2 ulp for |x| up
// to 2^20; infinities give NaN.
func (b *Builder) Sin(x value.Value) value.Value {
	q, r := b.quadrant(x)
	y := b.turn(q, r)
	tiny := b.FCmp(enum.FPredOLT, b.FAbs(x), like(x, 0x1p-12)) // keeps -0
	return b.Select(tiny, x, b.finiteOrNaN(x, y))
}

// Cos returns the cosine, with the errors of Sin.
func (b *Builder) Cos(x value.Value) value.Value {
	q, r := b.quadrant(x)
	return b.finiteOrNaN(x, b.turn(b.AddWrap(q, likeInt(q, 1)), r))
}

func (b *Builder) finiteOrNaN(x, y value.Value) value.Value {
	finite := b.FCmp(enum.FPredOLT, b.FAbs(x), like(x, math.Inf(1)))
	return b.Select(finite, y, like(x, math.NaN()))
}

// turn returns sin(r + q*pi/2) for |r| <= pi/4:
// sin r = r + r^3 P(r^2), cos r = 1 - r^2/2 + r^4 Q(r^2).
func (b *Builder) turn(q, r value.Value) value.Value {
	z := b.FMul(r, r)
	s := b.FMA(b.FMul(b.poly(z, -0.166666552, 0.00833209604, -0.000195032932), z), r, r)
	c := b.poly(z, 0.0416666456, -0.00138873095, 2.44324128e-05)
	c = b.FAdd(b.FMA(c, b.FMul(z, z), b.FMul(z, like(z, -0.5))), like(z, 1))
	bit := func(n int32) value.Value {
		return b.ICmp(enum.IPredNE, b.And(q, likeInt(q, n)), likeInt(q, 0))
	}
	y := b.Select(bit(1), c, s)
	return b.Select(bit(2), b.FNeg(y), y)
}

// bigArgument is where quadrant changes its method.
const bigArgument = 1 << 20

// quadrant returns the whole number q (i32, modulo 4) of quarter turns nearest to x and
// the rest r = x - q*pi/2, an f32.
func (b *Builder) quadrant(x value.Value) (q, r value.Value) {
	q1, r1 := b.quadrantSmall(x)
	q2, r2 := b.quadrantBig(x)
	big := b.FCmp(enum.FPredOGE, b.FAbs(x), like(x, bigArgument))
	return b.Select(big, q2, q1), b.Select(big, r2, r1)
}

// quadrantSmall subtracts q*pi/2 in f64; pi/2 is in two parts, the first of 33 bits, so
// that its product with q is exact.
func (b *Builder) quadrantSmall(x value.Value) (q, r value.Value) {
	const magic = 0x1.8p52
	const hi = 0x1.921fb544p0
	const lo = 0x1.0b4611a626331p-34
	d := b.toF64(b.clamp(x, -bigArgument, bigArgument))
	t := b.FMA(d, like(d, 2/math.Pi), like(d, magic))
	n := b.FSub(t, like(d, magic))
	rest := b.FMA(n, like(d, -lo), b.FMA(n, like(d, -hi), d))
	return b.Trunc(b.BitCast(t, I64), I32), b.toF32(rest)
}

// quadrantBig is the reduction of Payne and Hanek in integers. For |x| = m 2^e only 64
// bits of 2/pi matter: those before give whole turns, those after less than 2^-38 of a
// quarter turn. Multiplied by m modulo 2^64 they are the angle in units of 2^-62 quarter
// turns.
func (b *Builder) quadrantBig(x value.Value) (q, r value.Value) {
	i := b.BitCast(b.FAbs(x), I32)
	m := b.Or(b.And(i, likeInt(i, 1<<23-1)), likeInt(i, 1<<23))
	e := b.SubWrap(b.LShr(i, likeInt(i, 23)), likeInt(i, 127+23-windowFirst))
	n := Lanes(x.Type())
	inside := b.ICmp(enum.IPredULT, e, likeInt(e, windows))
	w := b.Gather(I64, b.m.windowTable(), e, inside)
	v := b.MulWrap(b.ZExt(m, I64), w)
	turns := b.AShr(b.AddWrap(v, int64Like(v, 1<<61)), int64Like(v, 62))
	rest := b.SubWrap(v, b.Shl(turns, int64Like(v, 62)))
	angle := b.FMul(b.cur.NewSIToFP(rest, Vec(F64, n)), SplatConst(Float64(math.Pi/2*0x1p-62), n))
	r, q = b.toF32(angle), b.Trunc(turns, I32)
	neg := b.FCmp(enum.FPredOLT, x, like(x, 0))
	return b.Select(neg, b.SubWrap(likeInt(q, 0), q), q), b.Select(neg, b.FNeg(r), r)
}

// The exponents e for which there is a window: those of f32 from bigArgument = 2^20 up.
const (
	windowFirst = 3 // entry 0 is that of e = -3
	windows     = 128 - 20
)

// twoOverPi is the fraction of 2/pi, 24 bits a group.
const twoOverPi = "A2F9836E4E441529FC2757D1F534DDC0DB6295993C439041FE5163"

// windowTable returns the address of the table of windows: entry i holds, for e = i -
// windowFirst, the 64 bits of 2/pi * 2^(e+62) that are left modulo 2^64.
func (m *Module) windowTable() value.Value {
	const name = "two_over_pi"
	for _, g := range m.mod.Globals {
		if g.Name() == name {
			return g
		}
	}
	digits, _ := new(big.Int).SetString(twoOverPi, 16)
	var text strings.Builder
	for i := range windows {
		w := new(big.Int).Lsh(digits, uint(i-windowFirst+62))
		w.Rsh(w, uint(4*len(twoOverPi)))
		fmt.Fprintf(&text, ", i64 %d", int64(w.And(w, new(big.Int).SetUint64(math.MaxUint64)).Uint64()))
	}
	t := types.NewArray(windows, I64)
	return m.constant(name, &literal{t, "[" + text.String()[2:] + "]"})
}

// constant adds a constant to the module and returns its address.
func (m *Module) constant(name string, c constant.Constant) value.Value {
	g := m.mod.NewGlobalDef(name, c)
	g.Immutable, g.Linkage, g.Typ = true, enum.LinkageInternal, Ptr
	return g
}

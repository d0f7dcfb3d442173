package emit

import (
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/cpu"
)

// Builder appends instructions to the current block of one function. Control flow moves
// the current block; a Builder is all the state there is.
type Builder struct {
	m          *Module
	fn         *ir.Func
	entry, cur *ir.Block
	labels     int
}

// Module returns the module of the function being built.
func (b *Builder) Module() *Module { return b.m }

// ISA returns the level the function is built for.
func (b *Builder) ISA() cpu.Level { return b.m.ISA }

// Func returns the function being built, to be called from others.
func (b *Builder) Func() *ir.Func { return b.fn }

// Ret ends the function: Ret(nil) of a void one.
func (b *Builder) Ret(v value.Value) { b.cur.NewRet(v) }

// Call calls a function of this module.
func (b *Builder) Call(f *ir.Func, args ...value.Value) value.Value { return b.cur.NewCall(f, args...) }

func (b *Builder) intrinsic(name string, ret types.Type, args ...value.Value) value.Value {
	ts := make([]types.Type, len(args))
	for i, a := range args {
		ts[i] = a.Type()
	}
	return b.cur.NewCall(b.m.declare(name, ret, ts...), args...)
}

// suffix names a type as overloaded intrinsics do: v16f32, i64.
func suffix(t types.Type) string {
	elem := Elem(t).String()
	switch elem {
	case "float":
		elem = "f32"
	case "double":
		elem = "f64"
	}
	if n := Lanes(t); n > 1 {
		return fmt.Sprintf("v%d%s", n, elem)
	}
	return elem
}

// Add returns x+y of integers, which must not overflow as signed ones. Like Sub and Mul
// it folds constants, so that addresses with known strides print no arithmetic.
func (b *Builder) Add(x, y value.Value) value.Value {
	a, aok := intOf(x)
	c, cok := intOf(y)
	switch {
	case aok && cok && x.Type() == y.Type():
		return foldInt(x, a+c)
	case aok && a == 0:
		return y
	case cok && c == 0:
		return x
	}
	i := b.cur.NewAdd(x, y)
	i.OverflowFlags = nsw
	return i
}

var nsw = []enum.OverflowFlag{enum.OverflowFlagNSW}

func foldInt(like value.Value, n int64) value.Value {
	if like.Type() == I32 {
		return Int32(int32(n))
	}
	return Int(int(n))
}

// Sub returns x-y of integers, which must not overflow.
func (b *Builder) Sub(x, y value.Value) value.Value {
	a, aok := intOf(x)
	c, cok := intOf(y)
	switch {
	case aok && cok && x.Type() == y.Type():
		return foldInt(x, a-c)
	case cok && c == 0:
		return x
	}
	i := b.cur.NewSub(x, y)
	i.OverflowFlags = nsw
	return i
}

// Mul returns x*y of integers, which must not overflow.
func (b *Builder) Mul(x, y value.Value) value.Value {
	a, aok := intOf(x)
	c, cok := intOf(y)
	switch {
	case aok && cok && x.Type() == y.Type():
		return foldInt(x, a*c)
	case aok && a == 1:
		return y
	case cok && c == 1:
		return x
	case cok && c == 0:
		return y
	case aok && a == 0:
		return x
	}
	i := b.cur.NewMul(x, y)
	i.OverflowFlags = nsw
	return i
}

// AddWrap, SubWrap and MulWrap compute modulo 2^bits, as u32 arithmetic of counter-based
// random numbers wants.
func (b *Builder) AddWrap(x, y value.Value) value.Value { return b.cur.NewAdd(x, y) }

// SubWrap returns x-y modulo 2^bits.
func (b *Builder) SubWrap(x, y value.Value) value.Value { return b.cur.NewSub(x, y) }

// MulWrap returns x*y modulo 2^bits.
func (b *Builder) MulWrap(x, y value.Value) value.Value { return b.cur.NewMul(x, y) }

// SDiv returns the signed quotient, rounded to zero.
func (b *Builder) SDiv(x, y value.Value) value.Value { return b.cur.NewSDiv(x, y) }

// SRem returns the remainder of SDiv.
func (b *Builder) SRem(x, y value.Value) value.Value { return b.cur.NewSRem(x, y) }

// UDiv returns the unsigned quotient.
func (b *Builder) UDiv(x, y value.Value) value.Value { return b.cur.NewUDiv(x, y) }

// URem returns the remainder of UDiv.
func (b *Builder) URem(x, y value.Value) value.Value { return b.cur.NewURem(x, y) }

// And returns the bitwise and.
func (b *Builder) And(x, y value.Value) value.Value { return b.cur.NewAnd(x, y) }

// Or returns the bitwise or.
func (b *Builder) Or(x, y value.Value) value.Value { return b.cur.NewOr(x, y) }

// Xor returns the bitwise exclusive or.
func (b *Builder) Xor(x, y value.Value) value.Value { return b.cur.NewXor(x, y) }

// Shl shifts left; a shift by the width or more is no value.
func (b *Builder) Shl(x, y value.Value) value.Value { return b.cur.NewShl(x, y) }

// LShr shifts right, zeros coming in.
func (b *Builder) LShr(x, y value.Value) value.Value { return b.cur.NewLShr(x, y) }

// AShr shifts right, the sign coming in.
func (b *Builder) AShr(x, y value.Value) value.Value { return b.cur.NewAShr(x, y) }

// SMin returns the lesser of two signed integers.
func (b *Builder) SMin(x, y value.Value) value.Value {
	return b.intrinsic("llvm.smin."+suffix(x.Type()), x.Type(), x, y)
}

// SMax returns the greater of two signed integers.
func (b *Builder) SMax(x, y value.Value) value.Value {
	return b.intrinsic("llvm.smax."+suffix(x.Type()), x.Type(), x, y)
}

// ICmp compares integers.
func (b *Builder) ICmp(p enum.IPred, x, y value.Value) value.Value { return b.cur.NewICmp(p, x, y) }

// FCmp compares floats; ordered predicates are false of NaN.
func (b *Builder) FCmp(p enum.FPred, x, y value.Value) value.Value { return b.cur.NewFCmp(p, x, y) }

// Select returns x where c, else y, lane by lane.
func (b *Builder) Select(c, x, y value.Value) value.Value { return b.cur.NewSelect(c, x, y) }

// BitCast reads the bits of x as lanes of elem; widths must agree.
func (b *Builder) BitCast(x value.Value, elem types.Type) value.Value {
	return b.cur.NewBitCast(x, retype(x, elem))
}

// Trunc narrows integer lanes to elem.
func (b *Builder) Trunc(x value.Value, elem types.Type) value.Value {
	return b.cur.NewTrunc(x, retype(x, elem))
}

// ZExt widens integer lanes to elem with zeros.
func (b *Builder) ZExt(x value.Value, elem types.Type) value.Value {
	return b.cur.NewZExt(x, retype(x, elem))
}

// SExt widens integer lanes to elem with the sign.
func (b *Builder) SExt(x value.Value, elem types.Type) value.Value {
	return b.cur.NewSExt(x, retype(x, elem))
}

// IntToFloat converts signed integers to the nearest f32.
func (b *Builder) IntToFloat(x value.Value) value.Value { return b.cur.NewSIToFP(x, retype(x, F32)) }

// UintToFloat converts unsigned integers to the nearest f32.
func (b *Builder) UintToFloat(x value.Value) value.Value { return b.cur.NewUIToFP(x, retype(x, F32)) }

// FloatToInt converts f32 to i32, rounding to zero; what i32 cannot hold becomes its
// nearest end, NaN zero.
func (b *Builder) FloatToInt(x value.Value) value.Value {
	t := retype(x, I32)
	return b.intrinsic("llvm.fptosi.sat."+suffix(t)+"."+suffix(x.Type()), t, x)
}

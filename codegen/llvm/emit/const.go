package emit

import (
	"fmt"
	"math"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// Int returns the 64-bit integer constant n.
func Int(n int) *constant.Int { return constant.NewInt(types.I64, int64(n)) }

// Int32 returns the 32-bit integer constant n.
func Int32(n int32) *constant.Int { return constant.NewInt(types.I32, int64(n)) }

// Bool returns a constant of type i1.
func Bool(b bool) *constant.Int { return constant.NewBool(b) }

// Float returns the f32 constant nearest to f; infinities and NaN are allowed.
func Float(f float64) constant.Constant { return floatBits(float32(f)) }

// floatBits prints f exactly: LLVM writes an f32 as the bits of the equal f64.
func floatBits(f float32) constant.Constant {
	return &literal{types.Float, fmt.Sprintf("0x%016X", math.Float64bits(float64(f)))}
}

// Float64 returns the f64 constant f.
func Float64(f float64) constant.Constant {
	return &literal{types.Double, fmt.Sprintf("0x%016X", math.Float64bits(f))}
}

// SplatConst returns n lanes of a scalar constant.
func SplatConst(c constant.Constant, n int) constant.Constant {
	if n == 1 {
		return c
	}
	return &literal{Vec(c.Type(), n), "splat (" + c.String() + ")"}
}

// Zero returns the zero of a type.
func Zero(t types.Type) constant.Constant { return constant.NewZeroInitializer(t) }

// Poison returns the value that means none.
func Poison(t types.Type) constant.Constant { return constant.NewPoison(t) }

// ConstMask returns n lanes of i1, the first count of them set.
func ConstMask(n, count int) constant.Constant {
	if n == 1 {
		return Bool(count > 0)
	}
	text := "<"
	for i := range n {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("i1 %v", i < count)
	}
	return &literal{Vec(I1, n), text + ">"}
}

// Iota returns the lanes 0, 1, ..., n-1 of an integer type.
func Iota(elem *types.IntType, n int) constant.Constant {
	if n == 1 {
		return constant.NewInt(elem, 0)
	}
	text := "<"
	for i := range n {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%v %d", elem, i)
	}
	return &literal{Vec(elem, n), text + ">"}
}

// intOf returns the value of a scalar integer constant.
func intOf(v value.Value) (int64, bool) {
	if c, ok := v.(*constant.Int); ok && c.X.IsInt64() {
		return c.X.Int64(), true
	}
	return 0, false
}

// like returns the constant f in the type of x, f32 or f64.
func like(x value.Value, f float64) constant.Constant {
	if Elem(x.Type()) == F64 {
		return SplatConst(Float64(f), Lanes(x.Type()))
	}
	return SplatConst(Float(f), Lanes(x.Type()))
}

// likeInt returns the i32 constant n in as many lanes as x has.
func likeInt(x value.Value, n int32) constant.Constant {
	return SplatConst(Int32(n), Lanes(x.Type()))
}

// Package emit writes LLVM text: a thin layer over llir/llvm for what kernels are made
// of, that is opaque pointers, vectors of the machine's width, loops with carried values,
// masks, fused multiply-add and the elementary functions.
//
// A value of n lanes is a vector for n > 1 and a scalar for n = 1; every method takes
// both, so that a loop's tail is emitted by the code that emits its body. No fast-math
// flag is ever set: sums keep the order in which they were written.
package emit

import (
	"fmt"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// verbatim is a type that llir does not know, printed as it is.
type verbatim struct{ name, def string }

func (r *verbatim) String() string          { return r.name }
func (r *verbatim) LLString() string        { return r.def }
func (r *verbatim) Equal(u types.Type) bool { return r.String() == u.String() }
func (r *verbatim) Name() string            { return "" }
func (r *verbatim) SetName(string)          {}

// The types kernels use. Ptr prints as %ptr, which every module defines as ptr: llir
// prints types of pointers, LLVM has only one.
var (
	Ptr  = &types.PointerType{TypeName: "ptr", ElemType: types.I8}
	F32  = types.Float
	F64  = types.Double
	I1   = types.I1
	I8   = types.I8
	I16  = types.I16
	I32  = types.I32
	I64  = types.I64
	Void = types.Void
	// BF16 is for intrinsics only; in memory bf16 is I16 (see Builder.LoadBF16).
	BF16 types.Type = &verbatim{"bfloat", "bfloat"}
)

var ptrDef = &verbatim{"%ptr", "ptr"}

// Vec returns the type of n lanes of elem: elem itself for n = 1.
func Vec(elem types.Type, n int) types.Type {
	if n == 1 {
		return elem
	}
	return types.NewVector(uint64(n), elem)
}

// Lanes returns the number of lanes of a type.
func Lanes(t types.Type) int {
	if v, ok := t.(*types.VectorType); ok {
		return int(v.Len)
	}
	return 1
}

// Elem returns the type of one lane.
func Elem(t types.Type) types.Type {
	if v, ok := t.(*types.VectorType); ok {
		return v.ElemType
	}
	return t
}

// retype returns elem in as many lanes as v has.
func retype(v value.Value, elem types.Type) types.Type { return Vec(elem, Lanes(v.Type())) }

// literal is a constant given by its text, which llir prints unread.
type literal struct {
	typ  types.Type
	text string
}

func (c *literal) String() string   { return c.typ.String() + " " + c.text }
func (c *literal) Type() types.Type { return c.typ }
func (c *literal) Ident() string    { return c.text }
func (c *literal) IsConstant()      {}

var _ constant.Constant = (*literal)(nil)

// shuffleMask is the constant index vector of a shuffle.
func shuffleMask(idx []int) constant.Constant {
	text := "<"
	for i, x := range idx {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("i32 %d", x)
	}
	return &literal{types.NewVector(uint64(len(idx)), types.I32), text + ">"}
}

package llvm

import (
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// storedType is the type that memory holds of a dtype.
func storedType(d ir.DType) types.Type {
	switch d {
	case ir.BF16, ir.F16:
		return emit.I16
	case ir.I32, ir.U32:
		return emit.I32
	case ir.U8, ir.Bool:
		return emit.I8
	}
	return emit.F32
}

// fromStored turns lanes as memory holds them into those of registers.
func fromStored(b *emit.Builder, d ir.DType, x value.Value) value.Value {
	switch d {
	case ir.BF16:
		return b.WidenBF16(x)
	case ir.F16:
		return b.WidenF16(x)
	case ir.Bool:
		return b.ICmp(enum.IPredNE, x, emit.Zero(x.Type()))
	}
	return x
}

// toStored is the inverse of fromStored; floats round to nearest, ties to even.
func toStored(b *emit.Builder, d ir.DType, x value.Value) value.Value {
	switch d {
	case ir.BF16:
		return b.NarrowBF16(x)
	case ir.F16:
		return b.NarrowF16(x)
	case ir.Bool:
		return b.ZExt(x, emit.I8)
	}
	return x
}

// buffer is a dense tensor in memory that a kernel reads or writes.
type buffer struct {
	dtype ir.DType
	form  form
	base  value.Value
}

// loadLane loads element i.
func loadLane(b *emit.Builder, d ir.DType, p, i value.Value) value.Value {
	t := storedType(d)
	return fromStored(b, d, b.Load(t, b.At(t, p, i), d.Bytes()))
}

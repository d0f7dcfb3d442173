package llvm

import (
	"github.com/llir/llvm/ir/constant"
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

// load loads what the cursor points at.
func (k *nest) load(c cursor, m *buffer) value.Value {
	b, t := k.b, storedType(m.dtype)
	p := c.shared.address(m)
	if k.vec < 0 || m.form[k.vec] == 0 {
		return fromStored(b, m.dtype, b.Load(t, p, m.dtype.Bytes()))
	}
	if m.form[k.vec] == 1 || c.lanes == 1 {
		return fromStored(b, m.dtype, b.MaskedLoad(emit.Vec(t, c.lanes), k.laneAddress(c, m, p), c.mask(), m.dtype.Bytes()))
	}
	index := laneSteps(emit.I64, c.lanes, m.form[k.vec])
	return fromStored(b, m.dtype, b.Gather(t, k.laneAddress(c, m, p), index, c.mask()))
}

// laneAddress is where the first lane lies, p being the place but for the vector axis.
func (k *nest) laneAddress(c cursor, m *buffer, p value.Value) value.Value {
	coef := m.form[k.vec]
	p = k.b.At(storedType(m.dtype), p, k.b.Mul(c.at[k.vec], emit.Int(coef)))
	return k.b.Offset(p, c.off*coef*m.dtype.Bytes())
}

// store stores x, spread over the lanes if it has one, where the cursor points at.
func (k *nest) store(c cursor, m *buffer, x value.Value) {
	b := k.b
	p := c.shared.address(m)
	if k.vec < 0 || m.form[k.vec] == 0 {
		b.Store(toStored(b, m.dtype, x), p, m.dtype.Bytes())
		return
	}
	if emit.Lanes(x.Type()) == 1 {
		x = b.Splat(x, c.lanes)
	}
	x = toStored(b, m.dtype, x)
	p = k.laneAddress(c, m, p)
	if m.form[k.vec] == 1 || c.lanes == 1 {
		b.MaskedStore(x, p, c.mask(), m.dtype.Bytes())
		return
	}
	for i := range c.active {
		b.Store(b.Extract(x, i), b.Offset(p, i*m.form[k.vec]*m.dtype.Bytes()), m.dtype.Bytes())
	}
}

// index is the i64 number that a form gives for the first lane.
func (k *nest) index(c cursor, f form) value.Value {
	var n value.Value = emit.Int(0)
	for a, coef := range f {
		if coef == 0 {
			continue
		}
		i := c.at[a]
		if a == k.vec {
			i = k.b.Add(i, emit.Int(c.off))
		}
		n = k.b.Add(n, k.b.Mul(i, emit.Int(coef)))
	}
	return n
}

// position is the i32 number that a form gives for every lane.
func (k *nest) position(c cursor, f form) value.Value {
	first := k.b.Trunc(k.index(c, f), emit.I32)
	if k.vec < 0 || f[k.vec] == 0 {
		return first
	}
	return k.b.AddWrap(k.b.Splat(first, c.lanes), laneSteps(emit.I32, c.lanes, f[k.vec]))
}

// laneSteps is 0, step, 2 step, ... in n lanes, wrapped to the type.
func laneSteps(t *types.IntType, n, step int) constant.Constant {
	if n == 1 {
		return constant.NewInt(t, 0)
	}
	cs := make([]constant.Constant, n)
	for i := range cs {
		x := int64(i) * int64(step)
		if t == emit.I32 {
			x = int64(int32(x))
		}
		cs[i] = constant.NewInt(t, x)
	}
	return constant.NewVector(types.NewVector(uint64(n), t), cs...)
}

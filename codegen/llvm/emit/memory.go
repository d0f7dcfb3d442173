package emit

import (
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// At returns the address of element i of an array of elem at p.
func (b *Builder) At(elem types.Type, p, i value.Value) value.Value {
	if n, ok := intOf(i); ok && n == 0 {
		return p
	}
	g := &ir.InstGetElementPtr{ElemType: elem, Src: p, Indices: []value.Value{i}, Typ: Ptr, InBounds: true}
	b.cur.Insts = append(b.cur.Insts, g)
	return g
}

// Offset returns the address n bytes after p.
func (b *Builder) Offset(p value.Value, n int) value.Value { return b.At(I8, p, Int(n)) }

// Load loads a value of type t; align is in bytes and must hold.
func (b *Builder) Load(t types.Type, p value.Value, align int) value.Value {
	l := &ir.InstLoad{ElemType: t, Src: p, Align: ir.Align(align)}
	b.cur.Insts = append(b.cur.Insts, l)
	return l
}

// LoadArg loads pointer i of a kernel's array of operands.
func (b *Builder) LoadArg(args value.Value, i int) value.Value {
	return b.Load(Ptr, b.Offset(args, 8*i), 8)
}

// Store stores v; align is in bytes and must hold.
func (b *Builder) Store(v, p value.Value, align int) {
	b.cur.Insts = append(b.cur.Insts, &ir.InstStore{Src: v, Dst: p, Align: ir.Align(align)})
}

// MaskedLoad loads the lanes whose mask is set and touches no other memory; the others
// are zero. A nil mask loads all.
func (b *Builder) MaskedLoad(t types.Type, p, mask value.Value, align int) value.Value {
	switch {
	case mask == nil:
		return b.Load(t, p, align)
	case Lanes(t) == 1:
		return b.If(mask, func() []value.Value { return []value.Value{b.Load(t, p, align)} },
			func() []value.Value { return []value.Value{Zero(t)} })[0]
	}
	name := fmt.Sprintf("llvm.masked.load.%s.p0", suffix(t))
	return b.intrinsic(name, t, p, Int32(int32(align)), mask, Zero(t))
}

// MaskedStore stores the lanes whose mask is set and touches no other memory. A nil mask
// stores all.
func (b *Builder) MaskedStore(v, p, mask value.Value, align int) {
	switch {
	case mask == nil:
		b.Store(v, p, align)
		return
	case Lanes(v.Type()) == 1:
		b.If(mask, func() []value.Value { b.Store(v, p, align); return nil }, nil)
		return
	}
	name := fmt.Sprintf("llvm.masked.store.%s.p0", suffix(v.Type()))
	b.intrinsic(name, Void, v, p, Int32(int32(align)), mask)
}

// TailMask returns n lanes, lane i set if i < count (an i64 of 0 to n).
func (b *Builder) TailMask(n int, count value.Value) value.Value {
	c := b.Trunc(count, I32)
	return b.cur.NewICmp(enum.IPredULT, Iota(I32, n), b.Splat(c, n))
}

// Gather loads from n addresses: element index[i] (i32 or i64 lanes, signed) of an array
// of elem at p. Lanes whose mask is clear touch no memory and are zero; a nil mask loads
// all.
func (b *Builder) Gather(elem types.Type, p, index, mask value.Value) value.Value {
	n := Lanes(index.Type())
	if n == 1 {
		return b.MaskedLoad(elem, b.At(elem, p, index), mask, elemBytes(elem))
	}
	if mask == nil {
		mask = SplatConst(Bool(true), n)
	}
	g := &ir.InstGetElementPtr{ElemType: elem, Src: p, Indices: []value.Value{index}, Typ: Vec(Ptr, n)}
	b.cur.Insts = append(b.cur.Insts, g)
	t := Vec(elem, n)
	name := fmt.Sprintf("llvm.masked.gather.%s.v%dp0", suffix(t), n)
	return b.intrinsic(name, t, g, Int32(int32(elemBytes(elem))), mask, Zero(t))
}

func elemBytes(t types.Type) int {
	if i, ok := t.(*types.IntType); ok {
		return int(i.BitSize+7) / 8
	}
	return 4 // f32, the only float in memory
}

// Prefetch asks for the cache line at p. Locality 3 keeps it closest, 0 least.
func (b *Builder) Prefetch(p value.Value, write bool, locality int) {
	rw := Int32(0)
	if write {
		rw = Int32(1)
	}
	b.intrinsic("llvm.prefetch.p0", Void, p, rw, Int32(int32(locality)), Int32(1))
}

// Alloca reserves n elements of elem on the stack, for the whole of the function.
func (b *Builder) Alloca(elem types.Type, n, align int) value.Value {
	a := &ir.InstAlloca{ElemType: elem, NElems: Int(n), Align: ir.Align(align), Typ: Ptr}
	// First in the entry block, so that an alloca inside a loop is made once.
	b.entry.Insts = append([]ir.Instruction{a}, b.entry.Insts...)
	return a
}

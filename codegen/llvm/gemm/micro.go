package gemm

import (
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
)

// microParams are the arguments of a micro-kernel: where its tile begins in A, B and C,
// and, where K is split, how much of it to do and whether there were parts before and
// come parts after.
type microParams struct {
	a, b, c    value.Value
	kc         value.Value // i64
	more, last value.Value // i1; nil where K is whole
	row, col   value.Value // i64, nil without an epilogue
	args       []value.Value
}

func (p *microParams) list() []value.Value {
	out := []value.Value{p.a, p.b, p.c}
	for _, v := range []value.Value{p.kc, p.more, p.last, p.row, p.col} {
		if v != nil {
			out = append(out, v)
		}
	}
	return append(out, p.args...)
}

// micro emits one micro-kernel: an mr x cols tile, all in registers.
type micro struct {
	*gen
	b      *emit.Builder
	mr, nv int
	cols   int // that exist, of nv vectors
	vec    types.Type
	microParams
}

// microKernel returns the micro-kernel for a tile of mr rows and cols columns, emitted
// on first use.
func (g *gen) microKernel(mr, cols int) *ir.Func {
	name := fmt.Sprintf("%s.tile%dx%d", g.name, mr, cols)
	if f, ok := g.micros[name]; ok {
		return f
	}
	params := []*ir.Param{emit.Param("a", emit.Ptr), emit.Param("b", emit.Ptr), emit.Param("c", emit.Ptr)}
	u := &micro{gen: g, mr: mr, cols: cols, nv: ceilDiv(cols, g.vl), vec: emit.Vec(emit.F32, g.vl)}
	add := func(name string, t types.Type) *ir.Param {
		p := emit.Param(name, t)
		params = append(params, p)
		return p
	}
	u.a, u.microParams.b, u.c = params[0], params[1], params[2]
	u.kc = emit.Int(g.K)
	if g.plan.KB > 1 {
		u.kc, u.more, u.last = add("kc", emit.I64), add("more", emit.I1), add("last", emit.I1)
	}
	if g.Epilogue != nil {
		u.row, u.col = add("row", emit.I64), add("col", emit.I64)
		for i, t := range g.Args {
			u.args = append(u.args, add(fmt.Sprintf("x%d", i), t))
		}
	}
	u.b = g.m.Func(name, emit.Void, params...).NoInline()
	u.emit()
	g.micros[name] = u.b.Func()
	return u.b.Func()
}

func (u *micro) emit() {
	b := u.b
	acc := u.start()
	step := u.unroll()
	main := b.And(u.kc, emit.Int(-step))
	if u.plan.KB == 1 {
		main = emit.Int(u.K / step * step)
	}
	acc = b.Loop("k", emit.Int(0), main, emit.Int(step), acc, func(k value.Value, acc []value.Value) []value.Value {
		return u.steps(k, step, acc)
	})
	if u.K%step != 0 {
		acc = b.Loop("rest", main, u.kc, emit.Int(1), acc, func(k value.Value, acc []value.Value) []value.Value {
			return u.steps(k, 1, acc)
		})
	}
	switch {
	case u.Epilogue == nil:
		u.store(acc)
	case u.last == nil:
		u.finish(acc)
	default:
		b.If(u.last, func() []value.Value { u.finish(acc); return nil },
			func() []value.Value { u.store(acc); return nil })
	}
	b.Ret(nil)
}

// unroll returns how many steps of k a turn of the loop does: enough that counting costs
// little beside the multiply-adds.
func (u *micro) unroll() int {
	if u.mr*u.nv >= 12 {
		return 2
	}
	return 4
}

// start returns the sums before the first step: zero, or what C holds.
func (u *micro) start() []value.Value {
	zeros := make([]value.Value, u.mr*u.nv)
	for i := range zeros {
		zeros[i] = emit.Zero(u.vec)
	}
	load := func() []value.Value {
		acc := make([]value.Value, len(zeros))
		for i := range acc {
			acc[i] = u.b.MaskedLoad(u.vec, u.cAt(i/u.nv, i%u.nv), u.mask(i%u.nv), 4)
		}
		return acc
	}
	switch {
	case u.Accumulate:
		return load()
	case u.more != nil:
		return u.b.If(u.more, load, func() []value.Value { return zeros })
	}
	return zeros
}

// steps emits count steps of k: a vector of B for each column of the tile, and each
// element of A times all of them.
func (u *micro) steps(k value.Value, count int, acc []value.Value) []value.Value {
	b := u.b
	rowB, alignB := u.rowB(u.nv)
	pa := b.At(emit.F32, u.a, b.Mul(k, emit.Int(u.colA)))
	pb := b.At(emit.F32, u.microParams.b, b.Mul(k, emit.Int(rowB)))
	for s := range count {
		vb := make([]value.Value, u.nv)
		for j := range vb {
			p := b.Offset(pb, 4*(s*rowB+j*u.vl))
			if u.packed {
				vb[j] = b.Load(u.vec, p, alignB)
			} else {
				vb[j] = b.MaskedLoad(u.vec, p, u.mask(j), alignB)
			}
		}
		for i := range u.mr {
			x := b.Load(emit.F32, b.Offset(pa, 4*(i*u.rowA+s*u.colA)), 4)
			va := b.Splat(x, u.vl)
			for j := range vb {
				acc[i*u.nv+j] = b.FMA(va, vb[j], acc[i*u.nv+j])
			}
		}
	}
	return acc
}

// mask returns the mask of vector j of a row, nil if all its lanes exist.
func (u *micro) mask(j int) value.Value {
	if n := u.cols - j*u.vl; n < u.vl {
		return emit.ConstMask(u.vl, n)
	}
	return nil
}

// cAt returns the address of vector j of row i of the tile in C.
func (u *micro) cAt(i, j int) value.Value {
	return u.b.Offset(u.c, (i*u.C.RowStride+j*u.vl)*u.C.DType.bytes())
}

func (u *micro) store(acc []value.Value) {
	for i, v := range acc {
		u.put(v, u.cAt(i/u.nv, i%u.nv), i%u.nv)
	}
}

// put stores one vector of C.
func (u *micro) put(v, p value.Value, j int) {
	if u.C.DType == BF16 {
		v = u.b.NarrowBF16(v)
	}
	u.b.MaskedStore(v, p, u.mask(j), u.C.DType.bytes())
}

// finish runs the epilogue. The sums go through a tile on the stack, from which a loop
// takes them row by row: the epilogue is then compiled once for a row and not for every
// register, which costs a few cycles a tile and saves most of the code.
func (u *micro) finish(acc []value.Value) {
	b := u.b
	tile := b.Alloca(u.vec, len(acc), u.vl*4)
	for i, v := range acc {
		b.Store(v, b.Offset(tile, i*u.vl*4), u.vl*4)
	}
	b.For("row", emit.Int(0), emit.Int(u.mr), func(i value.Value) {
		from := b.At(u.vec, tile, b.Mul(i, emit.Int(u.nv)))
		to := b.At(u.C.DType.elem(), u.c, b.Mul(i, emit.Int(u.C.RowStride)))
		row := b.Add(u.row, i)
		for j := range u.nv {
			t := Tile{
				Acc: b.Load(u.vec, b.Offset(from, j*u.vl*4), u.vl*4),
				Row: row, Col: b.Add(u.col, emit.Int(j*u.vl)), Mask: u.mask(j), Args: u.args,
			}
			if v := u.Epilogue(b, t); v != nil {
				u.put(v, b.Offset(to, j*u.vl*u.C.DType.bytes()), j)
			}
		}
	})
}

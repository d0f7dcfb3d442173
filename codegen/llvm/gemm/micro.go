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
	case u.Accumulate:
		acc = u.addC(acc)
	case u.more != nil:
		acc = b.If(u.more, func() []value.Value { return u.addC(acc) }, func() []value.Value { return acc })
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

// unroll returns how many steps of k a turn of the loop does: more hide the cost of
// counting. But LLVM loads the parts of B of all of them before the first is done, so
// where those do not fit beside the sums, it is one.
func (u *micro) unroll() int {
	spare := 4 // for elements of A
	if !u.ISA.HasFMA() {
		spare = 7 // and products
	}
	for _, steps := range []int{4, 2} {
		if u.mr*u.nv+steps*u.nv+spare <= u.ISA.Registers() {
			return steps
		}
	}
	return 1
}

// start returns zeros, and asks for the lines of C, which are wanted when K is done.
func (u *micro) start() []value.Value {
	if u.plan.KC >= 64 {
		size := u.C.DType.bytes()
		for i := range u.mr {
			u.touch(u.b.Offset(u.c, i*u.C.RowStride*size), u.cols*size, true)
		}
	}
	acc := make([]value.Value, u.mr*u.nv)
	for i := range acc {
		acc[i] = emit.Zero(u.vec)
	}
	return acc
}

// addC adds what C holds to the sums.
func (u *micro) addC(acc []value.Value) []value.Value {
	out := make([]value.Value, len(acc))
	for i, v := range acc {
		old := u.b.MaskedLoad(u.vec, u.cAt(i/u.nv, i%u.nv), u.mask(i%u.nv), 4)
		out[i] = u.b.FAdd(old, v)
	}
	return out
}

// steps emits count steps of k: a vector of B for each column of the tile, and each
// element of A times all of them.
func (u *micro) steps(k value.Value, count int, acc []value.Value) []value.Value {
	b := u.b
	rowB, alignB := u.rowB(u.nv)
	pa := b.At(emit.F32, u.a, b.Mul(k, emit.Int(u.colA)))
	pb := b.At(emit.F32, u.microParams.b, b.Mul(k, emit.Int(rowB)))
	for s := range count {
		u.prefetch(pa, pb, s)
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

// How far ahead a micro-kernel asks for what it reads, in steps of k, and the least
// distance in bytes between lines of k at which it does: the machine's own prefetchers
// stop at the ends of pages.
const (
	prefetchSteps = 32
	prefetchApart = 128
)

// prefetch asks for the lines of later steps where A or B are read in place across
// their rows.
func (u *micro) prefetch(pa, pb value.Value, step int) {
	if !u.plan.PackA && u.crossed() && u.colA*4 >= prefetchApart {
		u.touch(u.b.Offset(pa, 4*(step+prefetchSteps)*u.colA), u.mr*4, false)
	}
	if rowB, _ := u.rowB(u.nv); !u.packed && rowB*4 >= prefetchApart {
		u.touch(u.b.Offset(pb, 4*(step+prefetchSteps)*rowB), u.cols*4, false)
	}
}

// touch asks for the lines that n bytes at p lie in, wherever p is in its line.
func (u *micro) touch(p value.Value, n int, write bool) {
	const line = 64
	for at := 0; at < n-1; at += line {
		u.b.Prefetch(u.b.Offset(p, at), write, 3)
	}
	u.b.Prefetch(u.b.Offset(p, n-1), write, 3)
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

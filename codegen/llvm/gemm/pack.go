package gemm

import (
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
)

// loadWide loads n lanes of a matrix's element type and widens them to f32.
func loadWide(b *emit.Builder, d DType, n int, p, mask value.Value) value.Value {
	v := b.MaskedLoad(emit.Vec(d.elem(), n), p, mask, d.bytes())
	if d == BF16 {
		v = b.WidenBF16(v)
	}
	return v
}

// gatherWide loads n lanes that lie stride elements apart.
func gatherWide(b *emit.Builder, d DType, n, stride int, p, mask value.Value) value.Value {
	index := b.Mul(emit.Iota(emit.I64, n), emit.SplatConst(emit.Int(stride), n))
	v := b.Gather(d.elem(), p, index, mask)
	if d == BF16 {
		v = b.WidenBF16(v)
	}
	return v
}

// packPanel returns a function that copies kc rows of a panel of B with cols columns to
// rows of whole vectors of f32, the lanes beyond cols zero:
//
//	void (ptr src, ptr dst, i64 kc)
func (g *gen) packPanel(cols int) *ir.Func {
	name := fmt.Sprintf("%s.packB%d", g.name, cols)
	if f, ok := g.micros[name]; ok {
		return f
	}
	src, dst, kc := emit.Param("src", emit.Ptr), emit.NoAlias("dst"), emit.Param("kc", emit.I64)
	b := g.m.Func(name, emit.Void, src, dst, kc).NoInline()
	p := &panelPacker{gen: g, b: b, cols: cols, nv: ceilDiv(cols, g.vl), vec: emit.Vec(emit.F32, g.vl)}
	switch {
	case g.B.ColStride == 1 || cols == 1:
		p.straight(src, dst, kc)
	case g.B.RowStride == 1:
		p.transposed(src, dst, kc)
	default:
		p.gathered(src, dst, kc)
	}
	b.Ret(nil)
	g.micros[name] = b.Func()
	return b.Func()
}

type panelPacker struct {
	*gen
	b        *emit.Builder
	cols, nv int
	vec      types.Type
}

// mask returns the mask of vector j of a row, nil if all its lanes exist.
func (p *panelPacker) mask(j int) value.Value {
	if n := p.cols - j*p.vl; n < p.vl {
		return emit.ConstMask(p.vl, n)
	}
	return nil
}

// straight copies rows whose columns are contiguous.
func (p *panelPacker) straight(src, dst, kc value.Value) { p.rows(src, dst, kc, p.loadRow) }

func (p *panelPacker) loadRow(row value.Value, j int) value.Value {
	at := p.b.Offset(row, j*p.vl*p.B.DType.bytes())
	return loadWide(p.b, p.B.DType, p.vl, at, p.mask(j))
}

// gathered copies rows of any strides.
func (p *panelPacker) gathered(src, dst, kc value.Value) { p.rows(src, dst, kc, p.gatherRow) }

func (p *panelPacker) gatherRow(row value.Value, j int) value.Value {
	at := p.b.Offset(row, j*p.vl*p.B.ColStride*p.B.DType.bytes())
	return gatherWide(p.b, p.B.DType, p.vl, p.B.ColStride, at, p.mask(j))
}

func (p *panelPacker) rows(src, dst, kc value.Value, load func(row value.Value, j int) value.Value) {
	b := p.b
	b.For("k", emit.Int(0), kc, func(k value.Value) {
		from := b.At(p.B.DType.elem(), src, b.Mul(k, emit.Int(p.B.RowStride)))
		to := b.At(p.vec, dst, b.Mul(k, emit.Int(p.nv)))
		for j := range p.nv {
			b.Store(load(from, j), b.Offset(to, j*p.vl*4), p.vl*4)
		}
	})
}

// transposed copies from memory where k is contiguous, a square of vl x vl at a time.
// The last square writes rows beyond kc, for which panels have room.
func (p *panelPacker) transposed(src, dst, kc value.Value) {
	b := p.b
	d := p.B.DType
	square := func(k, mask value.Value) {
		from := b.At(d.elem(), src, k)
		to := b.At(p.vec, dst, b.Mul(k, emit.Int(p.nv)))
		for j := range p.nv {
			lines := make([]value.Value, p.vl)
			for i := range lines {
				lines[i] = emit.Zero(p.vec)
				if col := j*p.vl + i; col < p.cols {
					lines[i] = loadWide(b, d, p.vl, b.Offset(from, col*p.B.ColStride*d.bytes()), mask)
				}
			}
			for i, v := range b.Transpose(lines) {
				b.Store(v, b.Offset(to, (i*p.nv+j)*p.vl*4), p.vl*4)
			}
		}
	}
	whole := b.And(kc, emit.Int(-p.vl))
	b.Loop("k", emit.Int(0), whole, emit.Int(p.vl), nil, func(k value.Value, _ []value.Value) []value.Value {
		square(k, nil)
		return nil
	})
	if p.K%p.vl != 0 { // all parts of K but the last are whole
		b.Loop("rest", whole, kc, emit.Int(p.vl), nil, func(k value.Value, _ []value.Value) []value.Value {
			square(k, b.TailMask(p.vl, b.Sub(kc, k)))
			return nil
		})
	}
}

// packBlockA returns a function that copies a block of A, in its own order, to f32 with
// the strides of Plan.packedA:
//
//	void (ptr src, ptr dst, i64 rows, i64 kc)
func (g *gen) packBlockA() *ir.Func {
	name := g.name + ".packA"
	if f, ok := g.micros[name]; ok {
		return f
	}
	src, dst := emit.Param("src", emit.Ptr), emit.NoAlias("dst")
	rows, kc := emit.Param("rows", emit.I64), emit.Param("kc", emit.I64)
	b := g.m.Func(name, emit.Void, src, dst, rows, kc).NoInline()
	shape := g.plan.packedA(&g.Spec)
	outer, inner, count, length := g.A.RowStride, g.A.ColStride, value.Value(rows), value.Value(kc)
	to := shape.row
	if shape.row == 1 {
		outer, inner, count, length, to = g.A.ColStride, g.A.RowStride, kc, rows, shape.col
	}
	d := g.A.DType
	b.For("line", emit.Int(0), count, func(i value.Value) {
		from := b.At(d.elem(), src, b.Mul(i, emit.Int(outer)))
		line := b.At(emit.F32, dst, b.Mul(i, emit.Int(to)))
		b.Loop("j", emit.Int(0), length, emit.Int(g.vl), nil, func(j value.Value, _ []value.Value) []value.Value {
			mask := b.TailMask(g.vl, b.SMin(b.Sub(length, j), emit.Int(g.vl)))
			at := b.At(d.elem(), from, b.Mul(j, emit.Int(inner)))
			var v value.Value
			if inner == 1 {
				v = loadWide(b, d, g.vl, at, mask)
			} else {
				v = gatherWide(b, d, g.vl, inner, at, mask)
			}
			b.Store(v, b.At(emit.F32, line, j), 4)
			return nil
		})
	})
	b.Ret(nil)
	g.micros[name] = b.Func()
	return b.Func()
}

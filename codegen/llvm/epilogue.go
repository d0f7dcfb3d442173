package llvm

import (
	"slices"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/codegen/llvm/gemm"
	"vitc/ir"
)

// epilogue is the rest of a body after its dot.
type epilogue struct {
	*product
	reads []int // operands of the fusion that are read
}

// epilogue is nil where the body is its dot alone.
func (g *product) epilogue() *epilogue {
	if len(g.body.Ops) == 1 && len(g.body.Yield) == 1 {
		return nil
	}
	e := &epilogue{product: g}
	for i, p := range g.body.Params {
		used := slices.ContainsFunc(g.body.Ops, func(op *ir.Op) bool { return op != g.dot && slices.Contains(op.In, p) })
		if used {
			e.reads = append(e.reads, i)
		}
	}
	return e
}

// readsC reports whether the epilogue reads all of some operand, in whose memory the result
// may lie.
func (e *epilogue) readsC() bool {
	return slices.ContainsFunc(e.reads, func(i int) bool {
		return e.body.Params[i].Type.SameShape(e.op.Out[0].Type)
	})
}

// types are those of the values that the epilogue is given: the places of results but the
// first and of what it reads, moved to the turn, and the indices of the loops.
func (e *epilogue) types() []types.Type {
	var ts []types.Type
	for range len(e.body.Yield) - 1 + len(e.reads) {
		ts = append(ts, emit.Ptr)
	}
	for range e.loops {
		ts = append(ts, emit.I64)
	}
	return ts
}

func (e *epilogue) values(buffers, index []value.Value, advance func(ir.DType, form, value.Value) value.Value) []value.Value {
	var vs []value.Value
	for i, y := range e.body.Yield[1:] {
		vs = append(vs, advance(e.op.Out[i+1].Type.DType, e.forms[y], buffers[i+1]))
	}
	for i, r := range e.reads {
		p := e.body.Params[r]
		at := buffers[len(e.body.Yield)+i]
		if f, ok := e.forms[p]; ok {
			at = advance(p.Type.DType, f, at)
		}
		vs = append(vs, at)
	}
	for _, a := range e.loops {
		vs = append(vs, index[a])
	}
	return vs
}

// tile emits the body for one vector of the product.
func (e *epilogue) tile(b *emit.Builder, t gemm.Tile) value.Value {
	k := &nest{space: e.space, b: b, vec: e.n, params: map[*ir.Value]*buffer{}, apart: map[*ir.Value]value.Value{},
		given: map[*ir.Value]func(cursor) value.Value{e.dot.Out[0]: func(cursor) value.Value {
			return rounded(b, e.dot.Out[0].Type.DType, t.Acc)
		}}}
	args := t.Args
	k.yields = append(k.yields, nil)
	for i, y := range e.body.Yield[1:] {
		k.yields = append(k.yields, &buffer{e.op.Out[i+1].Type.DType, e.forms[y], args[i]})
	}
	args = args[len(e.body.Yield)-1:]
	for i, r := range e.reads {
		p := e.body.Params[r]
		if f, ok := e.forms[p]; ok {
			k.params[p] = &buffer{p.Type.DType, f, args[i]}
		} else {
			k.apart[p] = args[i]
		}
	}
	c := k.start()
	for i, a := range e.loops {
		c.at[a] = args[len(e.reads)+i]
	}
	lanes := emit.Lanes(t.Acc.Type())
	k.yields = k.yields[1:]
	if e.m >= 0 {
		c = k.enter(c, e.m, t.Row)
	}
	c = k.enterLanes(c, t.Col, piece{0, lanes, lanes})
	c.tail = t.Mask
	var xs []value.Value
	for _, y := range e.body.Yield {
		xs = append(xs, k.lanes(c, y))
	}
	for i, m := range k.yields {
		k.store(c, m, xs[i+1])
	}
	return xs[0]
}

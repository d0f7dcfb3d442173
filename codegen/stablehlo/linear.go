package stablehlo

import (
	"slices"

	"vitc/ir"
)

func reduce(e *emitter, op *ir.Op) []value {
	x, have := e.operand(op, 0)
	term := op.Rule.Out[0]
	var dims, kept []int
	for i, f := range have {
		if term.Has(f) {
			kept = append(kept, f)
		} else {
			dims = append(dims, i)
		}
	}
	x = e.reduce(op.Attrs.(*ir.ReduceAttrs).Kind, x, dims)
	return []value{e.result(x, kept, term, op.Rule)}
}

func broadcast(e *emitter, op *ir.Op) []value {
	if v := op.In[0]; v.Lit != nil {
		return []value{e.constant(typeOf(op.Out[0].Type), *v.Lit)}
	}
	x, have := e.operand(op, 0)
	return []value{e.result(x, have, op.Rule.Out[0], op.Rule)}
}

// rearrange splits the operand's dims into factors, permutes these, and merges them.
func rearrange(e *emitter, op *ir.Op) []value {
	r := op.Rule
	from, to := joinedTerm(r.In[0]), joinedTerm(r.Out[0])
	perm := make([]int, len(to))
	for i, f := range to {
		perm[i] = slices.Index(from, f)
	}
	shape := make([]int, len(from))
	for i, f := range from {
		shape[i] = r.Factors[f].Size
	}
	x := e.of(op.In[0])
	if !slices.IsSorted(perm) {
		x = e.transpose(e.reshape(x, shape), perm)
	}
	return []value{e.reshape(x, op.Out[0].Type.Shape())}
}

// joinedTerm lists the factors of a term, in memory order.
func joinedTerm(t ir.Term) []int {
	var fs []int
	for _, d := range t {
		fs = append(fs, d...)
	}
	return fs
}

// dot writes a product. The order of its operands is chosen so that the result needs no
// transposition, if there is such an order.
func dot(e *emitter, op *ir.Op) []value {
	x, xs := e.operand(op, 0)
	y, ys := e.operand(op, 1)
	z := op.Rule.Out[0]
	p := newProduct(x, y, xs, ys, z)
	if q := newProduct(y, x, ys, xs, z); !slices.Equal(p.order, plainTerm(z)) && slices.Equal(q.order, plainTerm(z)) {
		p = q
	}
	return []value{e.result(e.product(p), p.order, z, op.Rule)}
}

// product is a dot_general: the dims of both operands by their place, and the factors of its
// result in the order that StableHLO gives them.
type product struct {
	x, y               value
	xBatch, yBatch     []int
	xContract, yInside []int
	order, shape       []int
}

func newProduct(x, y value, xs, ys []int, z ir.Term) product {
	p := product{x: x, y: y}
	var rows, cols []int
	for _, f := range joinedTerm(z) {
		if i, k := slices.Index(xs, f), slices.Index(ys, f); i >= 0 && k >= 0 && !slices.Contains(p.xBatch, i) {
			p.xBatch, p.yBatch = append(p.xBatch, i), append(p.yBatch, k)
			p.order, p.shape = append(p.order, f), append(p.shape, x.shape[i])
		}
	}
	for i, f := range xs {
		switch k := slices.Index(ys, f); {
		case k < 0:
			rows = append(rows, i)
		case !z.Has(f):
			p.xContract, p.yInside = append(p.xContract, i), append(p.yInside, k)
		}
	}
	for k, f := range ys {
		if !slices.Contains(xs, f) {
			cols = append(cols, k)
		}
	}
	p.order = append(append(p.order, picked(xs, rows)...), picked(ys, cols)...)
	p.shape = append(append(p.shape, picked(x.shape, rows)...), picked(y.shape, cols)...)
	return p
}

// product writes a dot_general. Products of f32 ask for all its bits: an accelerator's matrix
// unit rounds operands to bf16 otherwise. Narrower ones are exact in it, and sum in f32.
func (e *emitter) product(p product) value {
	precision, batch := "DEFAULT", ""
	if p.x.elem == f32 {
		precision = "HIGHEST"
	}
	if len(p.xBatch) > 0 {
		batch = "batching_dims = [" + list(p.xBatch) + "] x [" + list(p.yBatch) + "], "
	}
	t := tensor{p.shape, p.x.elem}
	return e.op(t, "stablehlo.dot_general %s, %s, %scontracting_dims = [%s] x [%s], precision = [%s, %s] : (%s, %s) -> %s",
		p.x.id, p.y.id, batch, list(p.xContract), list(p.yInside), precision, precision, p.x.tensor, p.y.tensor, t)
}

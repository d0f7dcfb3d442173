package passes

import (
	"slices"

	"vitc/ir"
)

// ringer writes a ring into a region.
type ringer struct {
	*ring
	*hider
	body   *ir.Region
	blocks map[int]*ir.Value       // by how many places on their owners are
	sums   map[*ir.Op]*ir.Value    // what each product has come to
	now    map[*ir.Value]*ir.Value // results to what stands for them
	all    *ir.Value               // of the gather's result, what is in place
}

// rewrite puts the ring where its first product stands, and late products block by block where they
// stand.
func (w *ringer) rewrite(r *ir.Region) {
	w.blocks, w.sums, w.now = map[int]*ir.Value{}, map[*ir.Op]*ir.Value{}, map[*ir.Value]*ir.Value{}
	first := slices.IndexFunc(r.Ops, func(op *ir.Op) bool { return w.early[0].op == op })
	late := map[*ir.Op]*rung{}
	for _, g := range w.late {
		late[g.op] = g
	}
	gone := map[*ir.Op]bool{w.gather: true}
	for _, g := range w.early {
		gone[g.op] = true
	}
	for i, op := range r.Ops {
		switch g := late[op]; {
		case i == first:
			w.around()
		case g != nil:
			w.multiplyAll(g)
		case !gone[op]:
			w.body.Ops = append(w.body.Ops, op)
		}
	}
	r.Ops = w.body.Ops
	r.Replace(w.now)
	r.Ops = dependenceOrder(r.Ops)
}

// around writes hop after hop: what goes on to the next devices, then the products of what is here.
func (w *ringer) around() {
	w.blocks[0] = w.gather.In[0]
	hops := w.hops()
	for k, blocks := range hops {
		if k+1 < len(hops) {
			for _, step := range hops[k+1] {
				w.pass(step)
			}
		}
		for i, step := range blocks {
			last := k == len(hops)-1 && i == len(blocks)-1
			for _, g := range w.early {
				w.multiply(g, step, last)
			}
			if w.whole {
				w.all = w.place(w.gather, w.all, w.blocks[step], w.gather.Attrs.(*ir.GatherAttrs).Dim, step, last)
			}
		}
	}
	if w.whole {
		w.becomes(w.gather.Out[0], w.all)
	}
}

// becomes lets a value stand for another, under its name.
func (w *ringer) becomes(old, v *ir.Value) {
	v.Name = old.Name
	w.now[old] = v
}

// pass brings the block whose owner is step places on, from the neighbour that has it.
func (w *ringer) pass(step int) {
	way := 1
	if step > 0 {
		way = -1
	}
	from := w.blocks[step+way]
	w.blocks[step] = w.emit(w.gather, "permute", &ir.PermuteAttrs{Over: w.over, Step: way}, ir.Rule{}, w.block(from.Type, -1), from)
}

// multiplyAll writes a product of all blocks.
func (w *ringer) multiplyAll(g *rung) {
	hops := slices.Concat(w.hops()...)
	for k, step := range hops {
		w.multiply(g, step, k == len(hops)-1)
	}
}

// multiply writes the product of a block, and joins it to those before.
func (w *ringer) multiply(g *rung, step int, last bool) {
	in := []*ir.Value{nil, nil}
	in[g.operand], in[1-g.operand] = w.blocks[step], w.own(g, step)
	v := w.emit(g.op, "dot", g.op.Attrs, g.op.Rule, w.block(g.op.Out[0].Type, g.out), in...)
	w.rungs[v.Def] = true
	sum := w.sums[g.op]
	switch {
	case g.out >= 0:
		v = w.place(g.op, sum, v, g.out, step, last)
	case sum != nil:
		t := sum.Type
		if last {
			t = g.op.Out[0].Type
		}
		v = w.emit(g.op, "add", nil, ir.Rule{}, t, sum, v)
	}
	w.sums[g.op] = v
	if last {
		w.becomes(g.op.Out[0], v)
	}
}

// own is what a block is multiplied by: of the other operand, the part that goes with it.
func (w *ringer) own(g *rung, step int) *ir.Value {
	v := g.op.In[1-g.operand]
	if g.cut < 0 {
		return v
	}
	return w.emit(g.op, "block", &ir.BlockAttrs{Dim: g.cut, Over: w.over, Step: step}, ir.Rule{}, w.block(v.Type, g.cut), v)
}

// place puts a block of an op's result into what is there of it, which begins as zeros.
func (w *ringer) place(op *ir.Op, there, v *ir.Value, dim, step int, last bool) *ir.Value {
	t := w.block(op.Out[0].Type, -1)
	if there == nil {
		zero := ir.Literal(t.DType, 0)
		there = w.emit(op, "broadcast", nil, ir.PointwiseRule([]ir.Type{zero.Type}, t), t, zero)
	}
	if last {
		t = op.Out[0].Type
	}
	return w.emit(op, "put", &ir.BlockAttrs{Dim: dim, Over: w.over, Step: step}, ir.Rule{}, t, there, v)
}

// emit appends an op of one result of a given type, in the place of another op.
func (w *ringer) emit(at *ir.Op, row string, attrs any, r ir.Rule, t ir.Type, in ...*ir.Value) *ir.Value {
	return appendTyped(w.body, at.Pos, row, attrs, r, t, in)
}

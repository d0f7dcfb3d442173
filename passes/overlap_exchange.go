package passes

import (
	"slices"

	"vitc/ir"
)

// exchange is a value, in parts along an axis, of which each device is to have a block of the sum:
// what a reduce_scatter does in one go.
type exchange struct {
	scatter *ir.Op // the reduce_scatter, along axis and perhaps further ones
	axis    string
	gain    float64 // seconds that it saves where all sends are hidden
	wire    float64 // seconds that the sends keep the axis's links busy

	// products are made block by block: the value is one of them, or pointwise ops make it of them
	// and nothing else reads it.
	products []blockwise

	cover *ir.Op      // the product that hides it, nil for none
	alone bool        // its own blocks hide it, one the sends of another
	sends []*ir.Op    // the permutes, once they are written
	sent  []*ir.Value // what they send
	own   *ir.Value   // the block that is not sent
}

// blockwise is a product of which blocks of a dim are wanted.
type blockwise struct {
	op      *ir.Op
	operand int // the one that has the dim
	dim     int // of the operand
}

// mostOwners limits an exchange: with more blocks each is too small to be worth a send.
const mostOwners = 16

// exchanges finds a region's.
func (h *hider) exchanges(r *ir.Region) []*exchange {
	uses := r.Uses()
	var list []*exchange
	for _, op := range r.Ops {
		if op.Row.Name != "reduce_scatter" {
			continue
		}
		x := &exchange{scatter: op, axis: op.Attrs.(*ir.GatherAttrs).Over[0]}
		if n := h.mesh.Size(x.axis); n < 2 || n > mostOwners || onlyAdded(r, op.Out[0], uses) {
			continue
		}
		if x.find(op.In[0], uses); len(x.products) > 0 {
			h.price(x)
			list = append(list, x)
		}
	}
	return list
}

// onlyAdded reports whether all that becomes of a value is that it is added to a carry of the loop.
// XLA takes such a sum over devices out of the loop, and fails where it is what an exchange has left.
func onlyAdded(r *ir.Region, v *ir.Value, uses map[*ir.Value]int) bool {
	for uses[v] == 1 {
		i := slices.IndexFunc(r.Ops, func(op *ir.Op) bool { return slices.Contains(op.In, v) })
		if i < 0 {
			return false
		}
		switch op := r.Ops[i]; op.Row.Name {
		case "add":
			carried := func(y *ir.Value) bool { return slices.Contains(r.Params, y) && uses[y] == 1 }
			return slices.Contains(r.Yield, op.Out[0]) && slices.ContainsFunc(op.In, carried)
		case "cast", "all_reduce", "reduce_scatter":
			v = op.Out[0]
		default:
			return false
		}
	}
	return false
}

// find lists the products that a value is made of.
func (x *exchange) find(v *ir.Value, uses map[*ir.Value]int) {
	if v.Def == nil || uses[v] > 1 {
		return
	}
	if isProduct(v.Def) {
		if p := byBlocks(v.Def, x.dim()); p.op != nil {
			x.products = append(x.products, p)
		}
		return
	}
	if pointwise(v.Def) {
		for _, in := range v.Def.In {
			x.find(in, uses)
		}
	}
}

// dim is the one that is scattered.
func (x *exchange) dim() int { return x.scatter.Attrs.(*ir.GatherAttrs).Dim }

// byBlocks finds the dim of a product's result in its operands; the op is nil where not exactly
// one of them has it.
func byBlocks(dot *ir.Op, dim int) blockwise {
	factor := dot.Rule.Out[0][dim]
	var p blockwise
	found := 0
	for i, t := range dot.Rule.In {
		for d := range t {
			if len(factor) == 1 && slices.Equal(t[d], factor) {
				p = blockwise{dot, i, d}
				found++
			}
		}
	}
	if found != 1 {
		return blockwise{}
	}
	return p
}

// price says what an exchange saves and what it sends. Sends in both directions are under way at
// once; what arrives is added in the product's epilogue.
func (h *hider) price(x *exchange) {
	if h.model == nil {
		return
	}
	n, over := h.mesh.Size(x.axis), []string{x.axis}
	whole := float64(x.scatter.In[0].Type.Bytes())
	x.wire = h.model.Sends(whole, x.axis)
	x.gain = h.model.Move("reduce_scatter", whole, over)
	for _, p := range x.products {
		x.gain -= float64(n)*h.blockTime(p, x.dim(), n) - h.model.Op(p.op).Core
	}
}

// blockTime is the seconds of one of n blocks of a product.
func (h *hider) blockTime(p blockwise, dim, n int) float64 {
	cut := func(v *ir.Value, dim int) *ir.Value {
		t := v.Type
		t.Dims = slices.Clone(t.Dims)
		t.Dims[dim].Size /= n
		return &ir.Value{Type: t}
	}
	part := ir.Op{Row: p.op.Row, In: slices.Clone(p.op.In), Rule: p.op.Rule}
	part.In[p.operand] = cut(part.In[p.operand], p.dim)
	part.Out = []*ir.Value{cut(p.op.Out[0], dim)}
	bindRule(&part)
	return h.model.Op(&part).Core
}

// exchanger rewrites a region.
type exchanger struct {
	mesh ir.Mesh
	body *ir.Region
	now  map[*ir.Value]*ir.Value // results of scatters to what stands for them
	at   *ir.Op                  // the op whose code is being made
	held map[*ir.Value]bool      // values that are stored whole, whatever exchanges do

	posts map[*ir.Value]*ir.Op // the fences behind covers, by what they store

	loop  *ir.Op               // that the region is the body of, nil for none
	front []*ir.Op             // what is to stand in front of it
	each  map[[2]int]*ir.Value // its new parameters, by the old one's place and the dim that was joined
}

func (w *exchanger) region(r *ir.Region, list []*exchange) {
	w.held = stored(r, list)
	for _, op := range r.Ops {
		i := slices.IndexFunc(list, func(x *exchange) bool { return x.scatter == op })
		if i < 0 {
			w.body.Ops = append(w.body.Ops, op)
			continue
		}
		w.at = op
		w.now[op.Out[0]] = w.exchange(list[i])
	}
	r.Ops = w.body.Ops
	r.Replace(w.now)
	dropUnused(r)
	for _, x := range list {
		switch {
		case x.cover != nil:
			w.pin(r, x)
		case x.alone:
			w.chain(r, x)
		}
	}
	r.Ops = dependenceOrder(r.Ops)
}

// exchange writes the parts in the order of how far they travel, the own one last.
func (w *exchanger) exchange(x *exchange) *ir.Value {
	n := w.mesh.Size(x.axis)
	var arrived []*ir.Value
	for _, step := range farthestFirst(n) {
		part := w.part(x, step)
		got := w.emit("permute", &ir.PermuteAttrs{Over: []string{x.axis}, Step: step}, ir.Rule{}, part.Type, part)
		x.sends, x.sent = append(x.sends, got.Def), append(x.sent, part)
		arrived = append(arrived, got)
	}
	sum := w.part(x, 0)
	x.own = sum
	dtype := sum.Type.DType
	sum = w.cast(sum, ir.F32)
	for _, v := range arrived {
		v = w.cast(v, ir.F32)
		sum = w.emit("add", nil, ir.Rule{}, sum.Type, sum, v)
	}
	return w.settled(x, sum, dtype)
}

// farthestFirst lists the places on of a ring's other devices.
func farthestFirst(n int) []int {
	var steps []int
	for far := n / 2; far > 0; far-- {
		steps = append(steps, far)
		if n-far != far {
			steps = append(steps, n-far)
		}
	}
	return steps
}

// part is the block that the device step places on owns.
func (w *exchanger) part(x *exchange, step int) *ir.Value {
	c := &cutter{exchanger: w, x: x, step: step, dim: x.dim(), done: map[*ir.Value]*ir.Value{}}
	return c.block(x.scatter.In[0])
}

// shorter is the type of a block along an axis, of which each device may have another.
func (w *exchanger) shorter(t ir.Type, dim int, axis string) ir.Type {
	return blockType(t, dim, w.mesh.Size(axis), axis)
}

// stored finds the values that something else reads than pointwise ops, which are computed with
// their users, and what becomes exchanges.
func stored(r *ir.Region, list []*exchange) map[*ir.Value]bool {
	becomes := map[*ir.Op]bool{}
	for _, x := range list {
		becomes[x.scatter] = true
		for _, p := range x.products {
			becomes[p.op] = true
		}
	}
	held := map[*ir.Value]bool{}
	for _, v := range slices.Concat(r.Yield, r.Stack) {
		held[v] = true
	}
	for _, op := range r.Ops {
		if pointwise(op) || becomes[op] {
			continue
		}
		for _, v := range op.In {
			held[v] = true
		}
	}
	return held
}

// settled rounds the sum as the product was, gives it its meaning, and scatters it along what axes
// are left.
func (w *exchanger) settled(x *exchange, sum *ir.Value, dtype ir.DType) *ir.Value {
	in, a := x.scatter.In[0].Type, x.scatter.Attrs.(*ir.GatherAttrs)
	t := in.WithDim(a.Dim, append(slices.Clone(in.Shard.Of(a.Dim)), x.axis)...)
	t = t.WithSum(without(in.Shard.Sums(), []string{x.axis})...)
	t.Dims = slices.Clone(t.Dims)
	t.Dims[a.Dim].Size /= w.mesh.Size(x.axis)
	if dtype == ir.F32 {
		sum.Type = t
	} else {
		sum = w.emit("cast", nil, ir.Rule{}, t, sum)
	}
	if rest := a.Over[1:]; len(rest) > 0 {
		return w.emit("reduce_scatter", &ir.GatherAttrs{Dim: a.Dim, Over: rest}, ir.Rule{}, x.scatter.Out[0].Type, sum)
	}
	return sum
}

func (w *exchanger) cast(v *ir.Value, to ir.DType) *ir.Value {
	if v.Type.DType == to {
		return v
	}
	return w.emit("cast", nil, ir.Rule{}, v.Type.As(to), v)
}

// emit appends an op of one result of a given type.
func (w *exchanger) emit(row string, attrs any, r ir.Rule, t ir.Type, in ...*ir.Value) *ir.Value {
	return appendTyped(w.body, w.at.Pos, row, attrs, r, t, in)
}

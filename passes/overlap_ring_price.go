package passes

import (
	"slices"

	"vitc/ir"
)

// What a ring saves is what the core waits for the gather. What it costs: smaller products, which
// reach less of the peak; the sums of their results, or their way into place; and the hops that
// take longer than the products beside them. Libtpu's estimates for ViT-22B's input projections on
// a v4, four devices and the sum over the gathered dim: one gather 6.7 ms, of which 6.3 are waited
// for; the ring's hops are hidden, and its sums, in the epilogues of the products, take as long as
// to read what is added to, 4.3 ms.

// pays chooses the way a ring goes round, and reports whether to make it in a region.
func (h *hider) pays(r *ir.Region, x *ring) bool {
	if h.eager { // both kinds in turn
		x.both = x.n > 2 && h.made%2 == 0
		h.made++
		return true
	}
	one := h.ringTime(x)
	x.both = true
	both := h.ringTime(x)
	x.both = both < one
	saved := h.waited(r, x.gather)
	for _, g := range x.early {
		saved += h.model.Op(g.op).Core
	}
	return min(one, both)+h.afterwards(x) < saved
}

// waited is the seconds that a region would be shorter if a collective took no time, in the order of
// its ops or in a better one. A loop's turn stands for itself here: XLA begins in a turn what the turn
// reads, though it depend on no turn before.
func (h *hider) waited(r *ir.Region, op *ir.Op) float64 {
	most := h.model.Op(op).Link - behindGather*h.meanwhile(r, op)
	if most <= 0 {
		return 0
	}
	free := *op
	free.Row = ir.Lookup("fence")
	without := &ir.Region{Params: r.Params, Ops: slices.Clone(r.Ops), Yield: r.Yield, Stack: r.Stack}
	without.Ops[slices.Index(r.Ops, op)] = &free
	return min(most, h.model.Schedule(r).Step-h.model.Schedule(without).Step)
}

// behindGather is how much of other products a gather can count on: libtpu's scheduler has hidden those
// of a v4 that took an eightieth of the products beside them, and half of one that took a fifth.
const behindGather = 1. / 16

// meanwhile is the seconds of a region's products that neither wait for an op nor are waited for by
// it: whoever puts ops in order can do those first. All else is done with what reads it.
func (h *hider) meanwhile(r *ir.Region, op *ir.Op) float64 {
	order := succession{}
	needed := order.before(op.In)
	waits := map[*ir.Value]bool{}
	work := 0.0
	for _, x := range r.Ops {
		behind := x == op || slices.ContainsFunc(x.In, func(v *ir.Value) bool { return waits[v] })
		for _, v := range x.Out {
			waits[v] = behind
		}
		if isProduct(x) && !behind && !needed[x] {
			work += h.model.Op(x).Core
		}
	}
	return work
}

// ringTime is the seconds until a ring's early products are made: those of each hop begin when its
// blocks are there, and the next hop needs nothing of them.
func (h *hider) ringTime(x *ring) float64 {
	work := 0.0
	for _, g := range x.early {
		work += h.model.Op(x.part(g)).Core
	}
	steps := []int{1}
	if x.both {
		steps = append(steps, -1)
	}
	wire := h.model.Permute(float64(x.gather.In[0].Type.Bytes()), x.over, steps...)
	now := 0.0
	for k, blocks := range x.hops() {
		now = max(now, float64(k)*wire) + float64(len(blocks))*work
	}
	for _, g := range x.early {
		now += h.joining(x, g)
	}
	return now
}

// afterwards is the seconds that it takes longer to make the late products of blocks, and to put
// blocks together for who reads them all.
func (h *hider) afterwards(x *ring) float64 {
	sum := 0.0
	for _, g := range x.late {
		sum += float64(x.n)*h.model.Op(x.part(g)).Core - h.model.Op(g.op).Core + h.joining(x, g)
	}
	if x.whole {
		sum += h.placing(x.gather.Out[0].Type)
	}
	return sum
}

// joining is the seconds to join the results of blocks. A sum is taken in the epilogue of a product,
// which waits for what it adds to.
func (h *hider) joining(x *ring, g *rung) float64 {
	t := g.op.Out[0].Type
	if g.out >= 0 {
		return h.placing(t)
	}
	return float64(x.n-1) * h.model.Pass(float64(t.Bytes()))
}

// placing is the seconds to put a value together of blocks: it is filled, and they are read and written.
func (h *hider) placing(t ir.Type) float64 { return h.model.Pass(3 * float64(t.Bytes())) }

// part is a product of one block, to be asked about.
func (x *ring) part(g *rung) *ir.Op {
	value := func(v *ir.Value, dim int) *ir.Value { return &ir.Value{Type: x.block(v.Type, dim)} }
	in := []*ir.Value{nil, nil}
	in[g.operand] = &ir.Value{Type: x.gather.In[0].Type}
	in[1-g.operand] = value(g.op.In[1-g.operand], g.cut)
	part := &ir.Op{Row: g.op.Row, In: in, Out: []*ir.Value{value(g.op.Out[0], g.out)}, Rule: g.op.Rule}
	bindRule(part)
	return part
}

package passes

import (
	"slices"

	"vitc/ir"
)

// ring is an all_gather whose blocks go from device to device, and products that multiply the block
// that is there while the next one is on its way. The product's sum over the gathered dim is taken
// block by block; where the dim is one of the result, blocks of the result are put in their places.
//
// A ring goes round one way, or both: then one half of the blocks comes from either side, in half
// as many hops. S. Wang et al., "Overlap Communication with Dependent Computation via Decomposition
// in Large Deep Learning Models" (ASPLOS 2023), have both kinds. There is none of more than mostRung
// devices: an all_gather stays what it is there.
type ring struct {
	gather *ir.Op
	over   []string
	n      int // devices

	early []*rung // products that go beside the hops
	late  []*rung // those that wait for what the early ones make
	whole bool    // something else reads all of the gather's result

	both bool // the blocks come from both sides
}

// rung is a product of a ring, which has the gathered dim in one place of its rule.
type rung struct {
	op      *ir.Op
	operand int // that is gathered
	cut     int // the dim of the other operand of which each block has its own part, -1 for none
	out     int // the dim of the result, -1 where the sum goes over it
}

// mostRung limits a ring: each of its products stands in the program once for every device.
const mostRung = 8

// rings decomposes the gathers of a region, after those of the regions inside it.
func (h *hider) rings(r *ir.Region) {
	for _, op := range r.Ops {
		if op.Row.Name == "scan" {
			h.rings(op.Body)
		}
	}
	for _, op := range slices.Clone(r.Ops) {
		if x := h.ringOf(r, op); x != nil && h.pays(r, x) {
			w := &ringer{ring: x, hider: h, body: &ir.Region{}}
			w.rewrite(r)
		}
	}
}

// ringOf finds what can go round in a ring in place of an op, nil if nothing can.
func (h *hider) ringOf(r *ir.Region, op *ir.Op) *ring {
	if op.Row.Name != "all_gather" {
		return nil
	}
	a := op.Attrs.(*ir.GatherAttrs)
	x := &ring{gather: op, over: a.Over, n: h.mesh.Size(a.Over...)}
	padded := op.In[0].Type.Dims[a.Dim].Global != 0 || op.Out[0].Type.Dims[a.Dim].Global != 0
	if x.n < 2 || x.n > mostRung || padded {
		return nil
	}
	u := usersIn(r)
	x.whole = u.kept[op.Out[0]]
	order := succession{}
	for _, user := range u.of[op.Out[0]] {
		g := rungOf(user, op.Out[0], a.Dim)
		switch {
		case g == nil || h.rungs[user] || !x.mayStand(g):
			x.whole = true
		case order.before([]*ir.Value{user.In[1-g.operand]})[op]:
			x.late = append(x.late, g)
		default:
			x.early = append(x.early, g)
		}
	}
	if len(x.early) == 0 {
		return nil
	}
	return x
}

// mayStand reports whether a product may be one of the ring: each device adds up the blocks beginning
// with its own, so that where several are to have the same sum it would differ in its last bits.
func (x *ring) mayStand(g *rung) bool {
	return g.out >= 0 || len(without(x.over, g.op.Out[0].Type.Shard.Axes())) == 0
}

// rungOf says where a product has a dim of one operand, nil where it is not one loop of the product
// or both operands are the same value.
func rungOf(op *ir.Op, v *ir.Value, dim int) *rung {
	if !isProduct(op) || op.In[0] == op.In[1] {
		return nil
	}
	g := &rung{op: op, operand: slices.Index(op.In, v)}
	d := op.Rule.In[g.operand][dim]
	if len(d) != 1 {
		return nil
	}
	g.cut, g.out = placeIn(op.Rule.In[1-g.operand], d[0]), placeIn(op.Rule.Out[0], d[0])
	alone := func(t ir.Term, at int) bool { return at >= 0 || !t.Has(d[0]) }
	if !alone(op.Rule.In[1-g.operand], g.cut) || !alone(op.Rule.Out[0], g.out) {
		return nil
	}
	return g
}

// hop is what arrives at a time: blocks, by how many places on their owners are.
type hop []int

// hops lists what a ring brings, the device's own block first.
func (x *ring) hops() []hop {
	list := []hop{{0}}
	if !x.both {
		for k := 1; k < x.n; k++ {
			list = append(list, hop{-k})
		}
		return list
	}
	for k := 1; 2*k <= x.n; k++ {
		if h := (hop{-k, k}); 2*k < x.n {
			list = append(list, h)
		} else {
			list = append(list, h[:1]) // the one opposite comes one way
		}
	}
	return list
}

// block is the type of a block of a value along a ring's axes; dim is -1 for a value that is not cut.
func (x *ring) block(t ir.Type, dim int) ir.Type { return blockType(t, dim, x.n, x.over...) }

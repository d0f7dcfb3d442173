package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
)

// overlap hides communication behind the products that it feeds or that feed it, where the plan
// asks for it and the cost model says that it pays.
//
// A product whose sum over devices is scattered becomes a direct exchange
// (overlap_exchange.go): each device computes first the blocks that others own and sends each
// off, then its own, to which it adds those that have arrived. The links then work beside
// products, where a reduce_scatter would hold every device up.
//
// A product that waits for an all_gather becomes a ring (overlap_ring.go): each device multiplies
// the block that it has while its neighbour's is on the way. Rings come after exchanges, and see
// what those have left.
func overlap(m *ir.Module, c *Context) {
	if c.Plan == nil || c.Plan.Overlap != ir.OverlapRing || len(m.Mesh) == 0 {
		return
	}
	h := &hider{mesh: m.Mesh, eager: c.Eager, rungs: map[*ir.Op]bool{}}
	if h.model, _ = cost.On(c.Plan); h.model == nil && !h.eager {
		return // what is wrong with the plan's mesh is not for this pass to say
	}
	for _, f := range m.Funcs {
		h.region(f.Body, nil)
		h.rings(f.Body)
	}
}

// hider rewrites regions.
type hider struct {
	mesh  ir.Mesh
	model *cost.Model
	eager bool            // wherever it can be done
	made  int             // rings
	rungs map[*ir.Op]bool // products that rings have made: they are small enough
}

// region rewrites a region, those inside it first, and gives what is to stand in front of the loop
// whose body it is.
func (h *hider) region(r *ir.Region, loop *ir.Op) []*ir.Op {
	var ops []*ir.Op
	for _, op := range r.Ops {
		if op.Row.Name == "scan" {
			ops = append(ops, h.region(op.Body, op)...)
		}
		ops = append(ops, op)
	}
	r.Ops = ops
	list := h.covering(r, h.exchanges(r))
	if len(list) == 0 {
		return nil
	}
	w := &exchanger{mesh: h.mesh, body: &ir.Region{}, now: map[*ir.Value]*ir.Value{}, posts: map[*ir.Value]*ir.Op{}, loop: loop, each: map[[2]int]*ir.Value{}}
	w.region(r, list)
	return w.front
}

// blockType is the type of one of n blocks of a value along axes, of which each device may have
// another at any time; dim is -1 for a value that is not cut.
func blockType(t ir.Type, dim, n int, over ...string) ir.Type {
	t = t.Without(over...)
	t = t.WithVary(append(slices.Clone(t.Shard.Varies()), over...)...)
	if dim >= 0 {
		t.Dims = slices.Clone(t.Dims)
		t.Dims[dim].Size /= n
		t.Dims[dim].Global = 0
	}
	return t
}

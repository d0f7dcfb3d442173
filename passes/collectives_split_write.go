package passes

import (
	"slices"

	"vitc/ir"
)

// blocker writes what a split stands for.
type blocker struct {
	*split
	mesh ir.Mesh
	e    *rower
	now  map[*ir.Value]*ir.Value // values to the device's blocks of them
}

// write does a region's sum and the work that is done with it on blocks, where the sum stood or behind
// what the work reads, and gathers what is wanted whole.
func (s *split) write(mesh ir.Mesh, r *ir.Region) {
	w := &blocker{split: s, mesh: mesh, e: &rower{body: &ir.Region{}, pos: s.sum.Pos}, now: map[*ir.Value]*ir.Value{}}
	w.scatter()
	for _, op := range s.work {
		w.do(op)
	}
	same := map[*ir.Value]*ir.Value{}
	for _, op := range s.blocks {
		same[op.Out[0]] = w.now[op.In[0]]
	}
	for _, v := range s.whole {
		w.e.pos = v.Pos
		same[v] = w.e.emit("all_gather", &ir.GatherAttrs{Dim: s.dim, Over: s.over}, ir.Rule{}, v.Type, w.now[v])
		same[v].Name = v.Name
	}
	gone := append(append(slices.Clone(s.work), s.blocks...), s.sum)
	at := slices.Index(r.Ops, s.sum)
	r.Ops = slices.DeleteFunc(slices.Insert(r.Ops, at, w.e.body.Ops...), func(op *ir.Op) bool { return slices.Contains(gone, op) })
	r.Replace(same)
	r.Ops = dependenceOrder(r.Ops)
}

// scatter sums up the device's block: along the axes that it is cut along, then along the others.
func (w *blocker) scatter() {
	v := w.sum.In[0]
	rest := without(ir.Over(w.sum.Attrs), w.over)
	t := w.block(w.sum.Out[0].Type)
	b := w.e.emit("reduce_scatter", &ir.GatherAttrs{Dim: w.dim, Over: w.over}, ir.Rule{}, t.WithSum(append(slices.Clone(t.Shard.Sums()), rest...)...), v)
	if len(rest) > 0 {
		b = w.e.emit("all_reduce", &ir.ReduceOverAttrs{Over: rest, Kind: "sum"}, ir.Rule{}, t, b)
	}
	b.Name = w.sum.Out[0].Name
	w.now[w.sum.Out[0]] = b
}

// block is the type of the device's block.
func (w *blocker) block(t ir.Type) ir.Type {
	t = t.WithDim(w.dim, append(slices.Clone(t.Shard.Of(w.dim)), w.over...)...)
	t.Dims = slices.Clone(t.Dims)
	t.Dims[w.dim].Size /= w.mesh.Size(w.over...)
	return t
}

// do is a pointwise op on blocks.
func (w *blocker) do(op *ir.Op) {
	w.e.pos = op.Pos
	in := make([]*ir.Value, len(op.In))
	for i, v := range op.In {
		in[i] = w.of(v)
	}
	b := w.e.emit(op.Row.Name, op.Attrs, ir.Rule{}, w.block(op.Out[0].Type), in...)
	b.Name = op.Out[0].Name
	w.now[op.Out[0]] = b
}

// of is the device's block of a value: of what is the same along the dim, as much of that.
func (w *blocker) of(v *ir.Value) *ir.Value {
	if v.Lit != nil || v.Type.Rank() == 0 {
		return v
	}
	if b := w.now[v]; b != nil {
		return b
	}
	if spread := v.Def; named(spread, "broadcast") && !spread.Rule.In[0].Has(spread.Rule.Out[0][w.dim][0]) {
		w.now[v] = w.e.emit("broadcast", nil, spread.Rule, w.block(v.Type), spread.In[0])
	} else {
		w.now[v] = w.e.emit("block", &ir.BlockAttrs{Dim: w.dim, Over: w.over}, ir.Rule{}, w.block(v.Type), v)
	}
	return w.now[v]
}

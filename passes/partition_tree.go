package passes

import (
	"slices"

	"vitc/ir"
)

// isTree reports whether an op is a sum by pairs.
func isTree(op *ir.Op) bool {
	a, ok := op.Attrs.(*ir.ReduceAttrs)
	return ok && a.Kind == "tree"
}

// tree adds what a device has of a dim by pairs of neighbours. The devices' sums, which are parts
// now, are joined by pairs too.
func (s *splitter) tree(op *ir.Op) {
	x, r := s.value(op.In[0]), op.Rule
	dim := slices.IndexFunc(r.In[0], func(d ir.DimFactors) bool { return !r.Out[0].Has(d[0]) })
	t := x.Type
	t.Dims = slices.Clone(t.Dims)
	t.Dims[dim] = ir.Dim{Label: t.Dims[dim].Label, Size: 1}
	axes := x.Type.Shard.Of(dim)
	t = t.WithDim(dim).WithVary(append(slices.Clone(axes), t.Shard.Varies()...)...)
	var terms []*ir.Value
	for i := range x.Type.Dims[dim].Size {
		terms = append(terms, s.emit("slice", &ir.SliceAttrs{Dim: dim, From: i, To: i + 1}, t, x))
	}
	for len(terms) > 1 {
		var next []*ir.Value
		for i := 0; i+1 < len(terms); i += 2 {
			next = append(next, s.emit("add", nil, t, terms[i], terms[i+1]))
		}
		if len(terms)%2 == 1 {
			next = append(next, terms[len(terms)-1])
		}
		terms = next
	}
	drop := r.Swap([]ir.Term{slices.Concat(r.In[0][:dim], ir.Term{{}}, r.In[0][dim+1:])}, r.Out[0])
	s.now[op.Out[0]] = s.carry("rearrange", nil, drop, s.local(op.Out[0].Type), terms[0])
}

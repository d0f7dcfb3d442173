package passes

import (
	"slices"

	"vitc/ir"
)

// attrsOf is the attributes of a move's row.
func attrsOf(m move) any {
	switch m.row {
	case "block":
		return &ir.BlockAttrs{Dim: m.dim, Over: m.over}
	case "all_to_all":
		return &ir.ExchangeAttrs{Dim: m.dim, To: m.to, Over: m.over}
	case "all_reduce":
		return &ir.ReduceOverAttrs{Over: m.over, Kind: "sum"}
	}
	return &ir.GatherAttrs{Dim: m.dim, Over: m.over}
}

// reshard makes a reshard the moves of its route.
func (s *splitter) reshard(op *ir.Op) {
	from, to := op.In[0].Type, op.Out[0].Type
	x, t := s.value(op.In[0]), from
	for _, m := range s.routes.routeOf(from, from.Shard, to.Shard, s.work(x)).moves {
		x, t = s.move(x, t, m)
	}
	if x.Name == "" && x.Def != nil {
		x.Name = op.Out[0].Name
	}
	s.now[op.Out[0]] = x
}

// work is the seconds of the product that makes a value, 0 where there is none or no product is to
// hide what is sent.
func (s *splitter) work(x *ir.Value) float64 {
	if !s.routes.hides {
		return 0
	}
	if dot := mainProduct(x); dot != nil {
		return s.routes.model.Op(dot).Core
	}
	return 0
}

// move makes one move of x, whose global type is t, and gives the result and its global type.
func (s *splitter) move(x *ir.Value, t ir.Type, m move) (*ir.Value, ir.Type) {
	have := t.Shard.Of(m.dim)
	switch m.row {
	case "all_reduce":
		t = t.WithSum(without(t.Shard.Sums(), m.over)...)
		return s.emit(m.row, attrsOf(m), s.local(t), x), t
	case "block", "reduce_scatter":
		t = t.WithDim(m.dim, slices.Concat(have, m.over)...)
		t = t.WithSum(without(t.Shard.Sums(), m.over)...)
		x = s.fill(x, m.dim, t)
		return s.emit(m.row, attrsOf(m), s.local(t), x), t
	case "all_gather":
		t = t.WithDim(m.dim, have[:len(have)-len(m.over)]...)
		return s.trim(s.emit(m.row, attrsOf(m), s.gathered(t, x, m.dim, m.over), x), t, m.dim), t
	}
	cut := t.WithDim(m.dim, have[:len(have)-len(m.over)]...)
	cut = cut.WithDim(m.to, slices.Concat(t.Shard.Of(m.to), m.over)...)
	x = s.fill(x, m.to, cut)
	return s.trim(s.emit(m.row, attrsOf(m), s.gathered(cut, x, m.dim, m.over), x), cut, m.dim), cut
}

// gathered is the local type of t, whose dim is made of the blocks of x, padding included.
func (s *splitter) gathered(t ir.Type, x *ir.Value, dim int, over []string) ir.Type {
	t = s.local(t)
	d := x.Type.Dims[dim]
	t.Dims[dim] = ir.Dim{Label: d.Label, Size: d.Size * s.mesh.Size(over...), Global: d.Global}
	return t
}

// trim cuts the padding off a dim that has become whole.
func (s *splitter) trim(x *ir.Value, t ir.Type, dim int) *ir.Value {
	want := s.local(t)
	if x.Type.Dims[dim].Size == want.Dims[dim].Size {
		return x
	}
	return s.emit("slice", &ir.SliceAttrs{Dim: dim, From: 0, To: want.Dims[dim].Size}, want, x)
}

// fill pads a dim that is to be cut, so that all blocks have one size.
func (s *splitter) fill(x *ir.Value, dim int, to ir.Type) *ir.Value {
	want := padded(to.Dims[dim].Size, s.mesh.Size(to.Shard.Of(dim)...))
	held := x.Type.Dims[dim].Size * s.mesh.Size(x.Type.Shard.Of(dim)...)
	if held == want {
		return x
	}
	t := x.Type
	t.Dims = slices.Clone(t.Dims)
	t.Dims[dim] = ir.Dim{Label: t.Dims[dim].Label, Size: want, Global: to.Dims[dim].Size}
	return s.emit("pad", &ir.PadAttrs{Dim: dim, Hi: want - held}, t, x)
}

package passes

import (
	"fmt"
	"math"
	"slices"

	"vitc/ir"
)

// index is a device's place along axes, the first of them outermost: i32[].
func (s *splitter) index(axes []string) *ir.Value {
	key := fmt.Sprint(axes)
	if s.indices[key] == nil {
		t := ir.T(ir.I32).WithVary(axes...)
		s.indices[key] = s.emit("axis_index", &ir.AxisAttrs{Over: axes}, t)
	}
	return s.indices[key]
}

// begin is where a device's block of a dim begins: i32[], or the literal 0 of a dim that is whole.
// n is what it holds of the dim.
func (s *splitter) begin(axes []string, n int) *ir.Value {
	if len(axes) == 0 {
		return ir.Literal(ir.I32, 0)
	}
	key := fmt.Sprint(axes, n)
	if s.indices[key] == nil {
		at := s.index(axes)
		s.indices[key] = s.emit("mul", nil, at.Type, at, ir.Literal(ir.I32, float64(n)))
	}
	return s.indices[key]
}

// as converts a scalar of positions.
func (s *splitter) as(x *ir.Value, d ir.DType) *ir.Value {
	switch {
	case x.Type.DType == d:
		return x
	case x.Lit != nil:
		return ir.Literal(d, *x.Lit)
	}
	return s.emit("cast", nil, x.Type.As(d), x)
}

// iota counts from the beginning of the device's block.
func (s *splitter) iota(op *ir.Op) {
	x := op.Out[0]
	dim, t := op.Attrs.(*ir.IotaAttrs).Dim, s.local(x.Type)
	axes := t.Shard.Of(dim)
	if len(axes) == 0 {
		s.plain(op, nil)
		return
	}
	at := s.emit("iota", op.Attrs, unpadded(t.WithDim(dim), dim))
	s.now[x] = s.emit("add", nil, t, at, s.as(s.begin(axes, t.Dims[dim].Size), t.DType))
}

// unpadded takes what is local for the whole.
func unpadded(t ir.Type, dim int) ir.Type {
	t.Dims = slices.Clone(t.Dims)
	t.Dims[dim].Global = 0
	return t
}

// draw tells rng_bits where the device's block begins along each dim.
func (s *splitter) draw(op *ir.Op) {
	x, in := op.Out[0], s.values(op.In)
	t := s.local(x.Type)
	if len(slices.Concat(dimsOf(t, t.Shard)...)) == 0 {
		s.plain(op, in)
		return
	}
	from := in[2:]
	in = in[:2:2]
	for d := range t.Dims {
		at := s.as(s.begin(t.Shard.Of(d), t.Dims[d].Size), ir.U32)
		if len(from) > 0 && at.Lit == nil {
			at = s.emit("add", nil, at.Type, at, from[d])
		} else if len(from) > 0 {
			at = from[d]
		}
		in = append(in, at)
	}
	s.plain(op, in)
}

// gather looks up in the device's block of the table: it answers zeros for what other devices
// have, so that the answers of all add up.
func (s *splitter) gather(op *ir.Op) {
	table, in := op.In[0].Type, s.values(op.In)
	in[1] = s.moved(op, table, op.Rule.In[0], in[1])
	s.plain(op, in)
}

// scatter adds up what falls into the device's block. Examples that are padding add nothing.
func (s *splitter) scatter(op *ir.Op) {
	in := s.masked(op)
	in[0] = s.moved(op, op.Out[0].Type, op.Rule.Out[0], in[0])
	s.plain(op, in)
}

// moved counts ids from the beginning of the device's block of the dim looked up. Those that fall
// into its padding are out of range everywhere.
func (s *splitter) moved(op *ir.Op, looked ir.Type, term ir.Term, ids *ir.Value) *ir.Value {
	f, err := ir.Looked(op)
	if err != nil {
		panic(&ir.Bug{Msg: err.Error(), Pos: op.Pos})
	}
	dim := slices.IndexFunc(term, func(d ir.DimFactors) bool { return d[0] == f })
	axes := looked.Shard.Of(dim)
	if len(axes) == 0 {
		return ids
	}
	d := s.local(looked).Dims[dim]
	lit := func(x float64) *ir.Value { return ir.Literal(ids.Type.DType, x) }
	if d.Global != 0 {
		in := s.emit("compare", &ir.CompareAttrs{Dir: "lt"}, ids.Type.As(ir.Bool), ids, lit(float64(d.Global)))
		ids = s.emit("select", nil, ids.Type, in, ids, lit(float64(padded(looked.Dims[dim].Size, s.mesh.Size(axes...)))))
	}
	vary := ids.Type.WithVary(append(slices.Clone(axes), ids.Type.Shard.Varies()...)...)
	return s.emit("sub", nil, vary, ids, s.as(s.begin(axes, d.Size), ids.Type.DType))
}

// masked gives an op's operands, with the identity of what they are joined by in the padding of
// dims that are contracted: every operand that has such a dim, for 0·NaN is NaN.
func (s *splitter) masked(op *ir.Op) []*ir.Value {
	in := s.values(op.In)
	v := viewOf(op)
	for i, t := range v.in {
		for d, fs := range t {
			if len(fs) == 1 && v.contracted(fs[0]) && in[i].Type.Dims[d].Global != 0 {
				in[i] = s.mask(in[i], d, v.join)
			}
		}
	}
	return in
}

// mask puts a join's identity into the padding of a dim.
func (s *splitter) mask(x *ir.Value, dim int, join string) *ir.Value {
	return s.emit("select", nil, x.Type, s.counts(x.Type, dim), x, identityOf(join, x.Type.DType))
}

// counts says which positions of a dim are no padding, in a shape.
func (s *splitter) counts(t ir.Type, dim int) *ir.Value {
	key := fmt.Sprint(dim, t.As(ir.Bool))
	if s.masks[key] != nil {
		return s.masks[key]
	}
	d, axes := t.Dims[dim], t.Shard.Of(dim)
	line := ir.T(ir.I32, ir.Dim{Label: d.Label, Size: d.Size})
	at := s.emit("iota", &ir.IotaAttrs{}, line)
	line.Dims = []ir.Dim{d}
	line = line.WithDim(0, axes...)
	at = s.emit("add", nil, line, at, s.begin(axes, d.Size))
	in := s.emit("compare", &ir.CompareAttrs{Dir: "lt"}, line.As(ir.Bool), at, ir.Literal(ir.I32, float64(d.Global)))
	r := ir.PointwiseRule(nil, t)
	r.In = []ir.Term{{r.Out[0][dim]}}
	s.masks[key] = s.carry("broadcast", nil, r, t.As(ir.Bool).WithSum(), in)
	return s.masks[key]
}

// identityOf changes nothing that it is joined with: zero, or the least or largest number.
func identityOf(join string, d ir.DType) *ir.Value {
	sign := 1.0
	switch {
	case join == "sum":
		return ir.Literal(d, 0)
	case join == "max":
		sign = -1
	}
	if d.Float() {
		return ir.Literal(d, math.Inf(int(sign)))
	}
	if bits := 8 * d.Bytes(); d == ir.I32 {
		return ir.Literal(d, sign*(math.Exp2(float64(bits-1))-max(sign, 0)))
	} else if sign > 0 {
		return ir.Literal(d, math.Exp2(float64(bits))-1)
	}
	return ir.Literal(d, 0)
}

// roll along a cut dim: a device's block is made of the end of one block before it and the
// beginning of the next one, which two exchanges bring.
func (s *splitter) roll(op *ir.Op) {
	a, t := op.Attrs.(*ir.RollAttrs), s.local(op.Out[0].Type)
	axes := t.Shard.Of(a.Dim)
	if len(axes) == 0 {
		s.plain(op, s.values(op.In))
		return
	}
	n, parts := t.Dims[a.Dim].Size, s.mesh.Size(axes...)
	by := ((a.By % (n * parts)) + n*parts) % (n * parts)
	hops, rest := by/n, by%n
	x := s.value(op.In[0])
	piece := func(from, to, hops int) *ir.Value {
		p := x
		if to-from < n {
			p = s.emit("slice", &ir.SliceAttrs{Dim: a.Dim, From: from, To: to}, s.loose(t, a.Dim, to-from, axes), x)
		}
		if hops%parts == 0 {
			return p
		}
		pt := s.loose(t, a.Dim, to-from, axes)
		if to-from == n {
			pt = t
		}
		return s.emit("permute", &ir.PermuteAttrs{Over: axes, Step: hops % parts}, pt, p)
	}
	if rest == 0 {
		s.now[op.Out[0]] = piece(0, n, hops)
		return
	}
	tail, head := piece(n-rest, n, hops+1), piece(0, n-rest, hops)
	s.now[op.Out[0]] = s.emit("concat", &ir.ConcatAttrs{Dim: a.Dim}, t, tail, head)
}

// loose is the type of a piece of a block, which has no global meaning.
func (s *splitter) loose(t ir.Type, dim, n int, axes []string) ir.Type {
	t.Dims = slices.Clone(t.Dims)
	t.Dims[dim] = ir.Dim{Label: t.Dims[dim].Label, Size: n}
	t = t.WithDim(dim)
	return t.WithVary(append(slices.Clone(axes), without(t.Shard.Varies(), axes)...)...)
}

package passes

import (
	"slices"

	"vitc/ir"
)

// copyOp appends an op that works on a slice of the examples.
func (s *slicing) copyOp(b *ir.Builder, op *ir.Op) {
	b.Pos = op.Pos
	c := *op
	c.In = make([]*ir.Value, len(op.In))
	for i, v := range op.In {
		c.In[i] = s.known(v)
	}
	want := make([]ir.Type, len(op.Out))
	for i, v := range op.Out {
		want[i] = s.sliceType(v)
	}
	w, along := s.conductOf(op)
	var out []*ir.Value
	switch {
	case op.Body != nil:
		out = s.loop(b, &c)
	case w == untouched:
		out = b.Emit(&c, want)
	case op.Row.Name == "rng_bits":
		out = []*ir.Value{s.draw(b, &c, op.Out[0])}
	case op.Row.Name == "iota" && op.Attrs.(*ir.IotaAttrs).Dim == s.of[op.Out[0]].dim:
		place := b.Mul(b.Emit(&c, want)[0], ir.Literal(want[0].DType, float64(s.n)))
		out = []*ir.Value{b.Add(place, b.Cast(s.turn, want[0].DType))}
	default:
		c.Rule.Factors = slices.Clone(op.Rule.Factors)
		if op.Row.Carries {
			c.Rule.Factors[along.dim].Size /= s.n
		}
		out = b.Emit(&c, want)
	}
	for i, v := range op.Out {
		out[i].Name = v.Name
		s.mine[v] = out[i]
	}
}

// loop copies a loop whose turns work on a slice.
func (s *slicing) loop(b *ir.Builder, c *ir.Op) []*ir.Value {
	body := &ir.Builder{Region: &ir.Region{}}
	for _, p := range c.Body.Params {
		s.mine[p] = body.Param(p.Name, s.sliceType(p))
		s.mine[p].Pos = p.Pos
	}
	for _, op := range c.Body.Ops {
		s.copyOp(body, op)
	}
	for _, v := range c.Body.Yield {
		body.Region.Yield = append(body.Region.Yield, s.known(v))
	}
	for _, v := range c.Body.Stack {
		body.Region.Stack = append(body.Region.Stack, s.known(v))
	}
	captured := body.Region.Close() // the slice's number, where there are draws
	a := *c.Attrs.(*ir.ScanAttrs)
	return b.Scan(a, append(c.In, captured...), body.Region)
}

// draw copies rng_bits: of the examples (b m), slice i draws those at b·m + i. The dim of examples
// is drawn as what comes before them, they themselves m apart, the i-th alone, what comes after.
func (s *slicing) draw(b *ir.Builder, c *ir.Op, of *ir.Value) *ir.Value {
	at, t, strides := s.of[of], s.sliceType(of), c.Attrs.(*ir.RngAttrs).Strides
	step := strides[at.dim]
	var dims []ir.Dim
	var moved []int
	var from []*ir.Value
	zero := ir.Literal(ir.U32, 0)
	rule := ir.Rule{In: []ir.Term{{}}, Out: []ir.Term{{}}}
	add := func(label string, size, stride int, first *ir.Value) {
		if size == 1 && first == zero {
			return
		}
		f := len(rule.Factors)
		rule.Factors = append(rule.Factors, ir.Factor{Name: rule.Free(), Size: size})
		rule.In[0] = append(rule.In[0], ir.DimFactors{f})
		last := len(rule.Out[0]) - 1
		rule.Out[0][last] = append(rule.Out[0][last], f)
		dims, moved, from = append(dims, ir.Dim{Label: label, Size: size}), append(moved, stride), append(from, first)
	}
	for i, d := range t.Dims {
		rule.Out[0] = append(rule.Out[0], ir.DimFactors{})
		if i != at.dim {
			add(d.Label, d.Size, strides[i], zero)
			continue
		}
		add(d.Label, at.major, step*at.minor*s.batch, zero)
		add(d.Label, s.batch/s.n, step*at.minor*s.n, zero)
		add(SliceLabel, 1, step*at.minor, b.Cast(s.turn, ir.U32))
		add(d.Label, at.minor, step, zero)
	}
	c.Attrs, c.In = &ir.RngAttrs{Strides: moved}, append(slices.Clone(c.In[:2]), from...)
	bits := b.Emit(c, []ir.Type{ir.T(ir.U32, dims...)})[0]
	return b.Rearrange(bits, rule, t.Dims)
}

// sliceType is the type that a value has for a slice.
func (s *slicing) sliceType(v *ir.Value) ir.Type {
	t := v.Type
	if at, ok := s.of[v]; ok {
		t.Dims = slices.Clone(t.Dims)
		t.Dims[at.dim].Size /= s.n
	}
	return t
}

// split puts the slices of a value before its other dims.
func (s *slicing) split(v *ir.Value) *ir.Value {
	at, t := s.of[v], s.sliceType(v)
	slice := ir.Factor{Name: 'A', Size: s.n}
	r := ir.Rule{Factors: []ir.Factor{slice}, In: []ir.Term{{}}, Out: []ir.Term{{{0}}}}
	add := func(size int) int {
		r.Factors = append(r.Factors, ir.Factor{Name: r.Free(), Size: size})
		return len(r.Factors) - 1
	}
	for i, d := range t.Dims {
		if i != at.dim {
			f := add(d.Size)
			r.In[0], r.Out[0] = append(r.In[0], ir.DimFactors{f}), append(r.Out[0], ir.DimFactors{f})
			continue
		}
		major, own, minor := ir.DimFactors{}, add(s.batch/s.n), ir.DimFactors{}
		if at.major > 1 {
			major = ir.DimFactors{add(at.major)}
		}
		if at.minor > 1 {
			minor = ir.DimFactors{add(at.minor)}
		}
		r.In[0] = append(r.In[0], slices.Concat(major, ir.DimFactors{own, 0}, minor))
		r.Out[0] = append(r.Out[0], slices.Concat(major, ir.DimFactors{own}, minor))
	}
	return s.outer.Rearrange(v, r, append([]ir.Dim{{Label: SliceLabel, Size: s.n}}, t.Dims...))
}

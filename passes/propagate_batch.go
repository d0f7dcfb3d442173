package passes

import "vitc/ir"

// reached marks the dims that examples lie along: an input's batch, and every dim that an op's
// index rule makes of one, or makes one of. It is what tells activations from parameters, their
// gradients and optimizer state, whatever their labels are.
type reached struct {
	views factorViews
	dims  map[*ir.Value][]bool
	grown bool
}

// batchLabel is the label of an input's dim of examples.
const batchLabel = "batch"

func reachedByBatch(f *ir.Func, v factorViews) *reached {
	r := &reached{views: v, dims: map[*ir.Value][]bool{}}
	for i, v := range f.Body.Params {
		for d, dim := range v.Type.Dims {
			if f.Args[i].Role == ir.RoleInput && dim.Label == batchLabel {
				r.mark(v, d)
			}
		}
	}
	for r.grown {
		r.grown = false
		r.region(f.Body)
	}
	return r
}

// value reports whether examples lie along some dim of a value.
func (r *reached) value(v *ir.Value) bool {
	for _, yes := range r.dims[v] {
		if yes {
			return true
		}
	}
	return false
}

func (r *reached) mark(v *ir.Value, dim int) {
	if r.dims[v] == nil {
		r.dims[v] = make([]bool, v.Type.Rank())
	}
	if !r.dims[v][dim] {
		r.dims[v][dim], r.grown = true, true
	}
}

func (r *reached) has(v *ir.Value, dim int) bool { return r.dims[v] != nil && r.dims[v][dim] }

func (r *reached) region(g *ir.Region) {
	for _, op := range g.Ops {
		if op.Body == nil {
			r.op(op)
			continue
		}
		for range 2 { // on the way in, and on the way out
			for _, t := range tiesOf(op) {
				r.tie(t)
			}
			r.region(op.Body)
		}
	}
}

func (r *reached) tie(t tie) {
	for d := range t.inner.Type.Dims {
		if r.has(t.inner, d) {
			r.mark(t.outer, d+t.lead)
		}
		if r.has(t.outer, d+t.lead) {
			r.mark(t.inner, d)
		}
	}
}

// op marks along factors. Of a dim of several factors the major one is the examples'. Where
// positions move, the dim stays what it was.
func (r *reached) op(op *ir.Op) {
	v := r.views.of(op)
	along := make([]bool, len(v.factors))
	v.each(op, func(x *ir.Value, t ir.Term) {
		for d, fs := range t {
			if len(fs) > 0 && r.has(x, d) {
				along[fs[0]] = true
			}
		}
	})
	v.each(op, func(x *ir.Value, t ir.Term) {
		for d, fs := range t {
			for _, f := range fs {
				if along[f] {
					r.mark(x, d)
				}
			}
		}
	})
	switch op.Attrs.(type) {
	case *ir.SliceAttrs, *ir.PadAttrs, *ir.ConcatAttrs:
		for _, x := range op.In {
			r.tie(tie{outer: x, inner: op.Out[0]})
		}
	}
}

package passes

import "vitc/ir"

// span says where in a value its examples lie: dim is made of (major, examples, minor).
type span struct{ dim, major, minor int }

// spans finds the dims along which examples lie, from the inputs' dims of examples on, forwards
// and backwards along the factors of index rules, and through loops.
type spans struct {
	of    map[*ir.Value]span
	batch int
	views factorViews
	grown bool
}

// spansOf follows the examples of a function's inputs through some of its ops.
func spansOf(f *ir.Func, ops []*ir.Op) *spans {
	s := &spans{of: map[*ir.Value]span{}, views: factorViews{}}
	for i, p := range f.Body.Params {
		if f.Args[i].Role == ir.RoleInput && p.Type.Rank() > 0 && p.Type.Dims[0].Label == batchLabel {
			s.mark(p, span{0, 1, 1})
			s.batch = p.Type.Dims[0].Size
		}
	}
	for s.grown {
		s.grown = false
		s.follow(ops)
	}
	return s
}

func (s *spans) mark(v *ir.Value, at span) {
	if _, known := s.of[v]; !known && v.Lit == nil {
		s.of[v], s.grown = at, true
	}
}

func (s *spans) follow(ops []*ir.Op) {
	for _, op := range ops {
		if op.Body == nil {
			s.op(op)
			continue
		}
		for _, t := range tiesOf(op) {
			if at, ok := s.of[t.inner]; ok {
				s.mark(t.outer, span{at.dim + t.lead, at.major, at.minor})
			}
			if at, ok := s.of[t.outer]; ok && at.dim >= t.lead {
				s.mark(t.inner, span{at.dim - t.lead, at.major, at.minor})
			}
		}
		s.follow(op.Body.Ops)
	}
}

// op spreads what is known of one value to all that share its factor.
func (s *spans) op(op *ir.Op) {
	v := s.views.of(op)
	v.each(op, func(x *ir.Value, t ir.Term) {
		from, ok := s.along(op, x, t)
		if !ok || v.whole[from.dim] {
			return
		}
		v.each(op, func(y *ir.Value, u ir.Term) {
			if at, ok := s.within(v, u, from); ok {
				s.mark(y, at)
			}
		})
	})
}

// along is the factor that a value's examples lie along, as the dim of a span.
func (s *spans) along(op *ir.Op, x *ir.Value, t ir.Term) (span, bool) {
	at, ok := s.of[x]
	if !ok {
		return span{}, false
	}
	v, before := s.views.of(op), 1
	for j, f := range t[at.dim] {
		after := product(v, t[at.dim][j+1:])
		if at.major%before == 0 && at.minor%after == 0 && v.factors[f].Size == at.major/before*s.batch*(at.minor/after) {
			return span{f, at.major / before, at.minor / after}, true
		}
		before *= v.factors[f].Size
	}
	return span{}, false
}

// within is where the examples along a factor lie in a value of a term.
func (s *spans) within(v *view, t ir.Term, along span) (span, bool) {
	for d, fs := range t {
		for j, f := range fs {
			if f == along.dim {
				return span{d, product(v, fs[:j]) * along.major, along.minor * product(v, fs[j+1:])}, true
			}
		}
	}
	return span{}, false
}

func product(v *view, fs ir.DimFactors) int {
	n := 1
	for _, f := range fs {
		n *= v.factors[f].Size
	}
	return n
}

// conduct is what an op does with examples.
type conduct uint8

const (
	untouched   conduct = iota // it has none
	exampleWise                // each is worked on for itself
	summing                    // they are summed, and in no other way joined
	meeting                    // they meet
)

// conductOf classifies an op; along is the factor of its examples.
func (s *spans) conductOf(op *ir.Op) (w conduct, along span) {
	if op.Body != nil {
		return s.conductOfLoop(op), along
	}
	v := s.views.of(op)
	clash := false
	v.each(op, func(x *ir.Value, t ir.Term) {
		if _, spanned := s.of[x]; !spanned {
			return
		}
		at, ok := s.along(op, x, t)
		clash = clash || !ok || w != untouched && at != along
		w, along = exampleWise, at
	})
	switch {
	case w == untouched:
		return w, along
	case clash || v.whole[along.dim] || v.factors[along.dim].Kind == ir.Moving:
		return meeting, along
	case v.factors[along.dim].Kind == ir.Contracted:
		return s.conductOfSum(op, v), along
	case op.Row.Name == "iota" && op.Attrs.(*ir.IotaAttrs).Dim == s.of[op.Out[0]].dim && along != (span{along.dim, 1, 1}):
		return meeting, along
	}
	return exampleWise, along
}

func (s *spans) conductOfSum(op *ir.Op, v *view) conduct {
	if v.join == "sum" && op.Row.Class == ir.Linear || op.Row.Name == "scatter_add" {
		return summing
	}
	return meeting
}

// conductOfLoop: each op of its turns must work on examples one by one.
func (s *spans) conductOfLoop(op *ir.Op) conduct {
	all := untouched
	for _, inner := range op.Body.Ops {
		switch w, _ := s.conductOf(inner); w {
		case summing, meeting:
			return meeting
		case exampleWise:
			all = exampleWise
		}
	}
	for _, t := range tiesOf(op) {
		at, ok := s.of[t.outer]
		switch {
		case ok && at.dim < t.lead: // a turn an example
			return meeting
		case ok:
			all = exampleWise
		}
	}
	return all
}

// culprit is the op that makes examples meet: op itself, or one of its turns'.
func (s *spans) culprit(op *ir.Op) *ir.Op {
	if op.Body != nil {
		for _, inner := range op.Body.Ops {
			if w, _ := s.conductOf(inner); w == summing || w == meeting {
				return s.culprit(inner)
			}
		}
	}
	return op
}

package passes

import (
	"slices"

	"vitc/ir"
)

// softmax is a row of exponentials divided by their sum, as it stands in a region:
//
//	e = exp(scores - c)    c the same along a row: its maximum, or any other number
//	p = e / sum(e)
//
// p is exp(scores - lse) too, with lse = c + log sum(e) the row's log-sum-exp: one number a row
// from which a backward pass has p again without the maximum and the sum.
type softmax struct {
	scores, lse *ir.Value
	over        *ir.Op // the sum over rows
	spread      *ir.Op // the broadcast back
}

// softmaxes finds those of a region and of the loops in it by their quotients, and adds to each
// its log-sum-exp, which simplify drops again where no gradient wants it.
func softmaxes(r *ir.Region) map[*ir.Value]*softmax {
	found := map[*ir.Value]*softmax{}
	findSoftmaxes(r, found)
	return found
}

func findSoftmaxes(r *ir.Region, found map[*ir.Value]*softmax) {
	var ops []*ir.Op
	b := &ir.Builder{Region: &ir.Region{}}
	for _, op := range r.Ops {
		if op.Row.Name == "scan" {
			findSoftmaxes(op.Body, found)
		}
		if s, shift := softmaxOf(op); s != nil {
			b.Pos = op.Pos
			s.lse = b.Unary("log", s.over.Out[0])
			if shift != nil {
				s.lse = b.Add(shift, s.lse)
			}
			found[op.Out[0]] = s
			ops = append(ops, b.Region.Ops...)
			b.Region.Ops = nil
		}
		ops = append(ops, op)
	}
	r.Ops = ops
}

// softmaxOf reads a quotient as a softmax; shift is what its scores were lowered by, nil for
// nothing.
func softmaxOf(op *ir.Op) (s *softmax, shift *ir.Value) {
	if op.Row.Name != "div" || !made(op.In[0], "exp") || !made(op.In[1], "broadcast") {
		return nil, nil
	}
	e, spread := op.In[0], op.In[1].Def
	over := spread.In[0].Def
	if !made(spread.In[0], "reduce") || over.Attrs.(*ir.ReduceAttrs).Kind != "sum" || over.In[0] != e || !isInverse(over, spread) {
		return nil, nil
	}
	s = &softmax{scores: e.Def.In[0], over: over, spread: spread}
	if d := s.scores.Def; made(s.scores, "sub") && made(unstopped(d.In[1]), "broadcast") {
		if lower := unstopped(d.In[1]).Def; slices.Equal(dimsKept(lower.Rule.Out[0], lower.Rule.In[0]), dimsKept(spread.Rule.Out[0], spread.Rule.In[0])) {
			s.scores, shift = d.In[0], lower.In[0]
		}
	}
	return s, shift
}

// made reports whether a value is the result of an op of the name.
func made(v *ir.Value, name string) bool { return v.Def != nil && v.Def.Row.Name == name }

// unstopped is the value behind a stop.
func unstopped(v *ir.Value) *ir.Value {
	for made(v, "stop") {
		v = v.Def.In[0]
	}
	return v
}

// uncast is the float value behind conversions between float dtypes.
func uncast(v *ir.Value) *ir.Value {
	for made(v, "cast") && v.Def.In[0].Type.DType.Float() && v.Type.DType.Float() {
		v = v.Def.In[0]
	}
	return v
}

// isInverse reports whether a broadcast puts a reduce's result back along the dims it came from.
func isInverse(reduce, spread *ir.Op) bool {
	return slices.Equal(dimsKept(reduce.Rule.In[0], reduce.Rule.Out[0]), dimsKept(spread.Rule.Out[0], spread.Rule.In[0]))
}

// dimsKept says for each dim of the smaller term which dim of the larger one it is.
func dimsKept(large, small ir.Term) []int {
	var at []int
	for _, d := range small {
		at = append(at, slices.IndexFunc(large, func(e ir.DimFactors) bool { return slices.Equal(d, e) }))
	}
	return at
}

// again computes the probabilities once more, from the scores and the log-sum-exp.
func (s *softmax) again(b *ir.Builder) *ir.Value {
	return b.Unary("exp", b.Sub(s.scores, s.along(b, s.lse)))
}

// from is what a backward turn computes a value of the forward turn from: a softmax from its scores
// and their log-sum-exp.
func (t *tape) from(v *ir.Value) []*ir.Value {
	if s := t.soft[v]; s != nil {
		return []*ir.Value{s.scores, s.lse}
	}
	return v.Def.In
}

// repeat computes an op's result once more, from the values that m has for its operands.
func (t *tape) repeat(b *ir.Builder, op *ir.Op, m map[*ir.Value]*ir.Value) {
	if s := t.soft[op.Out[0]]; s != nil {
		b.Pos = op.Pos
		mine := &softmax{scores: m[s.scores], lse: m[s.lse], spread: s.spread}
		m[op.Out[0]] = mine.again(b)
		return
	}
	b.Region.Ops = append(b.Region.Ops, op.Clone(m))
}

// along spreads one number a row over the row.
func (s *softmax) along(b *ir.Builder, v *ir.Value) *ir.Value {
	return b.Broadcast(v, s.spread.Rule, s.scores.Type.Dims)
}

// pull gives the scores' cotangent p·(d - delta) from that of the probabilities, with delta the
// row's sum of d·p.
func (s *softmax) pull(b *ir.Builder, p, d, delta *ir.Value) *ir.Value {
	return b.Mul(p, b.Sub(d, s.along(b, delta)))
}

// softmax adds the cotangents of what a softmax, or the product of one with values, is computed
// from; it reports whether op is either of them.
func (t *tape) softmax(op *ir.Op, d *ir.Value) bool {
	if s := t.soft[op.Out[0]]; s != nil {
		p := s.again(t.b)
		delta := t.b.ReduceTo("sum", t.b.Mul(d, p), s.over.Rule, s.over.Out[0].Type.Dims)
		t.add(s.scores, s.pull(t.b, p, d, delta))
		return true
	}
	return t.attention(op, d)
}

// attention is the gradient of o = p·v for a softmax p: the row sum of d·p, with d = do·vᵀ, is
// that of do·o, which is the smaller (T. Dao et al., "FlashAttention", arXiv 2205.14135,
// appendix B.2). Nothing but the scores and one number a row is needed of the softmax.
func (t *tape) attention(op *ir.Op, do *ir.Value) bool {
	if op.Row.Name != "dot" {
		return false
	}
	i := slices.IndexFunc(op.In, func(v *ir.Value) bool { return t.soft[uncast(v)] != nil })
	if i < 0 {
		return false
	}
	s, o := t.soft[uncast(op.In[i])], op.Out[0]
	rows, ok := s.rowsOf(op, i)
	if !ok || !t.active[s.scores] || o.Type.Size() > s.scores.Type.Size() {
		return false
	}
	f := s.scores.Type.DType
	p := s.again(t.b)
	probe := *op // the product with the probabilities computed again
	probe.In = slices.Clone(op.In)
	probe.In[i] = t.b.Cast(p, op.In[i].Type.DType)
	din := op.Row.VJP(t.b, &probe, []*ir.Value{do})
	delta := t.b.ReduceTo("sum", t.b.Mul(t.b.Cast(do, f), t.b.Cast(o, f)), rows, s.over.Out[0].Type.Dims)
	t.add(s.scores, s.pull(t.b, p, t.b.Cast(din[i], f), delta))
	t.add(op.In[1-i], din[1-i])
	return true
}

// rowsOf is the rule that sums the product's result to one number for each row of the softmax,
// its operand i. The product must sum over the rows' elements and nothing else.
func (s *softmax) rowsOf(op *ir.Op, i int) (ir.Rule, bool) {
	term, out := op.Rule.In[i], op.Rule.Out[0]
	kept := dimsKept(s.over.Rule.In[0], s.over.Rule.Out[0])
	rows := ir.Term{}
	for k, d := range term {
		if slices.Contains(kept, k) != out.Has(d[0]) {
			return ir.Rule{}, false
		}
		if out.Has(d[0]) {
			rows = append(rows, d)
		}
	}
	for f, factor := range op.Rule.Factors {
		if factor.Kind == ir.Contracted && !term.Has(f) {
			return ir.Rule{}, false
		}
	}
	order := dimsKept(out, rows)
	return op.Rule.Swap([]ir.Term{out}, rows), slices.IsSorted(order) && slices.IsSorted(kept)
}

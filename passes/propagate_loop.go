package passes

import (
	"slices"

	"vitc/ir"
)

// loop rewrites a scan.
type loop struct {
	s     *scope // around the scan
	inner *scope
	old   *ir.Op
	was   *ir.ScanAttrs // of the old scan
	attr  ir.ScanAttrs  // of the new one
	op    *ir.Op
	sums  map[*ir.Value][]*ir.Value // carries that became sums: what they begin with, then the parts' totals
}

// loop rewrites a scan. Carries lie alike in every turn, as their parameter does at home; what is
// only added up over the turns stays in parts until the last one.
func (s *scope) loop(op *ir.Op) {
	l := &loop{s: s, inner: s.p.scope(op.Body, s.turns*op.Turns()), old: op, was: op.Attrs.(*ir.ScanAttrs), sums: map[*ir.Value][]*ir.Value{}}
	l.attr = *l.was
	l.op = &ir.Op{Row: op.Row, Attrs: &l.attr, Pos: op.Pos, Body: l.inner.body}
	l.enter()
	l.inner.ops(op.Body.Ops)
	l.leave()
	l.inner.settle()
	l.results()
	s.body.Ops = append(s.body.Ops, l.op)
}

// enter binds the body's parameters.
func (l *loop) enter() {
	for i, x := range l.old.Body.Params {
		t := l.inner.param(x, l.s.p.homes.sharding(x)).Type
		if i >= l.was.Carry && i < l.was.Carry+l.was.Each {
			t = ir.StackType(l.old.In[i].Type.Dims[0], t)
			l.s.wholeTurns(l.old, i)
		}
		l.op.In = append(l.op.In, l.s.bring(l.old.In[i], t.Shard))
	}
}

// leave yields carries as they entered, and stacks what is stacked at home.
func (l *loop) leave() {
	params := slices.Clone(l.inner.body.Params)
	l.inner.asker = nil
	for i, v := range l.old.Body.Yield {
		l.inner.b.Pos = v.Pos
		if l.adds(i) {
			l.accumulate(i)
			continue
		}
		l.inner.body.Yield = append(l.inner.body.Yield, l.inner.bring(v, params[i].Type.Shard))
	}
	for _, v := range l.old.Body.Stack {
		l.inner.b.Pos = v.Pos
		l.inner.body.Stack = append(l.inner.body.Stack, l.inner.bring(v, l.s.p.homes.sharding(v)))
	}
}

// results gives the new scan its results: carries, then stacks.
func (l *loop) results() {
	k := 0
	next := func(x *ir.Value, t ir.Type) *ir.Value {
		y := *x
		y.Type, y.Def = t, l.op
		l.op.Out = append(l.op.Out, &y)
		k++
		return &y
	}
	for i, x := range l.old.Out {
		switch {
		case i >= l.was.Carry:
			stacked := l.inner.body.Stack[i-l.was.Carry].Type
			l.s.hold(x, next(x, x.Type.Sharded(ir.StackType(x.Type.Dims[0], stacked).Shard)))
		case l.sums[x] != nil:
			terms := l.sums[x][:1:1]
			for range l.sums[x][1:] {
				terms = append(terms, next(x, l.inner.body.Yield[k].Type))
			}
			l.s.hold(x, terms...)
		default:
			l.s.hold(x, next(x, l.inner.body.Yield[k].Type))
		}
	}
}

// adds reports whether a carry is only a sum over the turns of what devices hold in parts, along
// axes that the carry is not cut along at home: joined in each turn it would take a whole
// exchange a turn, and joined after the last it takes one.
func (l *loop) adds(i int) bool {
	old, y := l.old.Body.Params[i], l.old.Body.Yield[i]
	if old == y || l.inner.uses[old] != 1 || l.inner.uses[y] != 1 || !l.inner.parts(y) {
		return false
	}
	terms, home := l.inner.held[y].terms, l.s.p.homes.sharding(old)
	for _, t := range terms {
		sums := t.Type.Shard.Sums()
		if t != l.inner.held[old].terms[0] && (len(sums) == 0 || len(without(home.Axes(), sums)) < len(home.Axes())) {
			return false
		}
	}
	return slices.Contains(terms, l.inner.held[old].terms[0])
}

// accumulate lets a carry be the sum of what it begins with and of parts, each a carry that begins
// with zeros.
func (l *loop) accumulate(i int) {
	old, body := l.old.Body.Params[i], l.inner.body
	begin := l.inner.held[old].terms[0]
	at := slices.Index(body.Params, begin)
	sums := []*ir.Value{l.op.In[at]}
	body.Params, l.op.In = slices.Delete(body.Params, at, at+1), slices.Delete(l.op.In, at, at+1)
	for _, t := range l.inner.held[l.old.Body.Yield[i]].terms {
		if t == begin {
			continue
		}
		p := &ir.Value{Name: old.Name, Type: t.Type, Pos: old.Pos}
		body.Params, l.op.In = slices.Insert(body.Params, at, p), slices.Insert(l.op.In, at, l.zeros(t.Type))
		sum := l.inner.emit(&ir.Op{Row: ir.Lookup("add"), In: []*ir.Value{p, t}, Pos: l.inner.b.Pos}, t.Name, t.Type)
		body.Yield = append(body.Yield, sum)
		sums, at = append(sums, t), at+1
	}
	l.attr.Carry += len(sums) - 2
	l.sums[l.old.Out[i]] = sums
}

// zeros is nothing in parts.
func (l *loop) zeros(t ir.Type) *ir.Value {
	r := ir.PointwiseRule(nil, t)
	r.In = []ir.Term{{}}
	op := &ir.Op{Row: ir.Lookup("broadcast"), In: []*ir.Value{ir.Literal(t.DType, 0)}, Rule: r, Pos: l.old.Pos}
	return l.s.emit(op, "", t)
}

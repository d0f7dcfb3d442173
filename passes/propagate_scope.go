package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// scope is one region being rewritten.
type scope struct {
	p    *placer
	b    *ir.Builder
	body *ir.Region
	held map[*ir.Value]*held
	uses map[*ir.Value]int

	turns int    // of the loops around
	asker *ir.Op // the old op that is being rewritten; nil where results are brought home
}

// held is what stands for a value of the old region in the new one.
type held struct {
	terms  []*ir.Value // the value is their sum; each may be in parts
	copies []*ir.Value // the value itself, under different shardings
}

func (p *placer) scope(old *ir.Region, turns int) *scope {
	s := &scope{p: p, turns: turns, body: &ir.Region{}, held: map[*ir.Value]*held{}, uses: old.Uses()}
	s.b = &ir.Builder{Region: s.body}
	return s
}

// param adds the new region's parameter for an old one.
func (s *scope) param(old *ir.Value, sh *ir.Sharding) *ir.Value {
	v := *old
	v.Type = old.Type.Sharded(sh)
	s.body.Params = append(s.body.Params, &v)
	s.hold(old, &v)
	return &v
}

// hold lets a new value stand for an old one.
func (s *scope) hold(old *ir.Value, terms ...*ir.Value) {
	h := &held{terms: terms}
	if len(terms) == 1 && len(terms[0].Type.Shard.Sums()) == 0 {
		h.copies = []*ir.Value{terms[0]}
	}
	s.held[old] = h
}

// parts reports whether a value has not been summed up yet.
func (s *scope) parts(v *ir.Value) bool { return v.Lit == nil && len(s.held[v].copies) == 0 }

// shardings lists the ways in which a value can be had, or would like to be.
func (s *scope) shardings(v *ir.Value) []*ir.Sharding {
	all := []*ir.Sharding{s.p.homes.sharding(v)}
	for _, x := range slices.Concat(s.held[v].copies, s.held[v].terms) {
		all = append(all, x.Type.Shard)
	}
	return all
}

// cost is what it takes to have a value under a sharding, in seconds.
func (s *scope) cost(v *ir.Value, want *ir.Sharding) float64 {
	h := s.held[v]
	if len(h.copies) > 0 {
		return s.nearest(h.copies, want).seconds
	}
	sum := 0.0
	for _, x := range h.terms {
		sum += s.p.routes.route(v.Type, x.Type.Shard, want).seconds
	}
	return sum
}

// way is the route from one value.
type way struct {
	route
	from *ir.Value
}

// nearest is the cheapest way from one of a value's copies.
func (s *scope) nearest(copies []*ir.Value, want *ir.Sharding) way {
	var best way
	for _, x := range copies {
		if r := s.p.routes.route(x.Type, x.Type.Shard, want); best.from == nil || r.seconds < best.seconds {
			best = way{r, x}
		}
	}
	return best
}

// bring gives a value under a sharding, whole: it reshards the nearest copy, or each of the
// terms, which it then adds up.
func (s *scope) bring(v *ir.Value, want *ir.Sharding) *ir.Value {
	if v.Lit != nil {
		return v
	}
	h := s.held[v]
	if len(h.copies) > 0 {
		from := s.nearest(h.copies, want).from
		if from.Type.Shard.Equal(want) {
			return from
		}
		x := s.reshard(v, from, want)
		h.copies = append(h.copies, x)
		return x
	}
	var sum *ir.Value
	for _, t := range h.terms {
		t = s.reshard(v, t, want)
		if sum != nil {
			t = s.emit(&ir.Op{Row: ir.Lookup("add"), In: []*ir.Value{sum, t}, Pos: s.b.Pos}, v.Name, t.Type)
		}
		sum = t
	}
	h.copies = []*ir.Value{sum}
	return sum
}

// reshard moves x, which stands for the old value v or a part of it.
func (s *scope) reshard(v, x *ir.Value, want *ir.Sharding) *ir.Value {
	if x.Type.Shard.Equal(want) {
		return x
	}
	s.p.why.moved(s, v, x, want)
	return s.emit(&ir.Op{Row: ir.Lookup("reshard"), In: []*ir.Value{x}, Pos: s.posOf(x)}, x.Name, x.Type.Sharded(want))
}

// posOf is where a move belongs: parts to the op that left them, the rest to what asks for it.
func (s *scope) posOf(x *ir.Value) *diag.Loc {
	if len(x.Type.Shard.Sums()) > 0 || s.b.Pos == nil {
		return x.Pos
	}
	return s.b.Pos
}

// emit appends an op of one result of a given type.
func (s *scope) emit(op *ir.Op, name string, t ir.Type) *ir.Value {
	v := &ir.Value{Name: name, Type: t, Def: op, Pos: op.Pos}
	op.Out = []*ir.Value{v}
	s.body.Ops = append(s.body.Ops, op)
	return v
}

func (s *scope) ops(ops []*ir.Op) {
	for _, op := range ops {
		s.b.Pos, s.asker = op.Pos, op
		switch {
		case op.Body != nil:
			s.loop(op)
		case s.add(op):
		default:
			s.op(op)
		}
	}
}

// op rewrites an op that is not among parts of a sum.
func (s *scope) op(op *ir.Op) {
	v := s.p.homes.views.of(op)
	cut := s.choose(op, v)
	c := &ir.Op{Row: op.Row, Rule: op.Rule, Attrs: op.Attrs, Pos: op.Pos}
	for i, x := range op.In {
		dims, _ := v.dims(s.p.mesh, v.in[i], cut)
		s.replicated(op, v, i)
		c.In = append(c.In, s.bring(x, ir.NewSharding(dims, nil, nil)))
	}
	for i, x := range op.Out {
		natural, _ := v.natural(s.p.mesh, i, cut)
		y := *x
		y.Type, y.Def = x.Type.Sharded(natural), c
		c.Out = append(c.Out, &y)
		s.hold(x, &y)
	}
	s.body.Ops = append(s.body.Ops, c)
	for _, x := range op.Out {
		if sums := s.held[x].terms[0].Type.Shard.Sums(); len(without(sums, s.p.ordered)) < len(sums) {
			s.bring(x, s.p.homes.sharding(x)) // before anything else is done to the parts
		}
	}
}

// settle lets parts that are joined be joined where they are made: a sum of parts that waits takes
// the memory of all of them.
func (s *scope) settle() {
	after := map[*ir.Op][]*ir.Op{}
	joins := func(op *ir.Op) bool {
		return op.Row.Name == "reshard" && len(op.In[0].Type.Shard.Sums()) > 0 && op.In[0].Def != nil
	}
	for _, op := range s.body.Ops {
		if joins(op) {
			after[op.In[0].Def] = append(after[op.In[0].Def], op)
		}
	}
	var ops []*ir.Op
	for _, op := range s.body.Ops {
		if !joins(op) {
			ops = append(append(ops, op), after[op]...)
		}
	}
	s.body.Ops = ops
}

package passes

import (
	"slices"

	"vitc/ir"
)

// outside lets the backward pass compute again what ops outside of loops have made, where the plan's
// policy for their path is dots or all: stems, pools and heads. The policies none and fit keep such
// values, of which there is one turn only.
//
//  1. A minimum cut over bytes says what is kept and what is computed again, as in a loop.
//  2. What is computed again stands before the first backward op that reads it.
//  3. A fence stands around what it is computed from, with a value of the backward pass beside it: or
//     else equal values would be shared again, and XLA would compute the copies when the forward pass
//     does.
func (t *tape) outside(before []*ir.Op) {
	again := func(op *ir.Op) bool {
		p := t.keep.policy(op)
		return p == ir.RematDots || p == ir.RematAll
	}
	if !slices.ContainsFunc(before, again) {
		return
	}
	made := map[*ir.Value]bool{}
	for _, op := range before {
		for _, x := range op.Out {
			made[x] = true
		}
	}
	back := slices.Clone(t.b.Region.Ops[len(before):])
	needed := slices.DeleteFunc(freeValues(&ir.Region{Ops: back}), func(x *ir.Value) bool { return !made[x] })
	c := problem{needed: needed, given: func(x *ir.Value) bool { return !made[x] }, from: t.from, bytes: t.keep.bytes,
		repeatable: func(x *ir.Value) bool { return x.Def != nil && again(x.Def) && t.keep.repeatable(x) }}.solve()
	r := &rerun{t: t, c: c, before: before, made: made, copies: map[*ir.Value]*ir.Value{}}
	t.b.Region.Ops = t.b.Region.Ops[:len(before):len(before)]
	for _, op := range back {
		r.visit(op)
	}
}

// rerun writes the backward pass anew, with what it computes again.
type rerun struct {
	t      *tape
	c      *cut
	before []*ir.Op
	made   map[*ir.Value]bool      // by the forward pass
	copies map[*ir.Value]*ir.Value // of what is computed again, and of what is fenced for it
}

// visit appends a backward op behind what it needs.
func (r *rerun) visit(op *ir.Op) {
	wanted := map[*ir.Value]bool{}
	for _, x := range op.In {
		r.want(x, wanted)
	}
	if len(wanted) > 0 {
		r.fence(op, wanted)
	}
	for _, f := range r.before {
		if len(f.Out) == 1 && wanted[f.Out[0]] {
			r.t.repeat(r.t.b, f, r.copies)
		}
	}
	op.In = slices.Clone(op.In)
	for i, x := range op.In {
		if y := r.copies[x]; y != nil && r.c.again[x] {
			op.In[i] = y
		}
	}
	r.t.b.Region.Ops = append(r.t.b.Region.Ops, op)
}

// want collects what has to be computed again for a value.
func (r *rerun) want(x *ir.Value, wanted map[*ir.Value]bool) {
	if x.Lit != nil || !r.c.again[x] || r.copies[x] != nil || wanted[x] {
		return
	}
	wanted[x] = true
	for _, u := range r.t.from(x) {
		r.want(u, wanted)
	}
}

// fence keeps apart what wanted values are computed from, until an operand of op that the backward
// pass has made is there.
func (r *rerun) fence(op *ir.Op, wanted map[*ir.Value]bool) {
	var in []*ir.Value
	for _, f := range r.before {
		if len(f.Out) != 1 || !wanted[f.Out[0]] {
			continue
		}
		for _, u := range r.t.from(f.Out[0]) {
			if u.Lit == nil && !wanted[u] && r.copies[u] == nil && !slices.Contains(in, u) {
				in = append(in, u)
			}
		}
	}
	if len(in) == 0 {
		return
	}
	n := len(in)
	if i := slices.IndexFunc(op.In, func(x *ir.Value) bool { return x.Def != nil && !r.made[x] }); i >= 0 {
		in = append(in, op.In[i])
	}
	out := r.t.b.Emit(&ir.Op{Row: ir.Lookup("fence"), In: in, Attrs: &ir.FenceAttrs{Why: "computed again"}}, nil)
	for i, x := range in[:n] {
		out[i].Name, r.copies[x] = x.Name, out[i]
	}
}

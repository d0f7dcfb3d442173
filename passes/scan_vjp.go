package passes

import "vitc/ir"

// reverse is the backward scan of a forward one, under construction.
type reverse struct {
	op   *ir.Op // the forward scan
	attr *ir.ScanAttrs
	t    *tape // of the backward body

	body               *ir.Region
	carry, each, konst []binding
	carries            []int // forward operands whose cotangent is carried: active carries, then constants
	eaches             []int // forward each-operands whose cotangent is stacked
}

// binding is a parameter of the backward body and the outer value bound to it.
type binding struct{ param, outer *ir.Value }

// scan appends the backward scan of a forward one, and gives the forward one the stacked results
// that it needs.
func (t *tape) scan(op *ir.Op) {
	v := &reverse{op: op, attr: op.Attrs.(*ir.ScanAttrs), body: &ir.Region{}}
	v.t = &tape{b: &ir.Builder{Region: v.body, Pos: op.Pos}, active: t.active, cot: map[*ir.Value]*ir.Value{},
		soft: t.soft, keep: t.keep, turns: t.turns * v.attr.Length}
	v.enter(t)
	v.t.backward(append([]*ir.Op(nil), op.Body.Ops...))
	v.leave()
	v.reach()
	var in []*ir.Value
	for _, list := range [][]binding{v.carry, v.each, v.konst} {
		for _, b := range list {
			in = append(in, b.outer)
			v.body.Params = append(v.body.Params, b.param)
		}
	}
	a := ir.ScanAttrs{Length: v.attr.Length, Reverse: !v.attr.Reverse, Label: v.attr.Label, Carry: len(v.carry), Each: len(v.each)}
	t.b.Pos = op.Pos
	out := t.b.Scan(a, in, v.body)
	for i, k := range append(v.carries, v.eaches...) {
		t.add(op.In[k], out[i])
	}
}

// enter makes the carried cotangents and seeds the body with them and with those of the stacks.
func (v *reverse) enter(t *tape) {
	n := v.attr.Carry
	for i, p := range v.op.Body.Params {
		isConst := i >= n+v.attr.Each
		if !t.active[p] || i >= n && !isConst {
			continue
		}
		v.carries = append(v.carries, i)
		outer := ir.Literal(p.Type.DType, 0)
		if !isConst && t.cot[v.op.Out[i]] != nil {
			outer = t.cot[v.op.Out[i]]
		}
		if outer.Lit != nil || outer.Type.Rank() < p.Type.Rank() {
			outer = t.b.Fill(outer, p.Type.Dims)
		}
		d := v.bind(&v.carry, outer, p.Type)
		if !isConst {
			v.t.add(v.op.Body.Yield[i], d)
		}
	}
	for j, s := range v.op.Body.Stack {
		if out := v.op.Out[n+j]; t.cot[out] != nil {
			v.t.add(s, v.bind(&v.each, t.cotangent(out), s.Type))
		}
	}
}

func (v *reverse) bind(list *[]binding, outer *ir.Value, t ir.Type) *ir.Value {
	p := &ir.Value{Name: outer.Name, Type: t, Pos: outer.Pos}
	*list = append(*list, binding{p, outer})
	return p
}

// leave yields the cotangents of the turn's carries and the constants' sums so far, and stacks
// those of the each-operands.
func (v *reverse) leave() {
	v.t.b.Pos = v.op.Pos
	for i, k := range v.carries {
		p := v.op.Body.Params[k]
		d := v.t.cot[p]
		switch {
		case k < v.attr.Carry:
			d = v.t.cotangent(p)
		case d == nil:
			d = v.carry[i].param
		default:
			d = v.t.b.Add(v.carry[i].param, d)
		}
		v.body.Yield = append(v.body.Yield, d)
	}
	for k := v.attr.Carry; k < v.attr.Carry+v.attr.Each; k++ {
		if p := v.op.Body.Params[k]; v.t.active[p] {
			v.eaches = append(v.eaches, k)
			v.body.Stack = append(v.body.Stack, v.t.cotangent(p))
		}
	}
}

// reach gives the backward body what it uses of the forward turn: each-operands and constants
// are bound again, values that the cut chose are stacked by the forward scan, and the rest is
// computed again at the body's head.
func (v *reverse) reach() {
	free := freeValues(v.body, v.carry, v.each)
	role := map[*ir.Value]int{}
	for i, p := range v.op.Body.Params {
		role[p] = i
	}
	given := func(x *ir.Value) bool { i, ok := role[x]; return ok && i >= v.attr.Carry }
	c := v.t.keep.choose(v, free, given)

	m := map[*ir.Value]*ir.Value{}
	for _, x := range c.order {
		switch i, isParam := role[x]; {
		case c.saved[x]:
			m[x] = v.bind(&v.each, v.save(x), x.Type)
		case isParam && i < v.attr.Carry: // only values that are kept come of it
		case isParam && i < v.attr.Carry+v.attr.Each:
			m[x] = v.bind(&v.each, v.op.In[i], x.Type)
		case isParam:
			m[x] = v.bind(&v.konst, v.op.In[i], x.Type)
		}
	}
	head := &ir.Builder{Region: &ir.Region{}}
	for _, op := range v.op.Body.Ops {
		if len(op.Out) == 1 && c.again[op.Out[0]] {
			v.t.repeat(head, op, m)
		}
	}
	v.body.Replace(m)
	v.body.Ops = append(head.Region.Ops, v.body.Ops...)
}

// save makes the forward scan stack x, if it does not yet, and gives the stacked result.
func (v *reverse) save(x *ir.Value) *ir.Value {
	for j, s := range v.op.Body.Stack {
		if s == x {
			return v.op.Out[v.attr.Carry+j]
		}
	}
	label := v.attr.Label
	if label == "" {
		label = "turn"
	}
	t := ir.Type{DType: x.Type.DType, Dims: append([]ir.Dim{{Label: label, Size: v.attr.Length}}, x.Type.Dims...)}
	out := &ir.Value{Name: x.Name, Type: t, Def: v.op, Pos: x.Pos}
	v.op.Body.Stack = append(v.op.Body.Stack, x)
	v.op.Out = append(v.op.Out, out)
	return out
}

// freeValues lists, in order of first use, what a body uses and does not define.
func freeValues(r *ir.Region, bound ...[]binding) []*ir.Value {
	own := map[*ir.Value]bool{}
	for _, list := range bound {
		for _, b := range list {
			own[b.param] = true
		}
	}
	var free []*ir.Value
	use := func(vs []*ir.Value) {
		for _, x := range vs {
			if x.Lit == nil && !own[x] {
				own[x] = true
				free = append(free, x)
			}
		}
	}
	for _, op := range r.Ops {
		use(op.In)
		for _, o := range op.Out {
			own[o] = true
		}
	}
	use(r.Yield)
	use(r.Stack)
	return free
}

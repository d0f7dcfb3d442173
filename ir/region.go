package ir

// Close makes a region closed: every outer value it uses becomes a new parameter, bound to the
// value returned at the same place. Literals need no binding. A yield of a literal, or of a
// value that is a parameter, is fine.
func (r *Region) Close() []*Value {
	own := map[*Value]*Value{}
	for _, p := range r.Params {
		own[p] = p
	}
	var captured []*Value
	resolve := func(v *Value) *Value {
		if v.Lit != nil {
			return v
		}
		if w, ok := own[v]; ok {
			return w
		}
		p := &Value{Name: v.Name, Type: v.Type, Pos: v.Pos}
		own[v] = p
		r.Params = append(r.Params, p)
		captured = append(captured, v)
		return p
	}
	each := func(vs []*Value) {
		for i, v := range vs {
			vs[i] = resolve(v)
		}
	}
	for _, op := range r.Ops {
		each(op.In)
		for _, v := range op.Out {
			own[v] = v
		}
	}
	each(r.Yield)
	each(r.Stack)
	return captured
}

// Clone copies a region; m maps old values to new ones, and on entry may hold what parameters
// are to be replaced by (those are left out of the copy's parameters).
func (r *Region) Clone(m map[*Value]*Value) *Region {
	c := &Region{}
	for _, p := range r.Params {
		if _, bound := m[p]; !bound {
			q := *p
			m[p] = &q
			c.Params = append(c.Params, &q)
		}
	}
	for _, op := range r.Ops {
		c.Ops = append(c.Ops, op.Clone(m))
	}
	c.Yield, c.Stack = mapped(r.Yield, m), mapped(r.Stack, m)
	return c
}

// Clone copies an op with its operands mapped by m, and enters its results into m. Attributes
// are shared but for a scan's, the only ones that passes change.
func (op *Op) Clone(m map[*Value]*Value) *Op {
	c := *op
	if a, ok := op.Attrs.(*ScanAttrs); ok {
		own := *a
		c.Attrs = &own
	}
	c.In = mapped(op.In, m)
	c.Out = make([]*Value, len(op.Out))
	for i, v := range op.Out {
		w := *v
		w.Def = &c
		c.Out[i], m[v] = &w, &w
	}
	if op.Body != nil {
		c.Body = op.Body.Clone(map[*Value]*Value{})
	}
	return &c
}

func mapped(vs []*Value, m map[*Value]*Value) []*Value {
	out := make([]*Value, len(vs))
	for i, v := range vs {
		out[i] = v
		if w, ok := m[v]; ok {
			out[i] = w
		}
	}
	return out
}

// Replace lets every use of a key in the region's own ops, yields and stacks be a use of its
// value; chains are followed.
func (r *Region) Replace(m map[*Value]*Value) {
	if len(m) == 0 {
		return
	}
	final := func(v *Value) *Value {
		for {
			w, ok := m[v]
			if !ok {
				return v
			}
			v = w
		}
	}
	each := func(vs []*Value) {
		for i, v := range vs {
			vs[i] = final(v)
		}
	}
	for _, op := range r.Ops {
		each(op.In)
	}
	each(r.Yield)
	each(r.Stack)
}

// Uses counts the uses of every value of the region by its own ops, yields and stacks.
func (r *Region) Uses() map[*Value]int {
	n := map[*Value]int{}
	for _, op := range r.Ops {
		for _, v := range op.In {
			n[v]++
		}
	}
	for _, v := range r.Yield {
		n[v]++
	}
	for _, v := range r.Stack {
		n[v]++
	}
	return n
}

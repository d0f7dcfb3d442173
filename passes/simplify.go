package passes

import "vitc/ir"

// simplify cleans a module up, bodies before the ops that hold them:
//
//  1. replace ops that compute what is known: literals, identities, casts and views of nothing;
//  2. let literals and scalars join pointwise ops instead of being spread first;
//  3. share ops that compute the same (common subexpressions);
//  4. drop ops, stacked results, carries and bindings that nobody uses.
//
// 1 to 4 repeat until nothing changes. No float identity is used that NaN or infinity would
// break, but for roots of -infinity (see powers), and sums keep their order. -0 may become 0,
// and the other way round.
func simplify(m *ir.Module, _ *Context) {
	for _, f := range m.Funcs {
		simplifyRegion(f.Body)
	}
}

func simplifyRegion(r *ir.Region) {
	for {
		changed := false
		for _, op := range r.Ops {
			if op.Body != nil {
				simplifyRegion(op.Body)
			}
		}
		changed = rewriteOps(r) || changed
		changed = dropUnused(r) || changed
		if !changed {
			return
		}
	}
}

// rewriteOps walks a region once, applying rules 1 to 3.
func rewriteOps(r *ir.Region) bool {
	b := &ir.Builder{Region: &ir.Region{}}
	same := map[*ir.Value]*ir.Value{}
	known := map[string]*ir.Op{}
	ids := &numbering{ids: map[*ir.Value]int{}}
	changed := false
	for _, op := range r.Ops {
		for i, v := range op.In {
			if w, ok := same[v]; ok {
				op.In[i] = w
			}
		}
		b.Pos = op.Pos
		joinScalars(op)
		changed = spreadLiterals(b, op) || changed
		if op.Body != nil {
			bindValues(b, op)
		}
		if v := knownValue(b, op); v != nil {
			same[op.Out[0]] = v
			changed = true
			continue
		}
		key := ids.key(op)
		if prev := known[key]; prev != nil && key != "" {
			for i, v := range op.Out {
				same[v] = prev.Out[i]
			}
			changed = true
			continue
		}
		known[key] = op
		b.Region.Ops = append(b.Region.Ops, op)
	}
	r.Ops = b.Region.Ops
	r.Replace(same)
	for i, v := range r.Yield {
		r.Yield[i] = materialise(b, v)
	}
	for i, v := range r.Stack {
		r.Stack[i] = materialise(b, v)
	}
	r.Ops = b.Region.Ops
	return changed
}

// materialise spreads a literal where a value of the region is needed.
func materialise(b *ir.Builder, v *ir.Value) *ir.Value {
	if v.Lit == nil {
		return v
	}
	return b.Fill(v, nil)
}

// spreadLiterals: products, reductions, movement and routines read places in memory, which literals lack.
func spreadLiterals(b *ir.Builder, op *ir.Op) (changed bool) {
	switch op.Row.Class {
	case ir.Linear, ir.Indexed, ir.Routine:
	default:
		return false
	}
	if op.Row.Name == "broadcast" {
		return false
	}
	for i, v := range op.In {
		op.In[i] = materialise(b, v)
		changed = changed || v.Lit != nil
	}
	return changed
}

// bindValues keeps literals out of a body's bindings: a constant's parameter becomes the literal,
// and what a carry begins with is spread.
func bindValues(b *ir.Builder, op *ir.Op) {
	first := 0
	if a, ok := op.Attrs.(*ir.ScanAttrs); ok {
		first = a.Carry + a.Each
	}
	lits := map[*ir.Value]*ir.Value{}
	for i := len(op.In) - 1; i >= 0; i-- {
		switch {
		case op.In[i].Lit == nil:
		case i < first:
			op.In[i] = materialise(b, op.In[i])
		default:
			lits[op.Body.Params[i]] = op.In[i]
			op.In, op.Body.Params = remove(op.In, i), remove(op.Body.Params, i)
		}
	}
	op.Body.Replace(lits)
}

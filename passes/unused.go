package passes

import "vitc/ir"

// dropUnused removes, from the last op to the first, what nobody uses: ops, a scan's stacked
// results and carries, and the bindings of a body's unused parameters.
func dropUnused(r *ir.Region) bool {
	used := map[*ir.Value]bool{}
	mark := func(vs []*ir.Value) {
		for _, v := range vs {
			used[v] = true
		}
	}
	mark(r.Yield)
	mark(r.Stack)
	changed := false
	var kept []*ir.Op
	for i := len(r.Ops) - 1; i >= 0; i-- {
		op := r.Ops[i]
		if !anyUsed(op.Out, used) {
			changed = true
			continue
		}
		if op.Row.Name == "scan" {
			changed = dropResults(op, used) || changed
		}
		if op.Body != nil {
			changed = dropBindings(op) || changed
		}
		mark(op.In)
		kept = append(kept, op)
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	r.Ops = kept
	return changed
}

func anyUsed(vs []*ir.Value, used map[*ir.Value]bool) bool {
	for _, v := range vs {
		if used[v] {
			return true
		}
	}
	return false
}

func remove[T any](s []T, i int) []T {
	return append(append([]T(nil), s[:i]...), s[i+1:]...)
}

// dropResults removes unused stacked results, then carries that neither the outside nor any
// other value of the body needs.
func dropResults(op *ir.Op, used map[*ir.Value]bool) bool {
	a, changed := op.Attrs.(*ir.ScanAttrs), false
	for i := len(op.Body.Stack) - 1; i >= 0; i-- {
		if !used[op.Out[a.Carry+i]] {
			op.Body.Stack = remove(op.Body.Stack, i)
			op.Out = remove(op.Out, a.Carry+i)
			changed = true
		}
	}
	live := liveCarries(op, used)
	for i := a.Carry - 1; i >= 0; i-- {
		if live[i] {
			continue
		}
		op.Body.Yield = remove(op.Body.Yield, i)
		op.Out = remove(op.Out, i)
		// The parameter may still feed ops that are now dead: it becomes a constant, and
		// the next round drops it.
		p, x := op.Body.Params[i], op.In[i]
		op.Body.Params = append(remove(op.Body.Params, i), p)
		op.In = append(remove(op.In, i), x)
		a.Carry--
		changed = true
	}
	if changed {
		simplifyRegion(op.Body)
	}
	return changed
}

// liveCarries finds the carries whose final value is used, or that a live yield or a stacked
// value depends on, to a fixed point.
func liveCarries(op *ir.Op, used map[*ir.Value]bool) []bool {
	a := op.Attrs.(*ir.ScanAttrs)
	live := make([]bool, a.Carry)
	for i := range live {
		live[i] = used[op.Out[i]]
	}
	for {
		roots := append([]*ir.Value(nil), op.Body.Stack...)
		for i, l := range live {
			if l {
				roots = append(roots, op.Body.Yield[i])
			}
		}
		needed := reaching(op.Body, roots)
		grown := false
		for i := range live {
			if !live[i] && needed[op.Body.Params[i]] {
				live[i], grown = true, true
			}
		}
		if !grown {
			return live
		}
	}
}

// reaching gives the values of a region that the roots depend on, the roots included.
func reaching(r *ir.Region, roots []*ir.Value) map[*ir.Value]bool {
	need := map[*ir.Value]bool{}
	for _, v := range roots {
		need[v] = true
	}
	for i := len(r.Ops) - 1; i >= 0; i-- {
		if op := r.Ops[i]; anyUsed(op.Out, need) {
			for _, v := range op.In {
				need[v] = true
			}
		}
	}
	return need
}

// dropBindings removes operands whose parameter the body does not use, and binds an operand
// that is bound twice only once. Carries stay: dropResults decides on them.
func dropBindings(op *ir.Op) bool {
	first := 0
	scan, isScan := op.Attrs.(*ir.ScanAttrs)
	if isScan {
		first = scan.Carry
	}
	each := func(i int) bool { return isScan && i < scan.Carry+scan.Each }
	uses, changed := op.Body.Uses(), false
	for i := len(op.In) - 1; i >= first; i-- {
		twin := -1
		for j := first; j < i; j++ {
			if op.In[j] == op.In[i] && each(j) == each(i) {
				twin = j
			}
		}
		if twin >= 0 {
			op.Body.Replace(map[*ir.Value]*ir.Value{op.Body.Params[i]: op.Body.Params[twin]})
			uses[op.Body.Params[twin]] += uses[op.Body.Params[i]]
		} else if uses[op.Body.Params[i]] > 0 {
			continue
		}
		if each(i) {
			scan.Each--
		}
		op.In, op.Body.Params = remove(op.In, i), remove(op.Body.Params, i)
		changed = true
	}
	return changed
}

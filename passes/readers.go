package passes

import (
	"slices"

	"vitc/ir"
)

// readers are the ops that read each value of a region, and what the region gives out.
type readers struct {
	of   map[*ir.Value][]*ir.Op
	kept map[*ir.Value]bool
}

// usersIn lists them: an op that reads a value twice stands once.
func usersIn(r *ir.Region) readers {
	u := readers{map[*ir.Value][]*ir.Op{}, map[*ir.Value]bool{}}
	for _, op := range r.Ops {
		for i, v := range op.In {
			if !slices.Contains(op.In[:i], v) {
				u.of[v] = append(u.of[v], op)
			}
		}
	}
	for _, v := range slices.Concat(r.Yield, r.Stack) {
		u.kept[v] = true
	}
	return u
}

// replaceIn lets ops read one value for another.
func replaceIn(ops []*ir.Op, old, now *ir.Value) {
	for _, op := range ops {
		for i, v := range op.In {
			if v == old {
				op.In[i] = now
			}
		}
	}
}

// mainProduct finds the largest product that pointwise ops make a value of.
func mainProduct(v *ir.Value) *ir.Op {
	var best *ir.Op
	seen := map[*ir.Value]bool{}
	var visit func(*ir.Value)
	visit = func(v *ir.Value) {
		if v.Def == nil || seen[v] {
			return
		}
		seen[v] = true
		switch {
		case isProduct(v.Def):
			if best == nil || v.Def.ProductFlops() > best.ProductFlops() {
				best = v.Def
			}
		case pointwise(v.Def):
			for _, in := range v.Def.In {
				visit(in)
			}
		}
	}
	visit(v)
	return best
}

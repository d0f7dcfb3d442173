package passes

import "vitc/ir"

// succession knows what comes before what: operands, and what covers wait for.
type succession struct {
	behind map[*ir.Op][]*ir.Value
}

// before is the ops that must have run for values to be there.
func (g *succession) before(values []*ir.Value) map[*ir.Op]bool {
	seen := map[*ir.Op]bool{}
	var visit func([]*ir.Value)
	visit = func(vs []*ir.Value) {
		for _, v := range vs {
			if v.Def == nil || seen[v.Def] {
				continue
			}
			seen[v.Def] = true
			visit(v.Def.In)
			visit(g.behind[v.Def])
		}
	}
	visit(values)
	return seen
}

// dependenceOrder puts ops behind what they read, and otherwise as they were.
func dependenceOrder(ops []*ir.Op) []*ir.Op {
	var out []*ir.Op
	done := map[*ir.Op]bool{}
	inside := map[*ir.Op]bool{}
	for _, op := range ops {
		inside[op] = true
	}
	var visit func(*ir.Op)
	visit = func(op *ir.Op) {
		if op == nil || done[op] || !inside[op] {
			return
		}
		done[op] = true
		for _, v := range op.In {
			visit(v.Def)
		}
		out = append(out, op)
	}
	for _, op := range ops {
		visit(op)
	}
	return out
}

package driver

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/passes"
)

// find gives the values that a tensor's name means, in the order of the step: of a leaf of the state
// it, and of all that stands for it what is moved.
func (x *explainer) find(tensor string) ([]*ir.Value, error) {
	f := x.d.Func
	var names []string
	for i, a := range f.Args {
		if a.Name == tensor {
			return x.leaf(f.Body.Params[i], a), nil
		}
		names = append(names, a.Name)
	}
	paths := x.paths()
	place, line := tensor, 0
	if path, number, ok := strings.Cut(tensor, ":"); ok {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			place, line = path, n
		}
	}
	var found []*ir.Value
	for _, v := range x.order {
		if v.Pos != nil && ir.Under(place, v.Pos.Path) && marked(v, place, line) && v.Type.Rank() > 0 {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		return nil, x.unknown(tensor, append(names, paths...))
	}
	return found, nil
}

// marked reports whether a value is made by an instance itself or, where there is a line, at that line
// of the instance or of what it calls.
func marked(v *ir.Value, place string, line int) bool {
	if line == 0 {
		return v.Pos.Path == place
	}
	for l := v.Pos; l != nil; l = l.From {
		if l.Line == line {
			return true
		}
	}
	return false
}

// paths lists the paths of instances that compute something.
func (x *explainer) paths() []string {
	var list []string
	for _, v := range x.order {
		if v.Pos != nil && v.Pos.Path != "" {
			list = append(list, v.Pos.Path)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// leaf gives an argument and what is moved of all that stands for it: what it becomes in loops and in
// other dtypes, its gradient, its new value. Those are the values of its shape that pointwise ops and
// loops' borders join to it, but for what examples reach.
func (x *explainer) leaf(v *ir.Value, port ir.Port) []*ir.Value {
	if port.Role != ir.RoleState {
		return []*ir.Value{v}
	}
	next, asked := x.joins(), v
	seen, queue := map[*ir.Value]bool{v: true}, []*ir.Value{v}
	for i, r := range x.d.Func.Results {
		if y := x.d.Func.Body.Yield[i]; r == port && !seen[y] {
			seen[y] = true
			queue = append(queue, y)
		}
	}
	for len(queue) > 0 {
		v, queue = queue[0], queue[1:]
		for _, w := range next[v] {
			if !seen[w] && !x.d.Activation(w) {
				seen[w] = true
				queue = append(queue, w)
			}
		}
	}
	moved := func(v *ir.Value) bool {
		return slices.ContainsFunc(x.d.Moves, func(m passes.Moved) bool { return m.Value == v })
	}
	return slices.DeleteFunc(slices.Clone(x.order), func(v *ir.Value) bool {
		return !seen[v] || v != asked && (x.names[v] != "" || !moved(v))
	})
}

// joins maps each value to those that are the same tensor, or made of it place by place.
func (x *explainer) joins() map[*ir.Value][]*ir.Value {
	next := map[*ir.Value][]*ir.Value{}
	join := func(a, b *ir.Value) {
		if a.Lit == nil && b.Lit == nil && a != b {
			next[a], next[b] = append(next[a], b), append(next[b], a)
		}
	}
	x.d.Func.Body.Walk(func(op *ir.Op) {
		switch {
		case op.Body != nil:
			a, _ := op.Attrs.(*ir.ScanAttrs)
			for i, p := range op.Body.Params {
				join(op.In[i], p)
			}
			for i, y := range op.Body.Yield {
				join(y, op.Out[i])
			}
			for i, s := range op.Body.Stack {
				join(s, op.Out[a.Carry+i])
			}
		case op.Row.Class == ir.Pointwise:
			for _, in := range op.In {
				if in.Type.SameShape(op.Out[0].Type) {
					join(in, op.Out[0])
				}
			}
		}
	})
	return next
}

// nearby lists the candidates that share most of a name's parts, at most five.
func nearby(name string, candidates []string) []string {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == ':' })
	score := func(c string) int {
		n := 0
		for _, p := range strings.Split(c, ".") {
			if slices.Contains(parts, p) || diag.Nearest(p, parts) != "" {
				n++
			}
		}
		return n
	}
	near := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(candidates))), func(c string) bool { return score(c) == 0 })
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(score(b), score(a)) })
	return near[:min(len(near), 5)]
}

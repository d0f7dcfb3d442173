package passes

import (
	"slices"

	"vitc/ir"
)

// What is one kernel. Unify the dims of all values of a group by the ops' rules: the classes
// are the kernel's loops, ordered as in its values of most dims. Demanded of every kernel:
//
//   - the dims of each value are distinct classes in the loops' order;
//   - work on fewer dims than the kernel's results have is done again for each, so it is cheap.
//
// kind loop, without sums: every result has all loops.
// kind loop with sums: all reduces sum over the same loops R. If R holds the innermost loop
// (rows: layer norm, softmax), what was summed may be spread again, and a result has all
// loops or all but R. Otherwise (columns: bias gradients) nothing is spread again, and a
// result has all loops but R.
// kind gemm: one dot of outer values; all else is pointwise in the dot's result.

// loopOp reports whether an op may stand in a kernel of kind loop.
func loopOp(op *ir.Op) bool {
	switch op.Row.Class {
	case ir.Pointwise, ir.Source:
		return true
	}
	return op.Row.Name == "broadcast" || op.Row.Name == "reduce"
}

// kernelKind names the kind of kernel that a group of ops is, "" for what is no kernel.
func kernelKind(ops []*ir.Op) string {
	first := ops[0]
	switch {
	case slices.ContainsFunc(ops, func(op *ir.Op) bool { return op.Row.Name == "dot" }):
		return "gemm"
	case loopOp(first):
		return "loop"
	case first.Row.Name == "scan" || first.Row.Class == ir.Collective || isView(first):
		return ""
	}
	return "copy"
}

// isView reports whether an op only looks at its operand's memory in another way.
func isView(op *ir.Op) bool {
	switch op.Row.Name {
	case "rearrange":
		return slices.Equal(flatten(op.Rule.In[0]), flatten(op.Rule.Out[0]))
	case "slice":
		for _, d := range op.In[0].Type.Dims[:op.Attrs.(*ir.SliceAttrs).Dim] {
			if d.Size != 1 {
				return false
			}
		}
		return true
	}
	return false
}

func flatten(t ir.Term) []int {
	var fs []int
	for _, d := range t {
		fs = append(fs, d...)
	}
	return fs
}

// space is the unified iteration space of a group.
type space struct {
	parent []int               // union-find over dims
	dims   map[*ir.Value][]int // a value's dims as nodes
	base   []int               // the loops, outermost first
	sums   []int               // R
	dot    *ir.Op              // of a gemm
	summed map[*ir.Value]bool  // depends on a reduce of the group
}

// isKernel says whether ops, in program order, with the given results make one kernel.
func isKernel(ops []*ir.Op, yields []*ir.Value) bool {
	s := &space{dims: map[*ir.Value][]int{}, summed: map[*ir.Value]bool{}}
	for _, op := range ops {
		if op.Row.Name == "dot" {
			if s.dot != nil {
				return false
			}
			s.dot = op
		} else if !loopOp(op) {
			return false
		}
		s.unify(op)
	}
	if s.dot != nil {
		return s.gemm(ops, yields)
	}
	return s.loop(ops, yields)
}

func (s *space) nodes(v *ir.Value) []int {
	if n, ok := s.dims[v]; ok || v.Type.Rank() == 0 {
		return n
	}
	n := make([]int, v.Type.Rank())
	for i := range n {
		n[i] = len(s.parent)
		s.parent = append(s.parent, n[i])
	}
	s.dims[v] = n
	return n
}

func (s *space) find(n int) int {
	for s.parent[n] != n {
		s.parent[n] = s.parent[s.parent[n]]
		n = s.parent[n]
	}
	return n
}

// unify joins the dims that an op's rule gives one factor. A dot's operands and a draw's key
// are read by other loops than the kernel's.
func (s *space) unify(op *ir.Op) {
	r := ir.RuleOf(op)
	of := map[int]int{}
	join := func(v *ir.Value, t ir.Term) {
		for i, n := range s.nodes(v) {
			f := t[i][0]
			if have, ok := of[f]; ok {
				s.parent[s.find(n)] = s.find(have)
			} else {
				of[f] = n
			}
		}
	}
	if op.Row.Name != "dot" && op.Row.Class != ir.Source {
		for i, v := range op.In {
			join(v, r.In[i])
		}
	}
	join(op.Out[0], r.Out[0])
}

func (s *space) classes(v *ir.Value) []int {
	var cs []int
	for _, n := range s.nodes(v) {
		cs = append(cs, s.find(n))
	}
	return cs
}

// settle chooses the loops from the value of most dims, and checks that every other value's
// dims are among them, in order.
func (s *space) settle(ops []*ir.Op) bool {
	values := s.values(ops)
	for _, v := range values {
		if cs := s.classes(v); len(cs) > len(s.base) {
			s.base = cs
		}
	}
	for _, v := range values {
		at := 0
		for _, c := range s.classes(v) {
			i := slices.Index(s.base[at:], c)
			if i < 0 {
				return false
			}
			at += i + 1
		}
	}
	return distinct(s.base)
}

func distinct(cs []int) bool {
	for i, c := range cs {
		if slices.Contains(cs[i+1:], c) {
			return false
		}
	}
	return true
}

// values lists what the group's loops touch.
func (s *space) values(ops []*ir.Op) []*ir.Value {
	var vs []*ir.Value
	for _, op := range ops {
		if op != s.dot && op.Row.Class != ir.Source {
			vs = append(vs, op.In...)
		}
		vs = append(vs, op.Out...)
	}
	return vs
}

func (s *space) gemm(ops []*ir.Op, yields []*ir.Value) bool {
	made := map[*ir.Value]bool{}
	for _, op := range ops {
		if op.Row.Name == "reduce" {
			return false
		}
		made[op.Out[0]] = true
	}
	if made[s.dot.In[0]] || made[s.dot.In[1]] || !s.settle(ops) || len(s.base) != s.dot.Out[0].Type.Rank() {
		return false
	}
	return s.results(yields, len(s.base), len(s.base)) && s.cheapBelow(ops, len(s.base), len(s.base))
}

func (s *space) loop(ops []*ir.Op, yields []*ir.Value) bool {
	if !s.settle(ops) || !s.findSums(ops) {
		return false
	}
	full, rows := len(s.base), len(s.base)-len(s.sums)
	if len(s.sums) > 0 && !slices.Contains(s.sums, s.base[full-1]) {
		return s.columns(ops) && s.exactly(yields, rows)
	}
	return s.results(yields, full, rows) && s.cheapBelow(ops, full, rows)
}

// findSums finds the loops summed over, which must be the same for all reduces, and marks what
// depends on a sum.
func (s *space) findSums(ops []*ir.Op) bool {
	for _, op := range ops {
		for _, v := range op.In {
			s.summed[op.Out[0]] = s.summed[op.Out[0]] || s.summed[v]
		}
		if op.Row.Name != "reduce" {
			continue
		}
		s.summed[op.Out[0]] = true
		var over []int
		kept := s.classes(op.Out[0])
		for _, c := range s.classes(op.In[0]) {
			if !slices.Contains(kept, c) {
				over = append(over, c)
			}
		}
		if s.sums != nil && !slices.Equal(s.sums, over) || len(op.In[0].Type.Dims) != len(s.base) {
			return false
		}
		s.sums = over
	}
	return true
}

// columns: nothing that has a summed loop may depend on a sum.
func (s *space) columns(ops []*ir.Op) bool {
	for _, op := range ops {
		for _, v := range append(slices.Clone(op.In), op.Out...) {
			if !s.summed[v] {
				continue
			}
			for _, c := range s.classes(v) {
				if slices.Contains(s.sums, c) {
					return false
				}
			}
		}
	}
	return s.cheapBelow(ops, len(s.base), len(s.base)-len(s.sums))
}

// results: each result has all loops, or all but those summed over.
func (s *space) results(yields []*ir.Value, full, rows int) bool {
	for _, v := range yields {
		n := v.Type.Rank()
		if n != full && (n != rows || s.hasSum(v)) {
			return false
		}
	}
	return true
}

func (s *space) hasSum(v *ir.Value) bool {
	for _, c := range s.classes(v) {
		if slices.Contains(s.sums, c) {
			return true
		}
	}
	return false
}

func (s *space) exactly(yields []*ir.Value, rows int) bool {
	for _, v := range yields {
		if v.Type.Rank() != rows || s.hasSum(v) {
			return false
		}
	}
	return true
}

// cheapBelow: the work on neither all loops nor all but the summed ones costs next to nothing.
func (s *space) cheapBelow(ops []*ir.Op, full, rows int) bool {
	cost := 0
	for _, op := range ops {
		v := op.Out[0]
		if n := v.Type.Rank(); n != full && (n != rows || s.hasSum(v)) && op.Row.Class != ir.Linear {
			cost += op.Row.Flops
		}
	}
	return cost <= 4
}

package llvm

import (
	"slices"

	"vitc/ir"
)

// The iteration space of a body: unify the dims of its values by the ops' rules; the classes
// are the axes, in the order of the value of most dims, which is the order of memory. Every
// leaf (a parameter, a result, an iota, a draw) is a linear form of the axes' indices; adjacent
// axes that every form treats as one are made one, so that most kernels end with one or two.

// axis is one loop of a kernel.
type axis struct {
	size int
	sum  bool // summed over by the body's reduces
}

// set is a set of axes, as bits.
type set uint64

func (s set) has(a int) bool { return s>>a&1 != 0 }

func bit(a int) set { return 1 << a }

// form is an index linear in the axes' indices: the sum of coef[a] times the index of axis a.
type form []int

// on is the set of axes that a form depends on.
func (f form) on() set {
	var s set
	for a, c := range f {
		if c != 0 {
			s |= bit(a)
		}
	}
	return s
}

// space is the analysed body of a fusion.
type space struct {
	op    *ir.Op
	body  *ir.Region
	axes  []axis
	forms map[*ir.Value]form // where an element lies, in elements, in a dense buffer
	reads map[*ir.Value]form // the number that an iota gives or a draw is indexed by
	spans map[*ir.Value]set  // the axes of a value's dims
	level map[*ir.Value]int  // how many reduces one after the other a value waits for
	deps  map[*ir.Value]set  // the axes that a value changes along
	dot   *ir.Op             // the body's dot, if it has one: its axes are not merged
	sums  map[*ir.Op]bool    // the reduces that reduce something
}

// maxAxes bounds the number of a set's bits.
const maxAxes = 60

// newSpace analyses a body. A dot's operands and a draw's key are left out: they are read by
// other loops. Linked parameters have the same dims, though no op says so.
func newSpace(op *ir.Op, linked ...*ir.Value) *space {
	s := emptySpace(op, op.Body)
	u := &unifier{nodes: map[*ir.Value][]int{}}
	for _, in := range s.body.Ops {
		if in.Row.Name == "dot" {
			s.dot = in
		}
		u.unify(in)
	}
	for _, p := range linked {
		for i, n := range u.of(p) {
			u.parent[u.find(n)] = u.find(u.of(linked[0])[i])
		}
	}
	base := u.base(s.values())
	for _, n := range base {
		s.axes = append(s.axes, axis{size: u.size[n]})
	}
	if len(base) > maxAxes {
		failf(op, "a kernel of %d dims", len(base))
	}
	for _, v := range s.values() {
		s.place(v, u.classes(v), base)
	}
	s.markSums()
	if s.dot == nil {
		s.coalesce()
	}
	s.follow()
	return s
}

// emptySpace is a space without axes yet.
func emptySpace(op *ir.Op, body *ir.Region) *space {
	return &space{op: op, body: body, forms: map[*ir.Value]form{}, reads: map[*ir.Value]form{}, spans: map[*ir.Value]set{},
		level: map[*ir.Value]int{}, deps: map[*ir.Value]set{}, sums: map[*ir.Op]bool{}}
}

// unifier joins dims of values into classes.
type unifier struct {
	nodes  map[*ir.Value][]int
	parent []int
	size   []int
}

func (u *unifier) of(v *ir.Value) []int {
	n, ok := u.nodes[v]
	if ok {
		return n
	}
	for _, d := range v.Type.Dims {
		n = append(n, len(u.parent))
		u.parent = append(u.parent, len(u.parent))
		u.size = append(u.size, d.Size)
	}
	u.nodes[v] = n
	return n
}

func (u *unifier) find(n int) int {
	for u.parent[n] != n {
		n = u.parent[n]
	}
	return n
}

func (u *unifier) unify(op *ir.Op) {
	r := ir.RuleOf(op)
	first := map[int]int{} // the first dim seen of each factor
	join := func(v *ir.Value, t ir.Term) {
		for i, n := range u.of(v) {
			if len(t) <= i || len(t[i]) != 1 {
				failf(op, "a rule of joined dims in a kernel")
			}
			if m, ok := first[t[i][0]]; ok {
				u.parent[u.find(n)] = u.find(m)
			} else {
				first[t[i][0]] = n
			}
		}
	}
	if !readsApart(op) {
		for i, v := range op.In {
			if v.Type.Rank() > 0 {
				join(v, r.In[i])
			}
		}
	}
	join(op.Out[0], r.Out[0])
}

// readsApart reports whether an op's operands are not read position by position.
func readsApart(op *ir.Op) bool { return op.Row.Name == "dot" || op.Row.Class == ir.Source }

func (u *unifier) classes(v *ir.Value) []int {
	var cs []int
	for _, n := range u.of(v) {
		cs = append(cs, u.find(n))
	}
	return cs
}

// base is the loops: the classes of the value with most dims.
func (u *unifier) base(vs []*ir.Value) []int {
	var base []int
	for _, v := range vs {
		if cs := u.classes(v); len(cs) > len(base) {
			base = cs
		}
	}
	return base
}

// values lists what the loops touch: parameters read by position, and all results of ops.
func (s *space) values() []*ir.Value {
	apart := map[*ir.Value]bool{}
	near := map[*ir.Value]bool{}
	for _, op := range s.body.Ops {
		for _, v := range op.In {
			if readsApart(op) {
				apart[v] = true
			} else {
				near[v] = true
			}
		}
	}
	var vs []*ir.Value
	for _, p := range s.body.Params {
		if near[p] || !apart[p] {
			vs = append(vs, p)
		}
	}
	for _, op := range s.body.Ops {
		vs = append(vs, op.Out...)
	}
	return vs
}

// place gives a value its axes and its forms.
func (s *space) place(v *ir.Value, classes, base []int) {
	memory, reads := make(form, len(base)), make(form, len(base))
	strides := v.Type.Strides()
	for i, c := range classes {
		a := slices.Index(base, c)
		if a < 0 || s.spans[v].has(a) {
			failf(s.op, "%%%s %s has a dim that is no loop of the kernel", v.Name, v.Type)
		}
		s.spans[v] |= bit(a)
		memory[a] = strides[i]
		if v.Def != nil && v.Def.Row.Class == ir.Source {
			reads[a] = sourceStride(v.Def, i)
		}
	}
	s.forms[v] = memory
	if v.Def != nil && v.Def.Row.Class == ir.Source {
		s.reads[v] = reads
	}
}

// sourceStride is how far the number a source reads moves along a dim.
func sourceStride(op *ir.Op, dim int) int {
	switch a := op.Attrs.(type) {
	case *ir.IotaAttrs:
		if a.Dim == dim {
			return 1
		}
	case *ir.RngAttrs:
		return a.Strides[dim]
	}
	return 0
}

// markSums finds the axes summed over, the same for every reduce.
func (s *space) markSums() {
	var over set
	found := false
	for _, op := range s.body.Ops {
		if op.Row.Name != "reduce" {
			continue
		}
		r := s.spans[op.In[0]] &^ s.spans[op.Out[0]]
		if r == 0 {
			continue // its result is its operand
		}
		s.sums[op] = true
		if found && r != over {
			failf(op, "two reduces of one kernel sum over different dims")
		}
		over, found = r, true
	}
	for a := range s.axes {
		s.axes[a].sum = over.has(a)
	}
}

// leaves lists the forms that a kernel computes with: those of parameters and results, and
// the numbers of sources.
func (s *space) leaves() []form {
	var fs []form
	for _, v := range append(slices.Clone(s.body.Params), s.body.Yield...) {
		if f, ok := s.forms[v]; ok {
			fs = append(fs, f)
		}
	}
	for _, op := range s.body.Ops {
		if op.Row.Class == ir.Source {
			fs = append(fs, s.reads[op.Out[0]])
		}
	}
	return fs
}

// coalesce drops axes of size 1 and merges an axis into the next where every leaf moves along
// the two as along one.
func (s *space) coalesce() {
	s.coalesceBy(s.leaves(), func(outer, inner int) bool { return s.axes[outer].sum == s.axes[inner].sum })
}

// merging says what became of the axes: the new axis of each old one, -1 for those of size 1,
// and whether the new one moves as the old one did.
type merging struct {
	axis []int
	same []bool
	size int // axes that are left
}

// form is a form over the new axes.
func (m *merging) form(f form) form {
	g := make(form, m.size)
	for a, c := range f {
		if m.same[a] {
			g[m.axis[a]] = c
		}
	}
	return g
}

// coalesceBy merges adjacent axes for which alike holds and along which the leaves move as
// one.
func (s *space) coalesceBy(leaves []form, alike func(outer, inner int) bool) *merging {
	m := &merging{axis: make([]int, len(s.axes)), same: make([]bool, len(s.axes))}
	var merged []axis
	last := -1 // the old axis that the newest new one ends with
	for a, x := range s.axes {
		m.axis[a] = -1
		if x.size == 1 {
			continue
		}
		if last >= 0 && alike(last, a) && movesAsOne(leaves, last, a, x.size) {
			merged[len(merged)-1].size *= x.size
			m.same[last] = false
		} else {
			merged = append(merged, x)
		}
		m.axis[a], m.same[a], last = len(merged)-1, true, a
	}
	m.size = len(merged)
	for v, f := range s.forms {
		s.forms[v] = m.form(f)
	}
	for v, f := range s.reads {
		s.reads[v] = m.form(f)
	}
	for v, old := range s.spans {
		var span set
		for a, n := range m.axis {
			if n >= 0 && old.has(a) {
				span |= bit(n)
			}
		}
		s.spans[v] = span
	}
	s.axes = merged
	return m
}

func movesAsOne(leaves []form, outer, inner, size int) bool {
	for _, f := range leaves {
		if f[outer] != f[inner]*size {
			return false
		}
	}
	return true
}

// follow finds what every value depends on.
func (s *space) follow() {
	for _, v := range s.body.Params {
		if f, ok := s.forms[v]; ok {
			s.deps[v] = f.on()
		}
	}
	for _, op := range s.body.Ops {
		v := op.Out[0]
		if op.Row.Class == ir.Source {
			s.deps[v] = s.reads[v].on()
			continue
		}
		s.deps[v] = 0
		for _, in := range op.In {
			s.deps[v] |= s.deps[in]
			s.level[v] = max(s.level[v], s.level[in])
		}
		switch {
		case s.sums[op]:
			s.level[v]++
			s.deps[v] = s.spans[v]
		case op == s.dot:
			s.deps[v] = s.spans[v]
		}
	}
}

// summed lists the axes summed over.
func (s *space) summed() []int { return s.pick(func(a int) bool { return s.axes[a].sum }) }

func (s *space) summedSet() (sums set) {
	for _, a := range s.summed() {
		sums |= bit(a)
	}
	return sums
}

// outer lists the axes not summed over.
func (s *space) outer() []int { return s.pick(func(a int) bool { return !s.axes[a].sum }) }

func (s *space) pick(f func(a int) bool) []int {
	var as []int
	for a := range s.axes {
		if f(a) {
			as = append(as, a)
		}
	}
	return as
}

// size is the number of points of some axes.
func (s *space) size(as []int) int {
	n := 1
	for _, a := range as {
		n *= s.axes[a].size
	}
	return n
}

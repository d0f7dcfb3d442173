package lang

import (
	"vitc/ir"
	"vitc/ir/diag"
)

// scope is a region under construction: a function's, or the body of a loop within one.
type scope struct {
	parent  *scope
	loop    *loop // whose body this is, nil for a function
	b       ir.Builder
	vals    map[*cell]*ir.Value // leaves as read here, or as written last
	reals   map[*ir.Value]*ir.Value
	each    []eachOperand
	index   *ir.Value // the turn's number, i32[]
	written []*cell   // in order of their first write
	fn      *funcScope
}

// eachOperand is a value of the parent that the loop is cut along.
type eachOperand struct{ outer, inner *ir.Value }

// funcScope is what the scopes of one function share.
type funcScope struct {
	root *scope
	// arg makes the argument that holds a leaf's value.
	arg func(*cell) *ir.Value
	// key makes the key that draws begin with, nil where nothing can be drawn.
	key    func(*ir.Builder) *ir.Value
	start  *ir.Value
	prefix string               // tells the sites of one purpose from those of another
	sites  map[string]*ir.Value // keys by site, at the function's level
	// extra makes the argument for another evaluation's result.
	extra func(name string, t *tensor) *ir.Value
}

func newScope(fn *funcScope) *scope {
	s := &scope{b: ir.Builder{Region: &ir.Region{}}, vals: map[*cell]*ir.Value{}, reals: map[*ir.Value]*ir.Value{}, fn: fn}
	fn.root = s
	if fn.sites == nil {
		fn.sites = map[string]*ir.Value{}
	}
	return s
}

// base is the key that every draw of the function begins with.
func (fs *funcScope) base() *ir.Value {
	if fs.start == nil {
		fs.start = fs.key(&fs.root.b)
	}
	return fs.start
}

func (s *scope) inner(l *loop) *scope {
	return &scope{parent: s, loop: l, b: ir.Builder{Region: &ir.Region{}}, vals: map[*cell]*ir.Value{}, reals: map[*ir.Value]*ir.Value{}, fn: s.fn}
}

// read returns a leaf's value here: sliced by every loop around that it is stacked over.
func (s *scope) read(l *cell) *ir.Value {
	if v := s.vals[l]; v != nil {
		return v
	}
	if s.parent == nil {
		v := s.fn.arg(l)
		s.vals[l] = v
		return v
	}
	outer := s.parent.read(l)
	if !l.over(s.loop) {
		return outer
	}
	v := s.slice(outer, l.path)
	s.vals[l] = v
	return v
}

// slice binds an outer value to be cut along its leading dim, a slice a turn.
func (s *scope) slice(outer *ir.Value, name string) *ir.Value {
	inner := &ir.Value{Name: name, Type: ir.EachType(outer.Type), Pos: outer.Pos}
	s.each = append(s.each, eachOperand{outer, inner})
	return inner
}

// real converts a stored value to the working precision, once for each scope that reads it.
func (s *scope) real(v *ir.Value, at func(*scope) *ir.Builder) *ir.Value {
	owner := s.owner(v)
	if r := owner.reals[v]; r != nil {
		return r
	}
	r := at(owner).Cast(v, ir.Real)
	owner.reals[v] = r
	return r
}

// owner is the scope that a leaf's value belongs to.
func (s *scope) owner(v *ir.Value) *scope {
	for t := s; t.parent != nil; t = t.parent {
		for _, e := range t.each {
			if e.inner == v {
				return t
			}
		}
	}
	return s.fn.root
}

// write gives a leaf its new value.
func (s *scope) write(l *cell, v *ir.Value) {
	s.vals[l] = v
	for _, w := range s.written {
		if w == l {
			return
		}
	}
	s.written = append(s.written, l)
}

// turn is the number of the turn of a loop around, nil if the scope is not inside it.
func (s *scope) turn(l *loop) *ir.Value {
	for t := s; t.parent != nil; t = t.parent {
		if t.loop != l {
			continue
		}
		if t.index == nil {
			a := l.axis
			iota := t.parent.b.Iota(ir.T(ir.I32, ir.Dim{Label: a.name, Size: a.size}), 0)
			t.index = t.slice(iota, "turn")
		}
		return t.index
	}
	return nil
}

// close emits the loop into the parent: carries enter and leave, stacks are written leaves
// and extra values. It returns the carries' last values, then the stacks.
func (s *scope) close(pos *diag.Loc, carry []eachOperand, yield, stack []*ir.Value) []*ir.Value {
	r := s.b.Region
	var in []*ir.Value
	for _, c := range carry {
		r.Params = append(r.Params, c.inner)
		in = append(in, c.outer)
	}
	for _, e := range s.each {
		r.Params = append(r.Params, e.inner)
		in = append(in, e.outer)
	}
	r.Yield = yield
	r.Stack = stack
	in = append(in, r.Close()...)
	attrs := &ir.ScanAttrs{Length: s.loop.axis.size, Carry: len(carry), Each: len(s.each), Label: s.loop.axis.name}
	op := &ir.Op{Row: ir.Lookup("scan"), In: in, Attrs: attrs, Body: r, Pos: pos}
	return s.parent.b.Emit(op, nil)
}

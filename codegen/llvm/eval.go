package llvm

import (
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// Values of a body are evaluated when first asked for and remembered in a scope: the block of
// code in which they were emitted, and the blocks inside it. What changes along the vector
// axis has lanes, and lives in a scope of its own beside that of what does not.

// scope remembers what has been emitted in a block of code.
type scope struct {
	up   *scope
	vals map[*ir.Value]value.Value
	addr map[*buffer]value.Value
}

func (s *scope) push() *scope {
	return &scope{up: s, vals: map[*ir.Value]value.Value{}, addr: map[*buffer]value.Value{}}
}

func (s *scope) value(v *ir.Value) value.Value {
	for ; s != nil; s = s.up {
		if x, ok := s.vals[v]; ok {
			return x
		}
	}
	return nil
}

func (s *scope) address(m *buffer) value.Value {
	for ; s != nil; s = s.up {
		if x, ok := s.addr[m]; ok {
			return x
		}
	}
	return m.base
}

// piece is a run of lanes along the vector axis.
type piece struct {
	off    int // from where the run of pieces starts
	lanes  int
	active int // lanes that exist
}

// cursor is a point in the nest: the indices fixed so far, and what is known there.
type cursor struct {
	at     []value.Value // i64, nil: this axis is still open
	shared *scope
	lane   *scope      // nil while the vector axis is open
	piece              // along the vector axis, from at[vec]
	tail   value.Value // a mask of the lanes that exist, where a piece cannot tell
}

// mask is the mask of the lanes that exist, nil if all do.
func (c *cursor) mask() value.Value {
	if c.tail != nil || c.active == c.piece.lanes {
		return c.tail
	}
	return emit.ConstMask(c.piece.lanes, c.active)
}

func (c *cursor) fixed(a int) bool { return c.at[a] != nil }

// nest emits one kernel's code over the space of a body.
type nest struct {
	*space
	b      *emit.Builder
	vec    int // the axis whose positions are lanes; -1: none
	params map[*ir.Value]*buffer
	yields []*buffer // beside body.Yield
	// given evaluates values that come from elsewhere: the dot of a gemm.
	given map[*ir.Value]func(c cursor) value.Value
	apart map[*ir.Value]value.Value // pointers of what is not read by position
	kept  []*keptRow                // in scratch memory
}

// buffers lists all that addresses are kept for.
func (k *nest) buffers() []*buffer {
	var ms []*buffer
	for _, p := range k.body.Params {
		if m := k.params[p]; m != nil {
			ms = append(ms, m)
		}
	}
	for _, r := range k.kept {
		ms = append(ms, r.memory)
	}
	return append(ms, k.yields...)
}

// start is the cursor outside of all loops.
func (k *nest) start() cursor {
	return cursor{at: make([]value.Value, len(k.axes)), shared: (*scope)(nil).push(), piece: piece{lanes: 1, active: 1}}
}

// enter fixes the index of an axis other than the vector axis.
func (k *nest) enter(c cursor, a int, i value.Value) cursor {
	c.at = append([]value.Value(nil), c.at...)
	c.at[a] = i
	c = k.inner(c)
	for _, m := range k.buffers() {
		if coef := m.form[a]; coef != 0 {
			at := c.shared.up.address(m)
			if have, ok := c.shared.addr[m]; ok {
				at = have
			}
			c.shared.addr[m] = k.b.At(storedType(m.dtype), at, k.b.Mul(i, emit.Int(coef)))
		}
	}
	return c
}

// inner is the cursor in a block inside that of c.
func (k *nest) inner(c cursor) cursor {
	c.shared = c.shared.push()
	if c.lane != nil {
		c.lane = c.lane.push()
	}
	return c
}

// enterLanes fixes the vector axis: position i and the piece's offset are the first lane's.
func (k *nest) enterLanes(c cursor, i value.Value, p piece) cursor {
	if k.vec >= 0 {
		c.at = append([]value.Value(nil), c.at...)
		c.at[k.vec] = i
	}
	c.lane = (*scope)(nil).push()
	c.piece = p
	return c
}

// wide reports whether a value has lanes.
func (k *nest) wide(v *ir.Value) bool { return k.vec >= 0 && k.deps[v].has(k.vec) }

// eval is a value's lanes, or its one value if it does not change along the vector axis.
func (k *nest) eval(c cursor, v *ir.Value) value.Value {
	if v.Lit != nil {
		return literal(v)
	}
	s := c.shared
	if k.wide(v) {
		s = c.lane
	}
	if x := s.value(v); x != nil {
		return x
	}
	x := k.compute(c, v)
	s.vals[v] = x
	return x
}

// lanes is eval with a single value spread over the cursor's lanes.
func (k *nest) lanes(c cursor, v *ir.Value) value.Value {
	x := k.eval(c, v)
	if k.wide(v) {
		return x
	}
	return k.b.Splat(x, c.lanes)
}

func (k *nest) compute(c cursor, v *ir.Value) value.Value {
	if f := k.given[v]; f != nil {
		return f(c)
	}
	if r := k.rowOf(v); r != nil && r.filled {
		return k.load(c, r.memory)
	}
	if m := k.params[v]; m != nil {
		return k.load(c, m)
	}
	if p := k.apart[v]; p != nil {
		return loadLane(k.b, v.Type.DType, p, emit.Int(0))
	}
	op := v.Def
	if op == nil {
		failf(k.op, "%%%s has no buffer", v.Name)
	}
	switch {
	case op.Row.Class == ir.Pointwise:
		return k.pointwise(c, op)
	case op.Row.Name == "broadcast", op.Row.Name == "reduce":
		return k.eval(c, op.In[0]) // a reduce that sums is never computed here
	case op.Row.Name == "iota":
		return k.position(c, k.reads[v])
	case op.Row.Name == "rng_bits":
		return k.draw(c, op)
	}
	failf(op, "has no code in a kernel of kind %s", k.op.Attrs.(*ir.FusionAttrs).Kind)
	return nil
}

func (k *nest) pointwise(c cursor, op *ir.Op) value.Value {
	f := scalarOps[op.Row.Name]
	if f == nil {
		failf(op, "has no CPU code yet: it has no entry in the table of scalar ops")
	}
	x := make([]value.Value, len(op.In))
	for i, v := range op.In {
		if x[i] = k.eval(c, v); k.wide(op.Out[0]) && !k.wide(v) {
			x[i] = k.b.Splat(x[i], c.lanes)
		}
	}
	y := f(k.b, op, x)
	if exactOps[op.Row.Name] {
		return y
	}
	return rounded(k.b, op.Out[0].Type.DType, y)
}

// hoist evaluates what of need is known at the cursor, so that loops inside do not.
func (k *nest) hoist(c cursor, need []*ir.Value) {
	for _, v := range need {
		if k.wide(v) && c.lane == nil {
			continue
		}
		known := true
		for a := range k.axes {
			if k.deps[v].has(a) && !c.fixed(a) {
				known = false
			}
		}
		if known {
			k.eval(c, v)
		}
	}
}

// need lists what targets are computed from, in order; values already known at c and what
// they are computed from are left out.
func (k *nest) need(c cursor, targets []*ir.Value) []*ir.Value {
	want := map[*ir.Value]bool{}
	var visit func(v *ir.Value)
	visit = func(v *ir.Value) {
		if v.Lit != nil || want[v] || c.shared.value(v) != nil {
			return
		}
		if k.sums[v.Def] {
			return // its loops have been emitted
		}
		want[v] = true
		if k.given[v] != nil || v.Def == nil {
			return
		}
		if r := k.rowOf(v); r != nil && r.filled {
			return
		}
		for _, in := range v.Def.In {
			if v.Def.Row.Class != ir.Source || k.apart[in] != nil || in.Type.Rank() == 0 {
				visit(in)
			}
		}
	}
	for _, v := range targets {
		visit(v)
	}
	var list []*ir.Value
	for _, p := range k.body.Params {
		if want[p] && k.params[p] != nil {
			list = append(list, p)
		}
	}
	for _, op := range k.body.Ops {
		if v := op.Out[0]; want[v] && k.given[v] == nil {
			list = append(list, v)
		}
	}
	return list
}

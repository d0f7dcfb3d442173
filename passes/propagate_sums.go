package passes

import (
	"slices"

	"vitc/ir"
)

// add lets sums stay in parts: of add and sub, operands that nothing else reads go on as terms of
// the result. Terms that lie alike are added as they are; the rest waits until the sum is read,
// so that a chain of sums of products moves its total once. It reports whether it has done the op.
func (s *scope) add(op *ir.Op) bool {
	if op.Row.Name != "add" && op.Row.Name != "sub" || !slices.ContainsFunc(op.In, s.mayWait) {
		return false
	}
	out := op.Out[0].Type
	if !out.DType.Float() || slices.ContainsFunc(op.In, func(x *ir.Value) bool { return !x.Type.SameShape(out) }) {
		return false
	}
	var terms []*ir.Value
	for i, x := range op.In {
		for _, t := range s.termsOf(x) {
			terms = s.join(terms, t, op, i == 1 && op.Row.Name == "sub")
		}
	}
	s.hold(op.Out[0], terms...)
	return true
}

// mayWait reports whether a value is in parts that only one op reads.
func (s *scope) mayWait(v *ir.Value) bool { return s.parts(v) && s.uses[v] == 1 }

// termsOf gives the parts of a value that may wait, else the value at home.
func (s *scope) termsOf(v *ir.Value) []*ir.Value {
	if s.mayWait(v) {
		return s.held[v].terms
	}
	return []*ir.Value{s.bring(v, s.p.homes.sharding(v))}
}

// join adds a term to those that it lies like, or to the list.
func (s *scope) join(terms []*ir.Value, t *ir.Value, op *ir.Op, minus bool) []*ir.Value {
	for i, have := range terms {
		if have.Type.Shard.Equal(t.Type.Shard) {
			terms[i] = s.emit(&ir.Op{Row: op.Row, In: []*ir.Value{have, t}, Pos: op.Pos}, op.Out[0].Name, have.Type)
			if !minus {
				terms[i].Def.Row = ir.Lookup("add")
			}
			return terms
		}
	}
	if minus {
		t = s.emit(&ir.Op{Row: ir.Lookup("neg"), In: []*ir.Value{t}, Pos: op.Pos}, t.Name, t.Type)
	}
	return append(terms, t)
}

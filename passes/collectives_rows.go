package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// row is how a value of a collective is laid out to be joined with others.
type row struct {
	t    ir.Type // of the row
	rule ir.Rule // from the value to it
}

// rowOf lays out an operand or a result of a collective: a dim for each axis that its dims are cut
// along beside the collective's, one of its devices where it gathers or scatters, and all numbers.
// whole says that the dim gathered or scattered is whole in the value.
func (c *combiner) rowOf(op *ir.Op, t ir.Type, whole bool) row {
	l := &layout{t: ir.T(t.DType)}
	factor := map[string]int{}
	for _, a := range c.othersOf(op, t) {
		factor[a] = l.lead(a, 1, a)
	}
	dim, devices := -1, 0
	switch a, ok := op.Attrs.(*ir.GatherAttrs); {
	case ok && whole:
		dim, devices = a.Dim, l.lead(a.Over[0], c.mesh.Size(a.Over...))
	case ok:
		dim, devices = a.Dim, l.lead(a.Over[0], 1, a.Over...)
	}
	var in ir.Term
	var rest ir.DimFactors
	for d := range t.Dims {
		var fs ir.DimFactors
		for _, a := range t.Shard.Of(d) {
			if f, ok := factor[a]; ok {
				fs = append(fs, f)
			}
		}
		if d == dim {
			fs = append(fs, devices)
		}
		rest = append(rest, l.factor())
		in = append(in, append(fs, rest[d]))
	}
	l.t.Dims = append(l.t.Dims, ir.Dim{Label: "all", Size: t.Size() / l.t.Size()})
	return row{l.t.Sharded(ir.NewSharding(append(l.axes, nil), t.Shard.Sums(), t.Shard.Varies())),
		ir.Rule{In: []ir.Term{in}, Out: []ir.Term{append(l.out, rest)}, Factors: l.factors}}
}

// layout is a row under way: its leading dims, and the factors of the rule to it.
type layout struct {
	t       ir.Type
	axes    [][]string // of its dims
	out     ir.Term
	factors []ir.Factor
}

// lead adds a dim, cut along some axes, and gives its factor.
func (l *layout) lead(label string, size int, along ...string) int {
	f := l.factor()
	l.t.Dims, l.axes, l.out = append(l.t.Dims, ir.Dim{Label: label, Size: size}), append(l.axes, along), append(l.out, ir.DimFactors{f})
	return f
}

func (l *layout) factor() int {
	l.factors = append(l.factors, ir.Factor{Name: byte('a' + len(l.factors))})
	return len(l.factors) - 1
}

// othersOf is the axes that a value's dims are cut along beside the collective's.
func (c *combiner) othersOf(op *ir.Op, t ir.Type) []string {
	var cut []string
	for d := range t.Dims {
		cut = append(cut, without(t.Shard.Of(d), ir.Over(op.Attrs))...)
	}
	return inOrder(c.mesh, cut)
}

// rower writes rows.
type rower struct {
	body *ir.Region
	pos  *diag.Loc
}

func (e *rower) emit(row string, attrs any, r ir.Rule, t ir.Type, in ...*ir.Value) *ir.Value {
	return appendTyped(e.body, e.pos, row, attrs, r, t, in)
}

// flat is a value as a row.
func (e *rower) flat(w row, v *ir.Value) *ir.Value {
	return e.emit("rearrange", nil, w.rule, w.t, v)
}

// concat joins rows.
func (e *rower) concat(rows []*ir.Value) *ir.Value {
	t := rows[0].Type
	dim, n := t.Rank()-1, 0
	for _, v := range rows {
		n += v.Type.Dims[dim].Size
	}
	return e.emit("concat", &ir.ConcatAttrs{Dim: dim}, ir.Rule{}, long(t, n), rows...)
}

// long is the type of a row of n numbers.
func long(t ir.Type, n int) ir.Type {
	t.Dims = slices.Clone(t.Dims)
	t.Dims[t.Rank()-1].Size = n
	return t
}

// collective is the op on joined rows; its result lies as to.
func (e *rower) collective(op *ir.Op, to row, whole *ir.Value) *ir.Value {
	attrs := op.Attrs
	if a, ok := attrs.(*ir.GatherAttrs); ok {
		attrs = &ir.GatherAttrs{Dim: to.t.Rank() - 2, Over: a.Over}
	}
	dim := whole.Type.Rank() - 1
	return e.emit(op.Row.Name, attrs, ir.Rule{}, long(to.t, whole.Type.Dims[dim].Size), whole)
}

// cut takes one value out of joined rows, from a place on, and gives where the next one begins.
func (e *rower) cut(w row, rows *ir.Value, from int, like *ir.Value) (*ir.Value, int) {
	dim := w.t.Rank() - 1
	to := from + w.t.Dims[dim].Size
	e.pos = like.Pos
	v := e.emit("slice", &ir.SliceAttrs{Dim: dim, From: from, To: to}, ir.Rule{}, w.t, rows)
	v = e.emit("rearrange", nil, w.rule.Swap(w.rule.Out, w.rule.In[0]), like.Type, v)
	v.Name = like.Name
	return v, to
}

package lang

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

func solveBuiltins() []*builtin {
	return []*builtin{
		{name: "solve", params: []builtinParam{takes("a", ""), takes("b", ""), byName("over", "axes", false)}, run: solve},
		{name: "resize", params: append([]builtinParam{takes("x", ""), byName("over", "axes", false)}, filterParams...), run: resize},
	}
}

// solve is the x with a·x = b for symmetric positive definite a. `over` names a's two axes, of
// which b has one; x has the same. Other axes of a are a batch, other axes of b right hand
// sides.
func solve(f *frame, c *builtinCall) value {
	ts, ok := f.operands("solve", c.at, c.pos[:2], c.vals[0], c.vals[1])
	if !ok || !f.wants("solve", ts[0], c.at, ts[0].d == ir.F32, "f32", "f32(x)") {
		return bad{}
	}
	a, y := ts[0], ts[1]
	over, ok := f.over(c, 2, a)
	if !ok || !f.square(c, over) {
		return bad{}
	}
	shared := y.axes.only(over)
	if len(shared) != 1 {
		return f.report(&diag.Diagnostic{Code: codeAxes, Pos: c.pos[1], Msg: "the right hand sides of `solve` have one of the matrix's two axes",
			Label: y.String(), Expected: fmt.Sprintf("either `%s` or `%s`", over[0].name, over[1].name)})
	}
	batch := a.axes.without(over)
	head := append(batch, shared...)
	sides := y.axes.without(head)
	out := append(head[:len(head):len(head)], sides...)
	if !f.sizes(c.at, out, a, y) {
		return bad{}
	}
	v := f.build(c.at).Solve(f.spreadTo(a, append(batch[:len(batch):len(batch)], over...), c.at), f.columns(y, head, sides, c.at))
	if len(sides) != 1 {
		r := columnsRule(head, sides)
		v = f.build(c.at).Rearrange(v, r.Swap(r.Out, r.In[0]), out.dims())
	}
	x := &tensor{axes: out, d: ir.F32, v: v}
	ordered := append(hiddenOf(out), out.visible()...)
	return &tensor{axes: ordered, d: ir.F32, v: f.aligned(x, ordered, c.at)}
}

// square reports what is no square matrix.
func (f *frame) square(c *builtinCall, over axes) bool {
	if len(over) == 2 && over[0].size == over[1].size {
		return true
	}
	d := &diag.Diagnostic{Code: codeAxes, Pos: c.pos[2], Msg: "`solve` is over the two axes of a square matrix", Label: "over " + over.sized()}
	if len(over) == 2 {
		d.Code = codeTwoSizes
	}
	f.report(d)
	return false
}

// columns is the tensor with all axes but head's as one dim.
func (f *frame) columns(y *tensor, head, sides axes, at diag.Pos) *ir.Value {
	v := f.spreadTo(y, append(head[:len(head):len(head)], sides...), at)
	if len(sides) == 1 {
		return v
	}
	n, _ := sides.elements()
	return f.build(at).Rearrange(v, columnsRule(head, sides), append(head.dims(), ir.Dim{Label: "side", Size: n}))
}

func columnsRule(head, sides axes) ir.Rule {
	var l factors
	h, s := l.term(head), l.term(sides)
	return ir.MustRule(h + s + "->" + h + "(" + s + ")")
}

package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// shapeBuiltins make tensors of axes, and move elements along them.
func shapeBuiltins() []*builtin {
	return []*builtin{
		{name: "fill", params: []builtinParam{takes("v", ""), takes("l", "axes")}, run: fill},
		{name: "iota", params: []builtinParam{takes("a", "axis")}, run: iota},
		{name: "one_hot", params: []builtinParam{takes("i", ""), takes("a", "axis")}, run: oneHot},
		{name: "expand", params: []builtinParam{takes("x", ""), takes("l", "axes")}, run: expand},
		{name: "roll", params: []builtinParam{takes("x", ""), byName("over", "axes", false), byName("by", "int", false)}, run: roll},
		{name: "pad", params: []builtinParam{takes("x", ""), byName("over", "axes", false), byName("before", "int", true), byName("after", "int", true)}, run: pad},
		{name: "concat", many: true, params: []builtinParam{takes("a", ""), byName("over", "axis", false)}, run: concat},
	}
}

// fill is an f32 tensor of one value.
func fill(f *frame, c *builtinCall) value {
	l, ok := f.sizedArg(c, 1)
	if !ok {
		return bad{}
	}
	x, ok := f.tensorArg(c, 0)
	if !ok || !f.wants("fill", x, c.pos[0], x.d == ir.F32, "a number or f32[]", "f32(x)") {
		return bad{}
	}
	if extra := x.axes.visible(); len(extra) > 0 {
		return f.report(&diag.Diagnostic{Code: codeAxes, Pos: c.pos[0], Msg: "`fill` spreads one number", Label: x.String(), Fix: "expand(x, axes)"})
	}
	if v := f.value(x, c.at); v.Type.Rank() == 0 {
		return &tensor{axes: append(slices.Clone(x.axes), l...), d: ir.F32, v: v}
	}
	to := append(slices.Clone(x.axes), l...)
	return &tensor{axes: to, d: ir.F32, v: f.aligned(x, to, c.at)}
}

// iota is each element's position along an axis.
func iota(f *frame, c *builtinCall) value {
	if f.s == nil {
		return f.outside(c.at)
	}
	l := axes{c.vals[0].(axis)}
	if !f.fits(c.pos[0], l) {
		return bad{}
	}
	return &tensor{axes: l, d: ir.I32, v: f.build(c.at).Iota(ir.T(ir.I32, l.dims()...), 0)}
}

// oneHot is true where the new axis's position is the index.
func oneHot(f *frame, c *builtinCall) value {
	i, ok := f.tensorIndex(c, 0)
	if !ok {
		return bad{}
	}
	a := c.vals[1].(axis)
	out := append(slices.Clone(i.axes), a)
	if !f.fits(c.pos[1], out) {
		return bad{}
	}
	places := f.build(c.at).Iota(ir.T(ir.I32, out.dims()...), len(out)-1)
	ids := f.aligned(i, out, c.at)
	v := f.build(c.at).Compare("eq", ids, places)
	return &tensor{axes: out, d: ir.Bool, v: v}
}

// tensorIndex reads an argument of i32, or a whole number.
func (f *frame) tensorIndex(c *builtinCall, i int) (*tensor, bool) {
	if n, ok := numeric(c.vals[i]); ok && f.s != nil {
		return &tensor{d: ir.I32, v: ir.Literal(ir.I32, n.v)}, f.representable(n, ir.I32, c.pos[i])
	}
	x, ok := f.tensorArg(c, i)
	return x, ok && f.wants(c.name, x, c.pos[i], x.d == ir.I32, "i32", "i32(x)")
}

// expand gives a tensor further axes, along which it is the same.
func expand(f *frame, c *builtinCall) value {
	x, ok := f.tensorArg(c, 0)
	if !ok {
		return bad{}
	}
	l, ok := f.sizedArg(c, 1)
	if !ok {
		return bad{}
	}
	out := append(hiddenOf(x.axes), append(slices.Clone(l), x.axes.visible()...)...)
	if !f.fits(c.at, out) {
		return bad{}
	}
	return &tensor{axes: out, d: x.d, v: f.aligned(x, out, c.at)}
}

// alongOne reads a tensor and one axis of it.
func (f *frame) alongOne(c *builtinCall) (*tensor, int, bool) {
	x, ok := f.tensorArg(c, 0)
	if !ok {
		return nil, 0, false
	}
	over, ok := f.over(c, 1, x)
	if !ok {
		return nil, 0, false
	}
	if len(over) != 1 {
		f.report(&diag.Diagnostic{Code: codeAxes, Pos: c.pos[1], Msg: fmt.Sprintf("`%s` works along one axis", c.name), Label: fmt.Sprintf("over %d", len(over))})
		return nil, 0, false
	}
	return x, x.axes.index(over[0]), true
}

// roll turns an axis, as NumPy's does: element i goes to i + by.
func roll(f *frame, c *builtinCall) value {
	x, i, ok := f.alongOne(c)
	if !ok {
		return bad{}
	}
	by, _ := integer(c.vals[2])
	v := f.full(x, c.at)
	if by %= x.axes[i].size; by != 0 {
		v = f.build(c.at).Roll(v, i, by)
	}
	return &tensor{axes: x.axes, d: x.d, v: v}
}

// pad puts zeros before and after what lies along an axis.
func pad(f *frame, c *builtinCall) value {
	x, i, ok := f.alongOne(c)
	if !ok || !f.wants("pad", x, c.pos[0], x.d != ir.Bool, "numbers", "f32(x)") {
		return bad{}
	}
	var n [2]int
	for k := range n {
		if c.vals[2+k] == nil {
			continue
		}
		if n[k], _ = integer(c.vals[2+k]); n[k] < 0 {
			return f.report(&diag.Diagnostic{Code: codeRange, Pos: c.pos[2+k], Msg: "`pad` by a negative number", Expected: "at least 0", Fix: "x[axis: from..to], to cut"})
		}
	}
	out := slices.Clone(x.axes)
	out[i].size += n[0] + n[1]
	if !f.fits(c.at, out) {
		return bad{}
	}
	v := f.full(x, c.at)
	return &tensor{axes: out, d: x.d, v: f.build(c.at).Pad(v, i, n[0], n[1])}
}

// concat joins along an axis; what lacks it is one element, and other axes broadcast.
func concat(f *frame, c *builtinCall) value {
	ts, ok := f.operands("concat", c.at, c.mpos, c.more...)
	if !ok {
		return bad{}
	}
	along := c.vals[1].(axis)
	along.hidden, along.size = 0, 1
	shape, at := f.concatShape(along, ts)
	for i, t := range ts {
		if extra := t.axes.without(shape); len(extra) > 0 {
			return f.report(&diag.Diagnostic{Code: codeOuter, Pos: c.mpos[i], Msg: fmt.Sprintf("`concat` of tensors of which none has all axes: `%s`", extra[0].name),
				Label: t.String(), Fix: "expand(x, axis), if that is meant"})
		}
	}
	rest := shape.without(axes{along})
	whole := make([]*tensor, len(ts))
	for i, t := range ts {
		whole[i] = &tensor{axes: t.axes.without(axes{along}), d: t.d}
	}
	if !f.sizes(c.at, rest, whole...) {
		return bad{}
	}
	total := 0
	parts := make([]*ir.Value, len(ts))
	for i, t := range ts {
		to := slices.Insert(slices.Clone(rest), at, axis{name: along.name, size: t.sizeOf(along)})
		if !t.axes.has(along) {
			t = f.grow(t, along, c.at)
		}
		parts[i] = f.spreadTo(t, to, c.at)
		total += to[at].size
	}
	along.size = total
	out := slices.Insert(slices.Clone(rest), at, along)
	if !f.fits(c.at, out) {
		return bad{}
	}
	return &tensor{axes: out, d: ts[0].d, v: f.build(c.at).Concat(at, parts...)}
}

// concatShape takes the axes of the operand with the most of them, and where the joined one
// stands among them: in its place, else first.
func (f *frame) concatShape(along axis, ts []*tensor) (axes, int) {
	var widest, hidden axes
	for _, t := range ts {
		hidden = hiddenOf(hidden, t.axes)
		v := t.axes.visible()
		if widest == nil || len(v) > len(widest) || len(v) == len(widest) && v.has(along) && !widest.has(along) {
			widest = v
		}
	}
	out := append(slices.Clone(hidden), widest...)
	if i := out.index(along); i >= 0 {
		return out, i
	}
	return slices.Insert(out, len(hidden), along), len(hidden)
}

// sizeOf is the size of an axis, 1 for one that the tensor lacks.
func (t *tensor) sizeOf(a axis) int {
	if i := t.axes.index(a); i >= 0 {
		return t.axes[i].size
	}
	return 1
}

package lang

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

// reduceBuiltins are those with sums over axes.
func reduceBuiltins() []*builtin {
	one := []builtinParam{takes("x", ""), byName("over", "axes", true)}
	two := []builtinParam{takes("x", ""), may("y", ""), byName("over", "axes", true)}
	return []*builtin{
		{name: "sum", params: one, run: reduction("sum")},
		{name: "mean", params: one, run: reduction("mean")},
		{name: "max", params: two, run: extreme("max")},
		{name: "min", params: two, run: extreme("min")},
		{name: "argmax", params: one, run: argmax},
		{name: "dot", params: []builtinParam{takes("a", ""), takes("b", ""), byName("over", "axes", false)}, run: dot},
	}
}

// reduction is sum, mean, max or min over some axes, or all.
func reduction(kind string) func(*frame, *builtinCall) value {
	return func(f *frame, c *builtinCall) value {
		x, ok := f.tensorArg(c, 0)
		if !ok || !f.wants(kind, x, c.pos[0], x.d.Float() || x.d == ir.I32 && kind != "mean", "a floating dtype or i32", reduceFix(x.d)) {
			return bad{}
		}
		over, ok := f.over(c, len(c.params)-1, x)
		if !ok {
			return bad{}
		}
		if len(over) == 0 {
			return x
		}
		irKind := kind
		if kind == "mean" {
			irKind = "sum"
		}
		rest := x.axes.without(over)
		v := f.full(x, c.at)
		v = f.build(c.at).ReduceTo(irKind, v, rule(rest, x.axes), rest.dims())
		if n, _ := over.elements(); kind == "mean" && n > 1 {
			v = f.build(c.at).MulC(v, 1/float64(n))
		}
		return &tensor{axes: rest, d: x.d, v: v}
	}
}

func reduceFix(d ir.DType) string {
	if d == ir.I32 {
		return "f32(x)"
	}
	return "f32(x), or i32(x)"
}

// argmax gives the position along one axis.
func argmax(f *frame, c *builtinCall) value {
	x, ok := f.tensorArg(c, 0)
	if !ok || !f.wants("argmax", x, c.pos[0], x.d.Float() || x.d == ir.I32, "a floating dtype or i32", "f32(x)") {
		return bad{}
	}
	over, ok := f.over(c, 1, x)
	if !ok {
		return bad{}
	}
	if len(over) != 1 {
		d := &diag.Diagnostic{Code: codeAxes, Pos: c.at, Msg: "`argmax` searches one axis", Label: fmt.Sprintf("over %d", len(over))}
		if v := x.axes.visible(); len(v) > 0 {
			d.Fix = "over: " + v[len(v)-1].name
		}
		return f.report(d)
	}
	rest := x.axes.without(over)
	v := f.full(x, c.at)
	v = f.build(c.at).Apply("argmax", &ir.ArgmaxAttrs{Dim: x.axes.index(over[0])}, nil, v)
	return &tensor{axes: rest, d: ir.I32, v: v}
}

// dot sums products over axes that both operands have; other shared axes align.
func dot(f *frame, c *builtinCall) value {
	ts, ok := f.operands("dot", c.at, c.pos[:2], c.vals[0], c.vals[1])
	if !ok || !f.wants("dot", ts[0], c.at, ts[0].d.Float(), "a floating dtype", "f32(x)") {
		return bad{}
	}
	x, y := ts[0], ts[1]
	over, ok := f.over(c, 2, x, y)
	if !ok {
		return bad{}
	}
	for _, a := range over {
		if !x.axes.has(a) || !y.axes.has(a) {
			return f.oneSided(c, 2, a, x, y)
		}
	}
	return f.product(c.at, x, y, over)
}

// product sums products over axes that both operands have.
func (f *frame) product(at diag.Pos, x, y *tensor, over axes) value {
	out := x.axes.without(over).union(y.axes.without(over))
	if hidden := hiddenOf(out); len(hidden) > 0 {
		out = append(hidden, out.visible()...)
	}
	if !f.sizes(at, out, x, y) {
		return bad{}
	}
	if len(over) == 0 && (x.axes.subset(y.axes) || y.axes.subset(x.axes)) {
		return f.pointwise("mul", nil, x.d, out, at, x, y)
	}
	v, w := f.full(x, at), f.full(y, at)
	return &tensor{axes: out, d: x.d, v: f.build(at).DotTo(v, w, rule(out, x.axes, y.axes), out.dims())}
}

// oneSided reports an axis of argument i, contracted, that only one operand has.
func (f *frame) oneSided(c *builtinCall, i int, a axis, x, y *tensor) value {
	which, fix := "first", "sum(a, over: "+a.name+") beforehand"
	if y.axes.has(a) {
		which, fix = "second", "sum(b, over: "+a.name+") beforehand"
	}
	at := c.pos[i]
	if n := c.axisPlace(i, a.name); n.Valid() {
		at = n
	}
	return f.report(&diag.Diagnostic{Code: codeContract, Pos: at, Msg: fmt.Sprintf("only the %s operand of `%s` has axis `%s`", which, c.name, a.name),
		Label: fmt.Sprintf("%s and %s", x, y), Fix: fix})
}

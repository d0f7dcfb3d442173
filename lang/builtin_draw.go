package lang

import (
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// drawBuiltins draw random numbers; see check_draw.go.
func drawBuiltins() []*builtin {
	l := []builtinParam{takes("l", "axes")}
	return []*builtin{
		{name: "uniform", params: l, run: drawing((*frame).uniform)},
		{name: "normal", params: l, run: drawing((*frame).normal)},
		{name: "bernoulli", params: []builtinParam{takes("p", ""), takes("l", "axes")}, run: bernoulli},
		{name: "beta", params: []builtinParam{takes("a", ""), takes("b", "")}, run: betaDraw},
	}
}

// drawing is a draw of f32 of the given axes; in an optimizer also of the hidden ones.
func drawing(draw func(*frame, *ir.Value, axes, int, diag.Pos) *ir.Value) func(*frame, *builtinCall) value {
	return func(f *frame, c *builtinCall) value {
		l, key, ok := f.drawn(c, 0)
		if !ok {
			return bad{}
		}
		return &tensor{axes: l, d: ir.F32, v: draw(f, key, l, 0, c.at)}
	}
}

// drawn reads the axes of a draw and makes its key.
func (f *frame) drawn(c *builtinCall, i int) (axes, *ir.Value, bool) {
	if f.s == nil {
		f.outside(c.at)
		return nil, nil, false
	}
	l, ok := f.sizedArg(c, i)
	if !ok {
		return nil, nil, false
	}
	l = append(slices.Clone(f.stacked()), l...)
	if !f.fits(c.at, l) {
		return nil, nil, false
	}
	key := f.drawKey(c.call)
	return l, key, key != nil
}

// bernoulli is true with probability p; of a number that is 0 or 1 nothing is drawn.
func bernoulli(f *frame, c *builtinCall) value {
	if n, ok := numeric(c.vals[0]); ok {
		if n.v < 0 || n.v > 1 {
			return f.report(&diag.Diagnostic{Code: codeNumeric, Pos: c.pos[0], Msg: "a probability lies between 0 and 1", Label: "this is " + show(n)})
		}
		if l, ok := f.sizedArg(c, 1); ok && (n.v == 0 || n.v == 1) {
			return &tensor{axes: l, d: ir.Bool, v: ir.Literal(ir.Bool, n.v)}
		}
	}
	p, ok := f.tensorArg(c, 0)
	if !ok || !f.wants("bernoulli", p, c.pos[0], p.d == ir.F32, "a probability in f32", "f32(p)") {
		return bad{}
	}
	l, key, ok := f.drawn(c, 1)
	if !ok {
		return bad{}
	}
	u := &tensor{axes: l, d: ir.F32, v: f.uniform(key, l, 0, c.at)}
	if extra := p.axes.without(l); len(extra) > 0 {
		f.outer("bernoulli", c.at, []*tensor{p, u})
		return bad{}
	}
	if !f.sizes(c.at, l, p, u) {
		return bad{}
	}
	return f.pointwise("compare", &ir.CompareAttrs{Dir: "lt"}, ir.Bool, l, c.at, u, p)
}

// betaDraw is a beta variate: a gamma variate's part of two, from their logarithms.
func betaDraw(f *frame, c *builtinCall) value {
	var logs [2]*ir.Value
	var key *ir.Value
	for i := range logs {
		if n, ok := numeric(c.vals[i]); ok && n.v <= 0 {
			return f.report(&diag.Diagnostic{Code: codeNumeric, Pos: c.pos[i], Msg: "`beta` wants numbers above 0", Label: "this is " + show(n)})
		}
		a, ok := f.tensorArg(c, i)
		if !ok || !f.wants("beta", a, c.pos[i], a.d == ir.F32, "f32[]", "f32(x)") {
			return bad{}
		}
		if len(a.axes) > 0 {
			return f.report(&diag.Diagnostic{Code: codeAxes, Pos: c.pos[i], Msg: "`beta` wants numbers, not tensors", Label: a.String()})
		}
		if key == nil {
			if key = f.drawKey(c.call); key == nil {
				return bad{}
			}
		}
		logs[i] = f.logGamma(key, f.value(a, c.at), 4*i, c.at)
	}
	b := f.build(c.at)
	return &tensor{d: ir.F32, v: b.Unary("logistic", b.Sub(logs[0], logs[1]))}
}

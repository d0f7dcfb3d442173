package lang

import (
	"math"

	"vitc/ir"
	"vitc/ir/diag"
)

// pointBuiltins work on each element by itself; of numbers they are computed at once.
func pointBuiltins() []*builtin {
	out := []*builtin{
		{name: "where", params: []builtinParam{takes("c", ""), takes("a", ""), takes("b", "")}, run: where},
		{name: "cast", params: []builtinParam{takes("x", ""), takes("dtype", "dtype")}, run: func(f *frame, c *builtinCall) value {
			return f.castTo(c.vals[0], ir.DType(c.vals[1].(dtype)), c.pos[0], c.at)
		}},
		{name: "stop", params: []builtinParam{takes("x", "")}, run: func(f *frame, c *builtinCall) value {
			x, ok := f.tensorArg(c, 0)
			if !ok {
				return bad{}
			}
			v := f.value(x, c.at)
			if v.Lit == nil {
				v = f.build(c.at).Unary("stop", v)
			}
			return &tensor{axes: x.axes, d: x.d, v: v}
		}},
		{name: "identity", params: []builtinParam{takes("x", "")}, run: func(f *frame, c *builtinCall) value { return c.vals[0] }},
	}
	for name, compute := range map[string]func(float64) float64{
		"exp": math.Exp, "log": math.Log, "log1p": math.Log1p, "sqrt": math.Sqrt, "tanh": math.Tanh, "erf": math.Erf,
		"sin": math.Sin, "cos": math.Cos, "abs": math.Abs, "rsqrt": func(x float64) float64 { return 1 / math.Sqrt(x) },
	} {
		out = append(out, &builtin{name: name, params: []builtinParam{takes("x", "")}, run: pointFunction(name, compute)})
	}
	return out
}

func pointFunction(name string, compute func(float64) float64) func(*frame, *builtinCall) value {
	return func(f *frame, c *builtinCall) value {
		if t, ok := c.vals[0].(*turn); ok {
			return turnOf(name, t)
		}
		if n, ok := numeric(c.vals[0]); ok {
			y := compute(n.v)
			if math.IsNaN(y) || math.IsInf(y, 0) {
				return f.report(&diag.Diagnostic{Code: codeNumeric, Pos: c.at, Msg: "a number that has no value", Label: name + " of " + show(n)})
			}
			return num{y, n.whole && name == "abs"}
		}
		x, ok := f.tensorArg(c, 0)
		if !ok || !f.wants(name, x, c.pos[0], x.d.Float() || x.d == ir.I32 && name == "abs", "a floating dtype", "f32(x)") {
			return bad{}
		}
		return f.pointwise(name, nil, x.d, x.axes, c.at, x)
	}
}

// where chooses element by element; a condition known now chooses at once.
func where(f *frame, c *builtinCall) value {
	if b, ok := c.vals[0].(boolean); ok {
		return f.chosen(c, bool(b))
	}
	cond, ok := f.tensorArg(c, 0)
	if !ok || !f.wants("where", cond, c.pos[0], cond.d == ir.Bool, "a bool first", "x != 0") {
		return bad{}
	}
	sides, ok := f.operands("where", c.at, c.pos[1:], c.vals[1], c.vals[2])
	if !ok {
		return bad{}
	}
	joined, ok := f.join("where", c.at, sides[0], sides[1], cond)
	if !ok {
		return bad{}
	}
	if v := f.value(cond, c.at); v.Lit != nil {
		return &tensor{axes: joined, d: sides[0].d, v: f.aligned(sides[1-int(*v.Lit)], joined, c.at)}
	}
	return f.pointwise("select", nil, sides[0].d, joined, c.at, cond, sides[0], sides[1])
}

func (f *frame) chosen(c *builtinCall, first bool) value {
	sides, ok := f.operands("where", c.at, c.pos[1:], c.vals[1], c.vals[2])
	if !ok {
		return bad{}
	}
	joined, ok := f.join("where", c.at, sides...)
	if !ok {
		return bad{}
	}
	t := sides[1]
	if first {
		t = sides[0]
	}
	return &tensor{axes: joined, d: t.d, v: f.aligned(t, joined, c.at)}
}

// extreme is max(a, b) or min(a, b), or with one argument the reduction.
func extreme(name string) func(*frame, *builtinCall) value {
	return func(f *frame, c *builtinCall) value {
		if c.vals[1] == nil {
			return reduction(name)(f, c)
		}
		if c.vals[2] != nil {
			return f.report(&diag.Diagnostic{Code: codeArgument, Pos: c.at, Msg: "`" + name + "` of two tensors is element by element, and has no `over`"})
		}
		x, left := numeric(c.vals[0])
		y, right := numeric(c.vals[1])
		if left && right {
			v := math.Max(x.v, y.v)
			if name == "min" {
				v = math.Min(x.v, y.v)
			}
			return num{v, x.whole && y.whole}
		}
		if areTurns(c.vals[0], c.vals[1]) {
			return turnOf(name, plainNumber(c.vals[0]), plainNumber(c.vals[1]))
		}
		ts, ok := f.operands(name, c.at, c.pos[:2], c.vals[0], c.vals[1])
		if !ok || !f.arithmeticType(name, ts[0], c.at) {
			return bad{}
		}
		joined, ok := f.join(name, c.at, ts...)
		if !ok {
			return bad{}
		}
		return f.pointwise(name, nil, ts[0].d, joined, c.at, ts...)
	}
}

// areTurns reports whether both are numbers, of a turn or plain.
func areTurns(x, y value) bool {
	for _, v := range []value{x, y} {
		if _, ok := v.(*turn); ok {
			continue
		}
		if _, ok := numeric(v); !ok {
			return false
		}
	}
	return true
}

// plainNumber reads an axis as its size.
func plainNumber(v value) value {
	if n, ok := numeric(v); ok {
		return n
	}
	return v
}

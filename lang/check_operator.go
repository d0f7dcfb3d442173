package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// unary evaluates -x and not x.
func (f *frame) unary(e *Unary) value {
	v := f.eval(e.X)
	if isBad(v) {
		return v
	}
	if e.Op == "not" {
		return f.not(e, v)
	}
	switch x := v.(type) {
	case *turn:
		return turnOf("neg", x)
	case *tensor:
		if !f.arithmeticType("-", x, e.At) {
			return bad{}
		}
		return f.pointwise("neg", nil, x.d, x.axes, e.At, x)
	}
	if n, ok := numeric(v); ok {
		return num{-n.v, n.whole}
	}
	return f.noOperator("-", e.At, v)
}

func (f *frame) not(e *Unary, v value) value {
	switch v := v.(type) {
	case boolean:
		return !v
	case *tensor:
		if !f.wants("not", v, e.At, v.d == ir.Bool, "bool", "x == 0") {
			return bad{}
		}
		return f.pointwise("not", nil, ir.Bool, v.axes, e.At, v)
	}
	return f.noOperator("not", e.At, v)
}

func (f *frame) noOperator(op string, at diag.Pos, vs ...value) value {
	d := &diag.Diagnostic{Code: codeOperator, Pos: at}
	switch len(vs) {
	case 1:
		d.Msg = fmt.Sprintf("there is no `%s` of %s", op, vs[0].kind())
	default:
		d.Msg = fmt.Sprintf("there is no `%s` of %s and %s", op, vs[0].kind(), vs[1].kind())
	}
	for _, v := range vs {
		if callable(v) {
			d.Fix = "call it, as in f(x)"
		}
	}
	return f.report(d)
}

// binary evaluates x op y.
func (f *frame) binary(e *Binary) value {
	x := f.eval(e.X)
	if b, ok := x.(boolean); ok && (e.Op == "and" && !bool(b) || e.Op == "or" && bool(b)) {
		return x // the other side may be meaningless then: x.width > 0 and ...
	}
	y := f.eval(e.Y)
	if anyBad(x, y) {
		return bad{}
	}
	_, left := x.(*tensor)
	_, right := y.(*tensor)
	if left || right {
		return f.tensorOperator(e, x, y)
	}
	return f.plainOperator(e, x, y)
}

// plainOperator is an operation of compile-time values.
func (f *frame) plainOperator(e *Binary, x, y value) value {
	n, left := numeric(x)
	m, right := numeric(y)
	switch {
	case e.Op == "and" || e.Op == "or":
		_, bools := x.(boolean)
		if b, ok := y.(boolean); ok && bools {
			return b // x has not decided
		}
	case left && right:
		return f.arithmetic(e.Op, n, m, e.At)
	case areTurns(x, y):
		return turnOf(e.Op, plainNumber(x), plainNumber(y))
	case e.Op == "==" || e.Op == "!=":
		if same, ok := equalValues(x, y); ok {
			return boolean(same == (e.Op == "=="))
		}
	case e.Op == "+":
		a, first := x.(list)
		if b, second := y.(list); first && second {
			return f.joinLists(e, a, b)
		}
	}
	if a, ok := unsizedOf(x, y); ok {
		f.noSize(a, e.At)
		return bad{}
	}
	return f.noOperator(e.Op, e.At, x, y)
}

func (f *frame) joinLists(e *Binary, a, b list) value {
	if n := len(a) + len(b); n > maxItems {
		return f.report(&diag.Diagnostic{Code: codeRecursion, Pos: e.At, Msg: fmt.Sprintf("a list of %d", n), Expected: fmt.Sprintf("at most %d items", maxItems)})
	}
	return slices.Concat(a, b)
}

func unsizedOf(vs ...value) (axis, bool) {
	for _, v := range vs {
		if a, ok := v.(axis); ok && a.size == unsized {
			return a, true
		}
	}
	return axis{}, false
}

// equalValues compares values that are no numbers.
func equalValues(x, y value) (same, ok bool) {
	switch x := x.(type) {
	case boolean:
		return equalTo(x, y)
	case text:
		return equalTo(x, y)
	case dtype:
		return equalTo(x, y)
	case symbol:
		return equalTo(x, y)
	}
	return false, false
}

func equalTo[T comparable](x T, y value) (same, ok bool) {
	z, ok := y.(T)
	return x == z, ok
}

// tensorOperator is an operation of which one side at least is a tensor.
func (f *frame) tensorOperator(e *Binary, x, y value) value {
	if e.Op == "**" {
		if v := f.smallPower(e, x, y); v != nil {
			return v
		}
	}
	ts, ok := f.operands(e.Op, e.At, []diag.Pos{e.X.Pos(), e.Y.Pos()}, x, y)
	if !ok {
		return bad{}
	}
	o := operators[e.Op]
	d, attrs, name := ts[0].d, any(nil), o.op
	switch {
	case o.compare != "":
		d, attrs, name = ir.Bool, &ir.CompareAttrs{Dir: o.compare}, "compare"
	case e.Op == "and" || e.Op == "or":
		if !f.wants(e.Op, ts[0], e.At, d == ir.Bool, "bool", "a comparison, such as x > 0") {
			return bad{}
		}
	case !f.arithmeticType(e.Op, ts[0], e.At):
		return bad{}
	}
	joined, ok := f.join(e.Op, e.At, ts...)
	if !ok {
		return bad{}
	}
	return f.pointwise(name, attrs, d, joined, e.At, ts...)
}

// arithmeticType reports a tensor that cannot be computed with.
func (f *frame) arithmeticType(op string, t *tensor, at diag.Pos) bool {
	switch {
	case t.d == ir.Bool:
		return f.wants(op, t, at, false, "numbers", "f32(x), or where(x, a, b)")
	case t.d == ir.U8:
		return f.wants(op, t, at, false, "i32 or a floating dtype: u8 would wrap around at 256", "real(x), or i32(x)")
	case t.d == ir.I32 && (op == "/" || op == "**"):
		return f.wants(op, t, at, false, "a floating dtype", "f32(x)")
	}
	return true
}

// smallPower writes squares and cubes as products; nil for any other power.
func (f *frame) smallPower(e *Binary, x, y value) value {
	n, ok := numeric(y)
	t, isTensor := x.(*tensor)
	if !ok || !isTensor || n.v != 2 && n.v != 3 || t.d == ir.Bool || t.d == ir.U8 {
		return nil
	}
	square := f.pointwise("mul", nil, t.d, t.axes, e.At, t, t)
	if n.v == 2 {
		return square
	}
	return f.pointwise("mul", nil, t.d, t.axes, e.At, square, t)
}

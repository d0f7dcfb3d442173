package lang

import (
	"fmt"
	"math"

	"vitc/ir"
	"vitc/ir/diag"
)

// Arithmetic of compile-time numbers, and of the numbers of a loop's turns.

// operators names the IR's op, or comparison, of each operator.
var operators = map[string]struct{ op, compare string }{
	"+": {op: "add"}, "-": {op: "sub"}, "*": {op: "mul"}, "/": {op: "div"}, "%": {op: "rem"}, "**": {op: "pow"},
	"==": {compare: "eq"}, "!=": {compare: "ne"}, "<": {compare: "lt"}, "<=": {compare: "le"}, ">": {compare: "gt"}, ">=": {compare: "ge"},
	"and": {op: "and"}, "or": {op: "or"},
}

// calculate computes a binary operation of two numbers.
func calculate(op string, x, y num) (value, string) {
	both := x.whole && y.whole
	switch op {
	case "+":
		return num{x.v + y.v, both}, ""
	case "-":
		return num{x.v - y.v, both}, ""
	case "*":
		return num{x.v * y.v, both}, ""
	case "/":
		if y.v == 0 {
			return nil, "division by zero"
		}
		q := x.v / y.v
		return num{q, both && q == math.Trunc(q)}, ""
	case "%":
		if y.v == 0 {
			return nil, "division by zero"
		}
		return num{math.Mod(x.v, y.v), both}, ""
	case "**":
		return num{math.Pow(x.v, y.v), both && y.v >= 0}, ""
	}
	return boolean(compareNumbers(op, x.v, y.v)), ""
}

func compareNumbers(op string, x, y float64) bool {
	switch op {
	case "==":
		return x == y
	case "!=":
		return x != y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// arithmetic is a binary operation of compile-time numbers, at a place.
func (f *frame) arithmetic(op string, x, y num, at diag.Pos) value {
	v, problem := calculate(op, x, y)
	if n, ok := v.(num); ok && (math.IsNaN(n.v) || math.IsInf(n.v, 0)) {
		problem = "a number that has no value"
	} else if ok && n.whole && math.Abs(n.v) > maxExact {
		v = num{n.v, false}
	}
	if problem != "" {
		return f.report(&diag.Diagnostic{Code: codeNumeric, Pos: at, Msg: problem, Label: fmt.Sprintf("%s %s %s", show(x), op, show(y))})
	}
	return v
}

// zeroTimes reports whether a product with the number of a turn is zero in each.
func zeroTimes(op string, x, y value) bool {
	n, left := x.(num)
	m, right := y.(num)
	return op == "*" && (left && n.v == 0 || right && m.v == 0) || op == "/" && left && n.v == 0
}

// turnOf makes an operation of numbers of which one differs in each turn.
func turnOf(op string, args ...value) value {
	if len(args) == 2 && zeroTimes(op, args[0], args[1]) {
		return num{0, false}
	}
	t := &turn{op: op, args: args}
	for _, a := range args {
		if x, ok := a.(*turn); ok {
			t.loop = x.loop
		}
	}
	_, t.test = comparisonOf(op)
	return t
}

func comparisonOf(op string) (string, bool) {
	c := operators[op].compare
	return c, c != ""
}

// turnTensor computes a turn's number in the loop's body, as a tensor of rank 0.
func (f *frame) turnTensor(t *turn, d ir.DType, at diag.Pos) (*tensor, bool) {
	v := f.turnValue(t, at)
	if v == nil {
		return nil, false
	}
	if t.test {
		return &tensor{d: ir.Bool, v: v}, true
	}
	return &tensor{d: d, v: f.build(at).Cast(v, d)}, true
}

// turnValue is f32, or bool for a comparison; nil has been reported.
func (f *frame) turnValue(t *turn, at diag.Pos) *ir.Value {
	f.tick(at) // shared parts are computed wherever they stand
	if t.op == "" {
		i := f.s.turn(t.loop)
		if i == nil {
			f.report(&diag.Diagnostic{Code: codeOutside, Pos: at, Msg: "the number of a turn is used outside its loop",
				Label: fmt.Sprintf("of `repeat %s`", t.loop.axis.name)})
			return nil
		}
		return f.build(at).Cast(i, ir.F32)
	}
	in := make([]*ir.Value, len(t.args))
	for i, a := range t.args {
		switch a := a.(type) {
		case *turn:
			if in[i] = f.turnValue(a, at); in[i] == nil {
				return nil
			}
		case num:
			in[i] = ir.Literal(ir.F32, a.v)
		}
	}
	b := f.build(at)
	if dir, ok := comparisonOf(t.op); ok {
		return b.Compare(dir, in[0], in[1])
	}
	if o := operators[t.op]; o.op != "" {
		return b.Binary(o.op, in[0], in[1])
	}
	return b.Apply(t.op, nil, nil, in...)
}

package stablehlo

import "vitc/ir"

// point writes a pointwise op; x has the shape of the result in every operand.
type point func(e *emitter, op *ir.Op, x []value) value

// points has an entry for every pointwise row of the op table.
var points = map[string]point{
	"neg":      one("negate"),
	"abs":      signed("abs", func(_ *emitter, x value) value { return x }),
	"sign":     signed("sign", func(e *emitter, x value) value { return e.binary("minimum", x, e.constant(x.tensor, 1)) }),
	"floor":    one("floor"),
	"exp":      one("exponential"),
	"log":      one("log"),
	"log1p":    one("log_plus_one"),
	"sqrt":     one("sqrt"),
	"rsqrt":    one("rsqrt"),
	"tanh":     one("tanh"),
	"erf":      erf,
	"logistic": one("logistic"),
	"sin":      one("sine"),
	"cos":      one("cosine"),
	"not":      one("not"),
	"cast":     func(e *emitter, op *ir.Op, x []value) value { return cast(e, x[0], elems[op.Out[0].Type.DType]) },
	"add":      two("add"),
	"sub":      two("subtract"),
	"mul":      two("multiply"),
	"div":      orZero("divide"),
	"rem":      orZero("remainder"),
	"pow":      two("power"),
	"max":      two("maximum"),
	"min":      two("minimum"),
	"and":      two("and"),
	"or":       two("or"),
	"xor":      two("xor"),
	"shl":      shift("shift_left", "shift_left"),
	"shr":      shift("shift_right_logical", "shift_right_arithmetic"),
	"compare":  compare,
	"select":   func(e *emitter, _ *ir.Op, x []value) value { return e.choose(x[0], x[1], x[2]) },
}

// pointwise brings the operands to the shape of the result: literals are written in that shape.
func pointwise(write point) func(*emitter, *ir.Op) []value {
	return func(e *emitter, op *ir.Op) []value {
		shape := op.Out[0].Type.Shape()
		x := make([]value, len(op.In))
		for i, v := range op.In {
			if v.Lit != nil {
				x[i] = e.constant(tensor{shape, elems[v.Type.DType]}, *v.Lit)
			} else {
				x[i] = e.spread(e.of(v), shape)
			}
		}
		return []value{write(e, op, x)}
	}
}

func one(name string) point {
	return func(e *emitter, _ *ir.Op, x []value) value { return e.unary(name, x[0]) }
}

func two(name string) point {
	return func(e *emitter, _ *ir.Op, x []value) value { return e.binary(name, x[0], x[1]) }
}

// signed is an op that StableHLO has for signed types only.
func signed(name string, unsigned func(*emitter, value) value) point {
	return func(e *emitter, _ *ir.Op, x []value) value {
		if x[0].elem.float() || x[0].elem == i32 {
			return e.unary(name, x[0])
		}
		return unsigned(e, x[0])
	}
}

// erf is no op of StableHLO but of its sister dialect, which every compiler of it reads.
func erf(e *emitter, _ *ir.Op, x []value) value {
	return e.op(x[0].tensor, "chlo.erf %s : %s -> %s", x[0].id, x[0].tensor, x[0].tensor)
}

// orZero is a division, which gives 0 where an integer is divided by 0.
func orZero(name string) point {
	return func(e *emitter, op *ir.Op, x []value) value {
		q := e.binary(name, x[0], x[1])
		if by := op.In[1]; q.elem.float() || by.Lit != nil && *by.Lit != 0 {
			return q
		}
		zero := e.constant(q.tensor, 0)
		return e.choose(e.compare("EQ", x[1], zero), zero, q)
	}
}

// shift counts modulo 32; StableHLO leaves more than the width of the type undefined for none.
func shift(unsigned, signed string) point {
	return func(e *emitter, op *ir.Op, x []value) value {
		name, by := unsigned, x[1]
		if x[0].elem == i32 {
			name = signed
		}
		if lit := op.In[1].Lit; lit == nil || *lit > 31 {
			by = e.binary("and", by, e.constant(by.tensor, 31))
		}
		return e.binary(name, x[0], by)
	}
}

var directions = map[string]string{"eq": "EQ", "ne": "NE", "lt": "LT", "le": "LE", "gt": "GT", "ge": "GE"}

func compare(e *emitter, op *ir.Op, x []value) value {
	return e.compare(directions[op.Attrs.(*ir.CompareAttrs).Dir], x[0], x[1])
}

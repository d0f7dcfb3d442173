package onnx

import "vitc/ir"

// writer writes an op with its operands and returns its results.
type writer func(e *emitter, op *ir.Op, in []*value) []*value

// rows says how each op of the IR's table is written. Ops that only training has are not here.
var rows map[string]writer

func init() {
	rows = map[string]writer{
		"log1p": func(e *emitter, op *ir.Op, in []*value) []*value {
			sum := e.point("Add", op.In[0].Type.DType, in[0], e.literal(op.In[0].Type.DType, 1))
			return e.pointwise("Log", op, sum)
		},
		"rsqrt": func(e *emitter, op *ir.Op, in []*value) []*value {
			return e.pointwise("Reciprocal", op, e.point("Sqrt", op.In[0].Type.DType, in[0]))
		},
		"rem":       func(e *emitter, op *ir.Op, in []*value) []*value { return e.remainder(op, in) },
		"cast":      func(e *emitter, op *ir.Op, in []*value) []*value { return e.cast(op, in[0]) },
		"compare":   func(e *emitter, op *ir.Op, in []*value) []*value { return e.compare(op, in) },
		"and":       logical("And", "BitwiseAnd"),
		"or":        logical("Or", "BitwiseOr"),
		"xor":       logical("Xor", "BitwiseXor"),
		"stop":      func(_ *emitter, _ *ir.Op, in []*value) []*value { return in },
		"dot":       func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.dot(op, e.full(in[0]), e.full(in[1]))) },
		"reduce":    func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.reduce(op, e.full(in[0]))) },
		"broadcast": func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.broadcast(op, e.full(in[0]))) },
		"rearrange": func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.rearrange(op, e.full(in[0]))) },
		"iota":      func(e *emitter, op *ir.Op, _ []*value) []*value { return one(e.iota(op)) },
		"slice":     func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.slice(op, e.full(in[0]))) },
		"pad":       func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.pad(op, e.full(in[0]))) },
		"roll":      func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.roll(op, e.full(in[0]))) },
		"concat":    func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.concat(op, in)) },
		"argmax":    func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.argmax(op, e.full(in[0]))) },
		"gather": func(e *emitter, op *ir.Op, in []*value) []*value {
			return one(e.gather(op, e.full(in[0]), e.full(in[1])))
		},
		"window": func(e *emitter, op *ir.Op, in []*value) []*value { return one(e.window(op, e.full(in[0]))) },
		"scan":   func(e *emitter, op *ir.Op, in []*value) []*value { return e.scan(op, in) },
	}
	for name, onnx := range map[string]string{
		"neg": "Neg", "abs": "Abs", "sign": "Sign", "floor": "Floor", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "tanh": "Tanh",
		"erf": "Erf", "logistic": "Sigmoid", "sin": "Sin", "cos": "Cos", "not": "Not", "add": "Add", "sub": "Sub", "mul": "Mul",
		"div": "Div", "pow": "Pow", "max": "Max", "min": "Min", "select": "Where",
	} {
		rows[name] = func(e *emitter, op *ir.Op, in []*value) []*value { return e.pointwise(onnx, op, in...) }
	}
}

func one(v *value) []*value { return []*value{v} }

// logical chooses between the operators of bools and of integers.
func logical(bools, ints string) writer {
	return func(e *emitter, op *ir.Op, in []*value) []*value {
		if op.In[0].Type.DType == ir.Bool {
			return e.pointwise(bools, op, in...)
		}
		return e.pointwise(ints, op, in...)
	}
}

package onnx

import "vitc/ir"

// Pointwise ops: ONNX spreads rank-0 operands and dims of one element as the IR's rules do.

func (e *emitter) literal(d ir.DType, x float64) *value {
	return &value{t: ir.T(d), name: e.scalar(d, x)}
}

// pointwise writes an op's only or last node.
func (e *emitter) pointwise(name string, op *ir.Op, in ...*value) []*value {
	v := e.point(name, op.Out[0].Type.DType, in...)
	v.t = op.Out[0].Type
	return one(v)
}

// point writes a pointwise node. A dim is thin in the result if it is in all operands that have it.
func (e *emitter) point(name string, d ir.DType, in ...*value) *value {
	out := &value{t: ir.T(d)}
	for _, v := range in {
		if v.t.Rank() > out.t.Rank() {
			out.t = v.t.As(d)
		}
	}
	out.thin = make([]bool, out.t.Rank())
	for i := range out.thin {
		out.thin[i] = true
		for _, v := range in {
			out.thin[i] = out.thin[i] && (v.t.Rank() == 0 || v.isThin(i))
		}
	}
	out.name = e.node(name, e.nameList(in...))
	return out
}

// remainder has the sign of the dividend, as in C.
func (e *emitter) remainder(op *ir.Op, in []*value) []*value {
	out := e.pointwise("Mod", op, in...)
	last := e.g.nodes[len(e.g.nodes)-1]
	last.attributes = append(last.attributes, attribute{"fmod", 1})
	return out
}

func (e *emitter) cast(op *ir.Op, x *value) []*value {
	out := e.emit("Cast", op.Out[0].Type, e.nameList(x), attribute{"to", int(elementTypes[op.Out[0].Type.DType])})
	out.thin = x.thin
	return one(out)
}

var comparisons = map[string]string{"eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"}

func (e *emitter) compare(op *ir.Op, in []*value) []*value {
	dir := op.Attrs.(*ir.CompareAttrs).Dir
	if dir == "ne" {
		return e.pointwise("Not", op, e.point("Equal", ir.Bool, in...))
	}
	return e.pointwise(comparisons[dir], op, in...)
}

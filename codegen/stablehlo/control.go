package stablehlo

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
)

// scan is a while loop that counts its turns upwards, in reverse too, the form that XLA knows
// the number of turns of. What is cut along its leading dim and the constants ride along
// unchanged, and stacked values are written into tensors of zeros, which become the results.
func scan(e *emitter, op *ir.Op) []value {
	a := op.Attrs.(*ir.ScanAttrs)
	init := append([]value{e.constant(tensor{nil, i32}, 0)}, e.all(op.In)...)
	for _, v := range op.Out[a.Carry:] {
		init = append(init, e.constant(typeOf(v.Type), 0))
	}
	id := e.fresh()
	vars := make([]value, len(init))
	binds := make([]string, len(init))
	for i, v := range init {
		vars[i] = value{e.fresh(), v.tensor}
		binds[i] = vars[i].id + " = " + v.id
	}
	e.linef("%s:%d = stablehlo.while(%s) : %s", id, len(vars), strings.Join(binds, ", "), types(vars))
	e.linef("cond {")
	e.inner(func() {
		n := e.constant(vars[0].tensor, float64(a.Length))
		more := e.compare("LT", vars[0], n)
		e.linef("stablehlo.return %s : %s loc(%s)", more.id, more.tensor, e.loc)
	})
	e.linef("} do {")
	e.inner(func() {
		next := e.turn(op, a, vars)
		e.linef("stablehlo.return %s : %s loc(%s)", names(next), types(next), e.loc)
	})
	e.linef("} loc(%s)", e.loc)
	out := make([]value, len(op.Out))
	for i := range out {
		k := 1 + i
		if i >= a.Carry {
			k += len(op.In) - a.Carry
		}
		out[i] = value{fmt.Sprintf("%s#%d", id, k), vars[k].tensor}
	}
	return out
}

// inner writes a region of its own.
func (e *emitter) inner(write func()) {
	outer, loc := e.scope, e.loc
	e.scope = newScope()
	e.indent++
	write()
	e.indent--
	e.scope, e.loc = outer, loc
}

// turn writes one turn: vars are the counter, the scan's operands, and the stacks.
func (e *emitter) turn(op *ir.Op, a *ir.ScanAttrs, vars []value) []value {
	one := e.constant(vars[0].tensor, 1)
	at := vars[0]
	if a.Reverse {
		at = e.binary("subtract", e.constant(at.tensor, float64(a.Length-1)), at)
	}
	args := append([]value(nil), vars[1:1+len(op.In)]...)
	for i := a.Carry; i < a.Carry+a.Each; i++ {
		args[i] = e.layer(args[i], at)
	}
	e.region(op.Body, args)
	next := []value{e.binary("add", vars[0], one)}
	uses := op.Body.Uses()
	for i, v := range e.all(op.Body.Yield) {
		if e.o.RowMajor && uses[op.Body.Params[i]] > 1 {
			v = e.inOrder(v)
		}
		next = append(next, v)
	}
	next = append(next, vars[1+a.Carry:1+len(op.In)]...)
	for i, v := range e.all(op.Body.Stack) {
		next = append(next, e.setLayer(vars[1+len(op.In)+i], v, at))
	}
	return next
}

// inOrder is a value that lies in the order of its dims.
func (e *emitter) inOrder(x value) value {
	n := len(x.shape)
	if n < 2 {
		return x
	}
	order := ascending(n)
	slices.Reverse(order)
	layouts := fmt.Sprintf("[dense<[%s]> : tensor<%dxindex>]", list(order), n)
	return e.op(x.tensor, `stablehlo.custom_call @LayoutConstraint(%s) {operand_layouts = %s, result_layouts = %s} : (%s) -> %s`,
		x.id, layouts, layouts, x.tensor, x.tensor)
}

// layer is x at a place along its leading dim.
func (e *emitter) layer(x, at value) value {
	return e.reshape(e.dynamicSlice(x, e.start(x, at), with(x.shape, 0, 1)), x.shape[1:])
}

// setLayer is x with y at a place along its leading dim.
func (e *emitter) setLayer(x, y, at value) value {
	return e.dynamicUpdate(x, e.reshape(y, with(x.shape, 0, 1)), e.start(x, at))
}

// start is a place along the leading dim, and 0 along the others.
func (e *emitter) start(x, at value) []value {
	start := []value{at}
	for range x.shape[1:] {
		start = append(start, e.constant(at.tensor, 0))
	}
	return start
}

// fusion writes its body in place: XLA makes kernels of its own.
func fusion(e *emitter, op *ir.Op) []value {
	e.region(op.Body, e.all(op.In))
	return e.all(op.Body.Yield)
}

func fence(e *emitter, op *ir.Op) []value {
	x := e.all(op.In)
	id := e.fresh()
	bind := id
	if len(x) > 1 {
		bind = fmt.Sprintf("%s:%d", id, len(x))
	}
	e.linef("%s = stablehlo.optimization_barrier %s : %s loc(%s)", bind, names(x), types(x), e.loc)
	out := make([]tensor, len(x))
	for i := range x {
		out[i] = x[i].tensor
	}
	return results(id, out)
}

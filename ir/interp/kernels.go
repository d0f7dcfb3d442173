package interp

import (
	"context"
	"fmt"

	"vitc/ir"
)

// body computes one result, already sized and zero, from the operands' elements.
type body func(in [][]float64, out []float64)

// computed rows round their result; the bodies of moved rows only bring values to other
// places. Pointwise rows need no entry.
var computed, moved map[string]func(op *ir.Op) body

// controls run regions, or hand on their operands.
var controls map[string]func(n numbers, op *ir.Op) (kernel, error)

func init() {
	computed = map[string]func(op *ir.Op) body{
		"dot":         dot,
		"reduce":      reduce,
		"scatter_add": scatterAdd,
		"unwindow":    unwindow,
		"solve":       solve,
	}
	moved = map[string]func(op *ir.Op) body{
		"broadcast": spread,
		"rearrange": spread,
		"iota":      iota,
		"rng_bits":  rngBits,
		"slice":     slice,
		"pad":       pad,
		"roll":      roll,
		"concat":    concat,
		"argmax":    argmax,
		"gather":    gather,
		"window":    window,
	}
	controls = map[string]func(numbers, *ir.Op) (kernel, error){
		"scan":    scan,
		"fusion":  fusion,
		"stop":    identity,
		"fence":   identity,
		"reshard": identity,
		"grad": func(numbers, *ir.Op) (kernel, error) {
			return nil, fmt.Errorf("a gradient is no computation yet: run the pass autodiff first")
		},
	}
}

// kernel makes an op ready to run.
func (n numbers) kernel(op *ir.Op) (kernel, error) {
	name := op.Row.Name
	switch {
	case op.Row.Class == ir.Pointwise:
		return n.pointwise(op), nil
	case computed[name] != nil:
		return n.rounded(op, computed[name](op)), nil
	case moved[name] != nil:
		return plain(op, moved[name](op)), nil
	case op.Row.Class == ir.Collective:
		return collective(n, op)
	case controls[name] != nil:
		return controls[name](n, op)
	}
	return nil, fmt.Errorf("the interpreter has no evaluation for this op")
}

// plain runs a body whose results are exact.
func plain(op *ir.Op, f body) kernel {
	t := op.Out[0].Type
	return func(_ context.Context, in []*Tensor) ([]*Tensor, error) {
		out := New(t)
		f(elements(in), out.F)
		return []*Tensor{out}, nil
	}
}

// rounded runs a body and rounds its result to the op's dtype.
func (n numbers) rounded(op *ir.Op, f body) kernel {
	d := op.Out[0].Type.DType
	return plain(op, func(in [][]float64, out []float64) {
		f(in, out)
		parallel(len(out), grain, func(lo, hi int) { n.settle(d, d, out[lo:hi]) })
	})
}

func elements(ts []*Tensor) [][]float64 {
	f := make([][]float64, len(ts))
	for i, t := range ts {
		f[i] = t.F
	}
	return f
}

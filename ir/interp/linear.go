package interp

import (
	"math"

	"vitc/ir"
)

// spread is broadcast and rearrange: each result position reads the operand where the rule says.
func spread(op *ir.Op) body {
	r := ir.RuleOf(op)
	n := newNest(r, factorsOf(r.Out[0]), factorStrides(r, r.In[0], op.In[0].Type), factorStrides(r, r.Out[0], op.Out[0].Type))
	return func(in [][]float64, out []float64) { n.copies(in[0], out) }
}

// reduce visits the operand in memory order and joins each element to its result.
func reduce(op *ir.Op) body {
	r := ir.RuleOf(op)
	n := newNest(r, factorsOf(r.In[0]), factorStrides(r, r.In[0], op.In[0].Type), factorStrides(r, r.Out[0], op.Out[0].Type))
	k := reductions[op.Attrs.(*ir.ReduceAttrs).Kind]
	if d := op.In[0].Type.DType; !d.Float() && k.start == 0 {
		k.join = func(acc, x float64) float64 { return d.Wrap(int64(acc) + int64(x)) }
	}
	count, step := n.inner()
	return func(in [][]float64, out []float64) {
		for i := range out {
			out[i] = k.start
		}
		n.rows(func(at []int) {
			i, o := at[0], at[1]
			for range count {
				out[o] = k.join(out[o], in[0][i])
				i, o = i+step[0], o+step[1]
			}
		})
	}
}

// reduction joins elements one after another to a start that changes none of them.
type reduction struct {
	start float64
	join  func(acc, x float64) float64
}

// reductions by kind; max and min keep a NaN.
var reductions = map[string]reduction{
	"sum":  {0, func(acc, x float64) float64 { return acc + x }},
	"tree": {0, func(acc, x float64) float64 { return acc + x }}, // in float64 all orders are as good
	"max": {math.Inf(-1), func(acc, x float64) float64 {
		if x > acc || x != x {
			return x
		}
		return acc
	}},
	"min": {math.Inf(1), func(acc, x float64) float64 {
		if x < acc || x != x {
			return x
		}
		return acc
	}},
}

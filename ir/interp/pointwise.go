package interp

import "vitc/ir"

// grain is the least number of elements that is worth a goroutine.
const grain = 4096

// pointwise runs the row's scalar body at every position; a rank-0 operand joins all of them.
func (n numbers) pointwise(op *ir.Op) kernel {
	last := op.In[len(op.In)-1].Type.DType // the dtype that the body computes in
	result := op.Out[0].Type
	apply := reals(op)
	if op.Row.Ints != nil && !last.Float() {
		apply = integers(op, last)
	}
	step := make([]int, len(op.In))
	for i, v := range op.In {
		step[i] = min(v.Type.Rank(), 1)
	}
	return plain(op, func(in [][]float64, out []float64) {
		parallel(len(out), grain, func(lo, hi int) {
			apply(in, step, lo, out[lo:hi])
			n.settle(last, result.DType, out[lo:hi])
		})
	})
}

// reals applies the body over reals to the positions from lo on.
func reals(op *ir.Op) func(in [][]float64, step []int, lo int, out []float64) {
	f, attrs := op.Row.Scalar, op.Attrs
	return func(in [][]float64, step []int, lo int, out []float64) {
		x := make([]float64, len(in))
		for i := range out {
			for k, v := range in {
				x[k] = v[(lo+i)*step[k]]
			}
			out[i] = f(attrs, x)
		}
	}
}

// integers applies the body over integers, and wraps.
func integers(op *ir.Op, d ir.DType) func(in [][]float64, step []int, lo int, out []float64) {
	f := op.Row.Ints
	return func(in [][]float64, step []int, lo int, out []float64) {
		x := make([]int64, len(in))
		for i := range out {
			for k, v := range in {
				x[k] = int64(v[(lo+i)*step[k]])
			}
			out[i] = d.Wrap(f(x))
		}
	}
}

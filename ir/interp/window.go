package interp

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"

	"vitc/ir"
)

// eachPlace calls f for each position of the windows along a dim with its place among the
// windows and its place in the plain tensor, -1 if it lies outside; inner elements follow both.
func eachPlace(plain ir.Type, a *ir.WindowAttrs, f func(windows, plain, inner int)) {
	outer, n, inner := along(plain, a.Dim)
	at := 0
	for i := range outer {
		for o := range a.Windows(n) {
			for k := range a.Size {
				s := o*a.Stride + k - a.Lo
				place := -1
				if s >= 0 && s < n {
					place = (i*n + s) * inner
				}
				f(at, place, inner)
				at += inner
			}
		}
	}
}

func window(op *ir.Op) body {
	a, outside := op.Attrs.(*ir.WindowAttrs), 0.0
	if a.Fill == "lowest" {
		outside = math.Inf(-1)
	}
	return func(in [][]float64, out []float64) {
		eachPlace(op.In[0].Type, a, func(windows, plain, inner int) {
			for i := range inner {
				if out[windows+i] = outside; plain >= 0 {
					out[windows+i] = in[0][plain+i]
				}
			}
		})
	}
}

// unwindow wraps integers, as a reduce does.
func unwindow(op *ir.Op) body {
	a, d := op.Attrs.(*ir.WindowAttrs), op.Out[0].Type.DType
	return func(in [][]float64, out []float64) {
		eachPlace(op.Out[0].Type, a, func(windows, plain, inner int) {
			for i := range inner {
				if plain < 0 {
					return
				}
				out[plain+i] += in[0][windows+i]
				if !d.Float() {
					out[plain+i] = d.Wrap(int64(out[plain+i]))
				}
			}
		})
	}
}

// solve solves each system of the batch by Cholesky's factors; NaN where there are none.
func solve(op *ir.Op) body {
	t := op.In[1].Type
	n, c := t.Dims[t.Rank()-2].Size, t.Dims[t.Rank()-1].Size
	return func(in [][]float64, out []float64) {
		for i := range t.Size() / (n * c) {
			solveOne(n, c, in[0][i*n*n:(i+1)*n*n], in[1][i*n*c:(i+1)*n*c], out[i*n*c:(i+1)*n*c])
		}
	}
}

func solveOne(n, c int, a, y, x []float64) {
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, (a[i*n+j]+a[j*n+i])/2)
		}
	}
	var factors mat.Cholesky
	definite := factors.Factorize(s)
	if definite {
		err := factors.SolveTo(mat.NewDense(n, c, x), mat.NewDense(n, c, y))
		var near mat.Condition // it has been solved all the same, unless the condition is infinite
		definite = err == nil || errors.As(err, &near) && !math.IsInf(float64(near), 0)
	}
	if !definite {
		for i := range x {
			x[i] = math.NaN()
		}
	}
}

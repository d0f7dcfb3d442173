package interp

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"vitc/ir"
)

// product is a dot brought to its canonical form: for each batch, rows×inner times the
// transpose of cols×inner. The transposed form multiplies every pair of elements, so that
// 0·NaN stays NaN; gonum's plain form leaves zeros out.
type product struct {
	batch, rows, cols, inner int
	a, b, c                  nest // operand to packed, twice; packed to result
}

// dot multiplies by gemm, with accumulation in float64.
func dot(op *ir.Op) body {
	p := newProduct(op)
	return func(in [][]float64, out []float64) {
		a := packed(p.a, in[0], p.batch*p.rows*p.inner)
		b := packed(p.b, in[1], p.batch*p.cols*p.inner)
		if p.c.straight() {
			p.multiply(a, b, out)
			return
		}
		c := make([]float64, len(out))
		p.multiply(a, b, c)
		p.c.copies(c, out)
	}
}

func newProduct(op *ir.Op) product {
	r := ir.RuleOf(op)
	x, y, z := r.In[0], r.In[1], r.Out[0]
	var batch, rows, cols, inner []int
	for _, f := range factorsOf(z, x, y) {
		switch {
		case !z.Has(f):
			inner = append(inner, f)
		case !y.Has(f):
			rows = append(rows, f)
		case !x.Has(f):
			cols = append(cols, f)
		default:
			batch = append(batch, f)
		}
	}
	pack := func(t ir.Term, ty ir.Type, groups ...[]int) nest {
		order := join(groups)
		return newNest(r, order, factorStrides(r, t, ty), packedStrides(r, order))
	}
	unpacked := join([][]int{batch, rows, cols})
	return product{
		batch: r.SizeOf(batch), rows: r.SizeOf(rows), cols: r.SizeOf(cols), inner: r.SizeOf(inner),
		a: pack(x, op.In[0].Type, batch, rows, inner),
		b: pack(y, op.In[1].Type, batch, cols, inner),
		c: newNest(r, unpacked, packedStrides(r, unpacked), factorStrides(r, z, op.Out[0].Type)),
	}
}

func join(groups [][]int) []int {
	var order []int
	for _, g := range groups {
		order = append(order, g...)
	}
	return order
}

// packedStrides are those of a dense tensor with one dim for each factor of the order.
func packedStrides(r ir.Rule, order []int) []int {
	strides, n := make([]int, len(r.Factors)), 1
	for i := len(order) - 1; i >= 0; i-- {
		strides[order[i]] = n
		n *= r.Factors[order[i]].Size
	}
	return strides
}

// packed is x in the packed order.
func packed(n nest, x []float64, size int) []float64 {
	if n.straight() {
		return x
	}
	y := make([]float64, size)
	n.copies(x, y)
	return y
}

func (p product) multiply(a, b, c []float64) {
	matrix := func(x []float64, i, rows, cols int) blas64.General {
		return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: x[i*rows*cols : (i+1)*rows*cols]}
	}
	parallel(p.batch, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			blas64.Gemm(blas.NoTrans, blas.Trans, 1,
				matrix(a, i, p.rows, p.inner), matrix(b, i, p.cols, p.inner), 0, matrix(c, i, p.rows, p.cols))
		}
	})
}

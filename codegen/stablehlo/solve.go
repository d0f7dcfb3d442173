package stablehlo

import (
	"math"

	"vitc/ir"
)

// solve factors (A + Aᵀ)/2 as L·Lᵀ and solves twice. That is positive definite where all
// pivots of L are numbers above 0; elsewhere the result is NaN.
func solve(e *emitter, op *ir.Op) []value {
	a, y := e.of(op.In[0]), e.of(op.In[1])
	n := len(a.shape)
	turned := ascending(n)
	turned[n-2], turned[n-1] = n-1, n-2
	a = e.binary("multiply", e.binary("add", a, e.transpose(a, turned)), e.constant(a.tensor, 0.5))
	l := e.op(a.tensor, "stablehlo.cholesky %s, lower = true : %s", a.id, a.tensor)
	x := e.triangular(l, e.triangular(l, y, "NO_TRANSPOSE"), "TRANSPOSE")

	good := e.convert(e.compare("GT", l, e.constant(l.tensor, 0)), i32)
	count := e.reduce("sum", e.diagonal(good, n-2, n-1), []int{n - 2, n - 1})
	definite := e.compare("EQ", count, e.constant(count.tensor, float64(a.shape[n-1])))
	return []value{e.choose(e.broadcast(definite, x.shape, ascending(n-2)), x, e.constant(x.tensor, math.NaN()))}
}

func (e *emitter) triangular(l, y value, transposed string) value {
	return e.op(y.tensor, `"stablehlo.triangular_solve"(%s, %s) <{left_side = true, lower = true, unit_diagonal = false, `+
		`transpose_a = #stablehlo<transpose %s>}> : (%s, %s) -> %s`, l.id, y.id, transposed, l.tensor, y.tensor, y.tensor)
}

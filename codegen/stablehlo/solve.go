package stablehlo

import (
	"math"

	"vitc/ir"
)

// solve factors (A + Aᵀ)/2 as L·Lᵀ and solves twice. Where that is not positive definite, L
// has a NaN, which is spread over the result.
func solve(e *emitter, op *ir.Op) []value {
	a, y := e.of(op.In[0]), e.of(op.In[1])
	n := len(a.shape)
	turned := ascending(n)
	turned[n-2], turned[n-1] = n-1, n-2
	a = e.binary("multiply", e.binary("add", a, e.transpose(a, turned)), e.constant(a.tensor, 0.5))
	l := e.op(a.tensor, "stablehlo.cholesky %s, lower = true : %s", a.id, a.tensor)
	x := e.triangular(l, e.triangular(l, y, "NO_TRANSPOSE"), "TRANSPOSE")
	// A pivot that is no number makes the sum of them none, and 0 times it.
	pivots := e.reduce("sum", e.diagonal(l, n-2, n-1), []int{n - 2, n - 1})
	bad := e.compare("NE", pivots, pivots)
	return []value{e.choose(e.broadcast(bad, x.shape, ascending(n-2)), e.constant(x.tensor, math.NaN()), x)}
}

func (e *emitter) triangular(l, y value, transposed string) value {
	return e.op(y.tensor, `"stablehlo.triangular_solve"(%s, %s) <{left_side = true, lower = true, unit_diagonal = false, `+
		`transpose_a = #stablehlo<transpose %s>}> : (%s, %s) -> %s`, l.id, y.id, transposed, l.tensor, y.tensor, y.tensor)
}

package interp

import "vitc/ir"

// numbers says how values are rounded.
type numbers struct {
	exact bool
	real  ir.DType // what Real stands for
}

// settle casts values computed in one dtype to another, in place.
func (n numbers) settle(from, to ir.DType, xs []float64) {
	if to == ir.Real {
		to = n.real
	}
	switch {
	case n.exact && to.Float():
	case to == ir.F32:
		for i, x := range xs {
			xs[i] = float64(float32(x))
		}
	default:
		for i, x := range xs {
			xs[i] = ir.Convert(x, from, to)
		}
	}
}

package interp

import (
	"vitc/ir"
	"vitc/ir/threefry"
)

func iota(op *ir.Op) body {
	outer, n, inner := along(op.Out[0].Type, op.Attrs.(*ir.IotaAttrs).Dim)
	return func(_ [][]float64, out []float64) {
		for o := range outer {
			for k := range n {
				for i := range inner {
					out[(o*n+k)*inner+i] = float64(k)
				}
			}
		}
	}
}

// rngBits takes the first word of the block whose counter is the position p, the sum of index
// times stride, as two words, with at added to the high one. Indices count from where the op says
// that it begins.
func rngBits(op *ir.Op) body {
	r := ir.RuleOf(op)
	t := op.Out[0].Type
	strides := op.Attrs.(*ir.RngAttrs).Strides
	n := newNest(r, factorsOf(r.Out[0]), strides, factorStrides(r, r.Out[0], t))
	count, step := n.inner()
	return func(in [][]float64, out []float64) {
		key, at := [2]uint32{uint32(in[0][0]), uint32(in[0][1])}, uint32(in[1][0])
		base := 0
		for i, from := range in[2:] {
			base += int(from[0]) * strides[i]
		}
		n.rows(func(place []int) {
			p, o := base+place[0], place[1]
			for range count {
				out[o] = float64(threefry.Block(key, [2]uint32{uint32(p), uint32(uint64(p)>>32) + at})[0])
				p, o = p+step[0], o+step[1]
			}
		})
	}
}

package stablehlo

import (
	"math"

	"vitc/ir"
)

// window lays out windows without a gather: those that lie side by side are a reshape; else it
// joins, for each position within a window, the strided slice that all windows see there, or
// the windows one after another, whichever are fewer.
func window(e *emitter, op *ir.Op) []value {
	a, fill := op.Attrs.(*ir.WindowAttrs), 0.0
	if a.Fill == "lowest" {
		fill = math.Inf(-1)
	}
	x := e.pad(e.of(op.In[0]), fill, a.Dim, a.Lo, a.Hi)
	n := op.Out[0].Type.Dims[a.Dim].Size
	if a.Stride == a.Size || n == 1 {
		return []value{e.reshape(x, split(x.shape, a.Dim, n, a.Size))}
	}
	var parts []value
	if n < a.Size {
		for o := range n {
			p := e.cut(x, a.Dim, o*a.Stride, o*a.Stride+a.Size, 1)
			parts = append(parts, e.reshape(p, split(p.shape, a.Dim, 1, a.Size)))
		}
		return []value{e.concat(a.Dim, parts...)}
	}
	for k := range a.Size {
		p := e.cut(x, a.Dim, k, k+(n-1)*a.Stride+1, a.Stride)
		parts = append(parts, e.reshape(p, split(p.shape, a.Dim, n, 1)))
	}
	return []value{e.concat(a.Dim+1, parts...)}
}

// unwindow is the other way: a reshape, or the sum over the positions within a window of the
// values there, spread to their places. Sums of narrow floats are made in f32.
func unwindow(e *emitter, op *ir.Op) []value {
	a, x := op.Attrs.(*ir.WindowAttrs), e.of(op.In[0])
	n := x.shape[a.Dim]
	if a.Stride == a.Size || n == 1 {
		merged := with(without(x.shape, []int{a.Dim + 1}), a.Dim, n*a.Size)
		return []value{e.pad(e.reshape(x, merged), 0, a.Dim, -a.Lo, -a.Hi)}
	}
	narrow := x.elem
	if narrow.narrow() {
		x = e.convert(x, f32)
	}
	var sum value
	for k := range a.Size {
		p := e.cut(x, a.Dim+1, k, k+1, 1)
		p = e.reshape(p, without(x.shape, []int{a.Dim + 1}))
		p = e.apart(p, a.Dim, a.Stride)
		lo := k - a.Lo
		p = e.pad(p, 0, a.Dim, lo, op.Out[0].Type.Dims[a.Dim].Size-lo-p.shape[a.Dim])
		if k > 0 {
			p = e.binary("add", sum, p)
		}
		sum = p
	}
	return []value{e.convert(sum, narrow)}
}

// apart puts zeros between the positions of a dim, and after the last: by reshapes, since XLA's
// partitioner dies of some paddings in between.
func (e *emitter) apart(x value, dim, stride int) value {
	wide := e.pad(e.reshape(x, split(x.shape, dim, x.shape[dim], 1)), 0, dim+1, 0, stride-1)
	return e.reshape(wide, with(x.shape, dim, x.shape[dim]*stride))
}

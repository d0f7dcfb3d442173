package mapping

import (
	"slices"

	"vitc/ir"
)

// view is a tensor that lies in a buffer: axes by name, each with the distance of its positions.
// The operations that only move numbers are arithmetic on views, so that one evaluator serves both
// ways: a line's view of a file's tensor is read on import and written on export.
type view struct {
	data   []float32
	offset int
	dims   []vdim
}

type vdim struct {
	name         string
	size, stride int
}

// dense is a view of a whole row-major buffer.
func dense(data []float32, l []ir.Dim) *view {
	v := &view{data: data, dims: make([]vdim, len(l))}
	stride := 1
	for i := len(l) - 1; i >= 0; i-- {
		v.dims[i] = vdim{l[i].Label, l[i].Size, stride}
		stride *= l[i].Size
	}
	return v
}

func (v *view) place(name string) int {
	return slices.IndexFunc(v.dims, func(d vdim) bool { return d.name == name })
}

// axes are the names and sizes of the view.
func (v *view) axes() []ir.Dim {
	out := make([]ir.Dim, len(v.dims))
	for i, d := range v.dims {
		out[i] = ir.Dim{Label: d.name, Size: d.size}
	}
	return out
}

func (v *view) replaced(name string, by ...vdim) *view {
	i := v.place(name)
	return &view{v.data, v.offset, slices.Concat(v.dims[:i], by, v.dims[i+1:])}
}

// index takes one position of an axis.
func (v *view) index(name string, at int) *view {
	d := v.dims[v.place(name)]
	out := v.replaced(name)
	out.offset += at * d.stride
	return out
}

// slice takes positions [from, from + size) of an axis.
func (v *view) slice(name string, from, size int) *view {
	d := v.dims[v.place(name)]
	out := v.replaced(name, vdim{name, size, d.stride})
	out.offset += from * d.stride
	return out
}

// split makes several axes of one, outermost first.
func (v *view) split(name string, into []ir.Dim) *view {
	stride := v.dims[v.place(name)].stride
	by := make([]vdim, len(into))
	for i := len(into) - 1; i >= 0; i-- {
		by[i] = vdim{into[i].Label, into[i].Size, stride}
		stride *= into[i].Size
	}
	return v.replaced(name, by...)
}

// merge makes one axis of several, outermost first; false where they do not lie so.
func (v *view) merge(names []ir.Dim, name string) (*view, bool) {
	last := v.dims[v.place(names[len(names)-1].Label)]
	one := vdim{name, 1, last.stride}
	out := v
	for _, n := range slices.Backward(names) {
		d := v.dims[v.place(n.Label)]
		if d.stride != one.stride*one.size {
			return nil, false
		}
		one.size *= d.size
		out = out.replaced(n.Label)
	}
	return &view{out.data, out.offset, append(slices.Clone(out.dims), one)}, true
}

// each calls do with the places of every position of v, in v's own order, in v's buffer and that of
// others, which have the same axes in any order, or fewer: those they lack are the same everywhere.
func (v *view) each(do func(at int, in []int), others ...*view) {
	strides := make([][]int, len(others))
	places := make([]int, len(others))
	for k, o := range others {
		places[k] = o.offset
		strides[k] = make([]int, len(v.dims))
		for i, d := range v.dims {
			if j := o.place(d.name); j >= 0 {
				strides[k][i] = o.dims[j].stride
			}
		}
	}
	if slices.ContainsFunc(v.dims, func(d vdim) bool { return d.size == 0 }) {
		return
	}
	pos, at := make([]int, len(v.dims)), v.offset
	for {
		do(at, places)
		i := len(v.dims) - 1
		for ; i >= 0; i-- {
			pos[i]++
			at += v.dims[i].stride
			for k := range others {
				places[k] += strides[k][i]
			}
			if pos[i] < v.dims[i].size {
				break
			}
			at -= pos[i] * v.dims[i].stride
			for k := range others {
				places[k] -= pos[i] * strides[k][i]
			}
			pos[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// assign copies the numbers of src, which has the same axes in any order.
func (v *view) assign(src *view) {
	v.each(func(at int, in []int) { v.data[at] = src.data[in[0]] }, src)
}

// fresh is a dense view of new memory.
func fresh(l []ir.Dim) *view {
	n := 1
	for _, d := range l {
		n *= d.Size
	}
	return dense(make([]float32, n), l)
}

// Package layout says which part of a tensor each device of a mesh holds.
package layout

import (
	"slices"

	"vitc/ir"
)

// Layout is how the devices of a mesh hold a tensor: each a block of the whole, of one size, the
// last ones padded where the blocks do not divide it.
type Layout struct {
	Mesh  ir.Mesh
	Whole ir.Type // as callers know it
	Local ir.Type // of one device, with the axes of the mesh that cut it
}

// Of is the layout of what partitioning made a local type of.
func Of(m ir.Mesh, local ir.Type) Layout {
	whole := ir.Type{DType: local.DType, Dims: slices.Clone(local.Dims)}
	for i, d := range whole.Dims {
		size := d.Size * m.Size(local.Shard.Of(i)...)
		if d.Global != 0 {
			size = d.Global
		}
		whole.Dims[i] = ir.Dim{Label: d.Label, Size: size}
	}
	return Layout{m, whole, local}
}

// Cut reports whether devices hold different parts of the tensor.
func (l Layout) Cut() bool {
	return l.Local.Shard != nil && slices.ContainsFunc(l.Local.Shard.Dims, func(axes []string) bool { return len(axes) > 0 })
}

// Take copies a device's block of the whole to part; padding is zeros.
func (l Layout) Take(device int, whole, part []byte) {
	if !l.Cut() {
		copy(part, whole)
		return
	}
	clear(part)
	l.runs(device, func(at, from, n int) { copy(part[at:at+n], whole[from:from+n]) })
}

// Window is the rows [from, to) of the whole, along its first dim, that some devices need; the whole
// has a dim.
func (l Layout) Window(devices []int) (from, to int) {
	rows := l.Whole.Dims[0].Size
	from = rows
	for _, d := range devices {
		start, size := l.Box(d)
		if !slices.Contains(size, 0) {
			from, to = min(from, start[0]), max(to, start[0]+size[0])
		}
	}
	return min(from, to), to
}

// Box is where a device's block stands in the whole, by dim, and how large it is there without
// padding; a block that is all padding has a size of 0.
func (l Layout) Box(device int) (start, size []int) {
	for i, d := range l.Local.Dims {
		at := 0
		if axes := l.Local.Shard.Of(i); len(axes) > 0 {
			at = min(l.Mesh.Place(device, axes)*d.Size, l.Whole.Dims[i].Size)
		}
		start, size = append(start, at), append(size, min(d.Size, l.Whole.Dims[i].Size-at))
	}
	return start, size
}

// TakeRows is Take where of the whole there are only rows from some row on, which must have all of
// the device's.
func (l Layout) TakeRows(device int, rows []byte, first int, part []byte) {
	if first == 0 && !l.Cut() {
		copy(part, rows)
		return
	}
	skip := first * stride(l.Whole, 0)
	clear(part)
	l.runs(device, func(at, from, n int) { copy(part[at:at+n], rows[from-skip:]) })
}

// Part is a device's block of the whole; it is the whole itself where devices hold all of it.
func (l Layout) Part(device int, whole []byte) []byte {
	if !l.Cut() {
		return whole
	}
	part := make([]byte, l.Local.Bytes())
	l.Take(device, whole, part)
	return part
}

// Put copies a device's block to its place in the whole.
func (l Layout) Put(device int, whole, part []byte) {
	l.runs(device, func(at, from, n int) { copy(whole[from:from+n], part[at:at+n]) })
}

// Unpad is a device's block without its padding, as Box says; it may be the block itself.
func (l Layout) Unpad(device int, part []byte) []byte {
	box := l.box(device)
	if box.Whole.Bytes() == len(part) {
		return part
	}
	small := make([]byte, box.Whole.Bytes())
	box.runs(0, func(at, from, n int) { copy(small[from:from+n], part[at:]) })
	return small
}

// Pad is the inverse of Unpad; padding is zeros.
func (l Layout) Pad(device int, small []byte) []byte {
	box := l.box(device)
	if box.Whole.Bytes() == l.Local.Bytes() {
		return small
	}
	part := make([]byte, l.Local.Bytes())
	box.runs(0, func(at, from, n int) { copy(part[at:at+n], small[from:]) })
	return part
}

// box is the layout of a device's block as a padded tensor of its own.
func (l Layout) box(device int) Layout {
	_, size := l.Box(device)
	whole := ir.Type{DType: l.Local.DType}
	cut := make([][]string, len(size))
	for i, n := range size {
		whole.Dims = append(whole.Dims, ir.Dim{Size: n})
		cut[i] = l.Local.Shard.Of(i)
	}
	alone := make(ir.Mesh, 0, len(l.Mesh))
	for _, a := range l.Mesh {
		alone = append(alone, ir.MeshAxis{Name: a.Name, Size: 1})
	}
	return Layout{alone, whole, l.Local.Sharded(ir.NewSharding(cut, nil, nil))}
}

// runs visits the contiguous runs of bytes of a device's block: at of the block is from of the
// whole, for n bytes.
func (l Layout) runs(device int, visit func(at, from, n int)) {
	last := -1 // the last dim that is cut; what follows it is contiguous in both
	for i := range l.Local.Dims {
		if len(l.Local.Shard.Of(i)) > 0 {
			last = i
		}
	}
	if last < 0 {
		visit(0, 0, l.Whole.Bytes())
		return
	}
	var walk func(dim, at, from int)
	walk = func(dim, at, from int) {
		size, start := l.Local.Dims[dim].Size, 0
		if axes := l.Local.Shard.Of(dim); len(axes) > 0 {
			start = l.Mesh.Place(device, axes) * size
		}
		n := min(size, l.Whole.Dims[dim].Size-start) // the rest is padding
		inLocal, inWhole := stride(l.Local, dim), stride(l.Whole, dim)
		if n > 0 && dim == last {
			visit(at, from+start*inWhole, n*inWhole)
			return
		}
		for i := range max(n, 0) {
			walk(dim+1, at+i*inLocal, from+(start+i)*inWhole)
		}
	}
	walk(0, 0, 0)
}

// stride is the number of bytes from an element to the next one along a dim.
func stride(t ir.Type, dim int) int {
	t.Dims = t.Dims[dim+1:]
	return t.Bytes()
}

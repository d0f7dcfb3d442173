package xla

import "vitc/ir"

// layout is how the devices of a mesh hold a tensor: each a block of the whole, of one size, the
// last ones padded where the blocks do not divide it.
type layout struct {
	mesh  ir.Mesh
	whole ir.Type // as callers know it
	local ir.Type // of one device, with the axes of the mesh that cut it
}

// cut reports whether devices hold different parts.
func (l layout) cut() bool { return len(l.local.Shard.Axes()) > 0 }

// part copies a device's block out of the whole; padding is zeros.
func (l layout) part(device int, whole []byte) []byte {
	if !l.cut() {
		return whole
	}
	part := make([]byte, l.local.Bytes())
	l.runs(device, func(at, from, n int) { copy(part[at:at+n], whole[from:from+n]) })
	return part
}

// put copies a device's block to its place in the whole.
func (l layout) put(device int, whole, part []byte) {
	l.runs(device, func(at, from, n int) { copy(whole[from:from+n], part[at:at+n]) })
}

// runs visits the contiguous runs of bytes of a device's block: at of the block is from of the
// whole, for n bytes.
func (l layout) runs(device int, visit func(at, from, n int)) {
	last := -1 // the last dim that is cut; what follows it is contiguous in both
	for i := range l.local.Dims {
		if len(l.local.Shard.Of(i)) > 0 {
			last = i
		}
	}
	if last < 0 {
		visit(0, 0, l.whole.Bytes())
		return
	}
	var walk func(dim, at, from int)
	walk = func(dim, at, from int) {
		size, start := l.local.Dims[dim].Size, 0
		if axes := l.local.Shard.Of(dim); len(axes) > 0 {
			start = l.mesh.Place(device, axes) * size
		}
		n := min(size, l.whole.Dims[dim].Size-start) // the rest is padding
		inLocal, inWhole := stride(l.local, dim), stride(l.whole, dim)
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

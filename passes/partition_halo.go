package passes

import (
	"fmt"
	"math"
	"slices"

	"vitc/ir"
)

// Windows along a cut dim reach over the edges of a device's block. Where their strides fill the dim,
// so that each block of it begins where a block of the windows does, a device needs the last lo
// positions of the block before and the first hi of the one after: halos, which neighbours send.
//
//	window    the block between its halos, zeros or minus infinity beyond the outer ends, holds all
//	          that the device's windows see
//	unwindow  the other way: what windows give to positions beyond the block goes home, and is added
//
// ir.SharedRule says where devices can share windows. Whether they do, or the dim is gathered, the
// chooser decides by cost.

// window lays out the windows of a block and its halos.
func (s *splitter) window(op *ir.Op) {
	a, x := *op.Attrs.(*ir.WindowAttrs), s.value(op.In[0])
	axes := x.Type.Shard.Of(a.Dim)
	lo, hi := a.Halo()
	if len(axes) == 0 || lo+hi == 0 {
		s.plain(op, []*ir.Value{x})
		return
	}
	n := x.Type.Dims[a.Dim].Size
	outside := ir.Literal(x.Type.DType, 0)
	if a.Fill == "lowest" {
		outside = ir.Literal(x.Type.DType, math.Inf(-1))
	}
	var parts []*ir.Value
	if lo > 0 {
		parts = append(parts, s.halo(s.piece(x, a.Dim, n-lo, n, axes), axes, 1, outside))
	}
	parts = append(parts, x)
	if hi > 0 {
		parts = append(parts, s.halo(s.piece(x, a.Dim, 0, hi, axes), axes, -1, outside))
	}
	x = s.emit("concat", &ir.ConcatAttrs{Dim: a.Dim}, s.loose(x.Type, a.Dim, lo+n+hi, axes), parts...)
	a.Lo, a.Hi = min(a.Lo, 0), min(a.Hi, 0)
	s.replace(op, s.emit("window", &a, s.local(op.Out[0].Type), x))
}

// unwindow sums the windows of a block, and what its neighbours' windows give to it.
func (s *splitter) unwindow(op *ir.Op) {
	a, d, t := *op.Attrs.(*ir.WindowAttrs), s.value(op.In[0]), s.local(op.Out[0].Type)
	axes := t.Shard.Of(a.Dim)
	lo, hi := a.Halo()
	if len(axes) == 0 || lo+hi == 0 {
		s.plain(op, []*ir.Value{d})
		return
	}
	a.Lo, a.Hi = min(a.Lo, 0), min(a.Hi, 0)
	n, zero := t.Dims[a.Dim].Size, ir.Literal(t.DType, 0)
	wide := s.emit("unwindow", &a, s.loose(t, a.Dim, lo+n+hi, axes), d)
	sum := s.piece(wide, a.Dim, lo, lo+n, axes)
	add := func(from, to, step, before int) {
		if from == to {
			return
		}
		x := s.halo(s.piece(wide, a.Dim, from, to, axes), axes, step, zero)
		x = s.emit("pad", &ir.PadAttrs{Dim: a.Dim, Lo: before, Hi: n - before - (to - from)}, sum.Type, x)
		sum = s.emit("add", nil, sum.Type, sum, x)
	}
	add(0, lo, -1, n-lo)
	add(lo+n, lo+n+hi, 1, 0)
	sum.Type = t // blocks again
	s.replace(op, sum)
}

// piece cuts positions out of what a device holds of a dim.
func (s *splitter) piece(x *ir.Value, dim, from, to int, axes []string) *ir.Value {
	return s.emit("slice", &ir.SliceAttrs{Dim: dim, From: from, To: to}, s.loose(x.Type, dim, to-from, axes), x)
}

// halo sends a piece to the device step places on, 1 or -1. The one that would get it around the ring
// gets what lies outside.
func (s *splitter) halo(piece *ir.Value, axes []string, step int, outside *ir.Value) *ir.Value {
	n := s.mesh.Size(axes...)
	x := s.emit("permute", &ir.PermuteAttrs{Over: axes, Step: (step + n) % n}, piece.Type, piece)
	return s.emit("select", nil, x.Type, s.behind(axes, step), x, outside)
}

// behind is whether there is a device step places back along axes: bool[].
func (s *splitter) behind(axes []string, step int) *ir.Value {
	key := fmt.Sprint(axes, "behind", step)
	if s.indices[key] == nil {
		end := 0
		if step < 0 {
			end = s.mesh.Size(axes...) - 1
		}
		at := s.index(axes)
		s.indices[key] = s.emit("compare", &ir.CompareAttrs{Dir: "ne"}, at.Type.As(ir.Bool), at, ir.Literal(ir.I32, float64(end)))
	}
	return s.indices[key]
}

// replace lets x stand for an op's result.
func (s *splitter) replace(op *ir.Op, x *ir.Value) {
	x.Name = op.Out[0].Name
	s.now[op.Out[0]] = x
}

// shortest is the fewest windows of a block so that what they reach for lies in the block beside it.
func shortest(a *ir.WindowAttrs) int {
	lo, hi := a.Halo()
	return (max(lo, hi) + a.Stride - 1) / a.Stride
}

// halos is what the exchange takes where windows are cut, in seconds: both ways at once.
func (c *chooser) halos(cut [][]string) float64 {
	a, ok := c.op.Attrs.(*ir.WindowAttrs)
	if !ok || len(cut[a.Dim]) == 0 {
		return 0
	}
	plain, term := c.op.In[0], c.v.in[0]
	if c.op.Row.Name == "unwindow" {
		plain, term = c.op.Out[0], c.v.out[0]
	}
	dims, _ := c.v.dims(c.s.p.mesh, term, cut)
	rows := float64(plain.Type.DType.Bytes())
	for i, d := range plain.Type.Dims {
		if parts := c.s.p.mesh.Size(dims[i]...); i != a.Dim {
			rows *= float64(padded(d.Size, parts) / parts)
		}
	}
	lo, hi := a.Halo()
	return c.s.p.routes.moving(move{row: "permute", over: slices.Clone(cut[a.Dim]), bytes: float64(lo+hi) * rows}, 0)
}

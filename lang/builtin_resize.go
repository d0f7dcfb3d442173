package lang

import (
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// resize interpolates linearly along each axis, to the size that the axis has in scope: one
// product an axis, with a matrix of weights.
func resize(f *frame, c *builtinCall) value {
	x, ok := f.tensorArg(c, 0)
	if !ok || !f.wants("resize", x, c.pos[0], x.d.Float(), "a floating dtype", "f32(x)") {
		return bad{}
	}
	if _, ok := f.over(c, 1, x); !ok {
		return bad{}
	}
	to, ok := f.sizedArg(c, 1)
	if !ok {
		return bad{}
	}
	out := slices.Clone(x.axes)
	for _, a := range to {
		out[out.named(a.name)].size = a.size
	}
	if !f.fits(c.at, out) {
		return bad{}
	}
	for _, a := range to {
		if i := x.axes.named(a.name); x.axes[i].size != a.size {
			x = f.resizeAxis(x, i, a.size, c.at)
		}
	}
	return x
}

func (f *frame) resizeAxis(x *tensor, i, size int, at diag.Pos) *tensor {
	old := x.axes[i]
	next := private(axes{old})[0]
	next.size = size
	terms, out := slices.Clone(x.axes), slices.Clone(x.axes)
	terms[i], out[i].size = next, size
	w := f.bilinear(axes{old, next}, x.d, at)
	v := f.full(x, at)
	return &tensor{axes: out, d: x.d, v: f.build(at).DotTo(v, w, rule(terms, x.axes, axes{old, next}), out.dims())}
}

// bilinear is the matrix of weights w[i, j] of old position i in new position j: positions are
// centres of pixels, new j lies at (j + 1/2)·old/new - 1/2, moved to the nearest old position
// where it is beyond the first or the last, and weights fall linearly to 0 at distance 1.
func (f *frame) bilinear(l axes, d ir.DType, at diag.Pos) *ir.Value {
	b := f.build(at)
	place := func(dim int) *ir.Value { return b.Cast(b.Iota(ir.T(ir.I32, l.dims()...), dim), ir.F32) }
	scale, last := float64(l[0].size)/float64(l[1].size), float64(l[0].size-1)
	j := b.AddC(b.MulC(b.AddC(place(1), 0.5), scale), -0.5)
	j = b.Binary("min", b.Binary("max", j, b.Num(j, 0)), b.Num(j, last))
	distance := b.Unary("abs", b.Sub(j, place(0)))
	return b.Cast(b.Binary("max", b.Sub(b.Num(j, 1), distance), b.Num(j, 0)), d)
}

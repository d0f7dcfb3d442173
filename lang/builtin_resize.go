package lang

import (
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// filterParams say how `resize` interpolates, of tensors and of weights alike.
var filterParams = []builtinParam{byName("filter", "string", true), byName("antialias", "bool", true), byName("corners", "bool", true)}

// filter reads the arguments of filterParams, nil where they are not given.
func (f *frame) filter(vals []value, pos []diag.Pos) (ir.Filter, bool) {
	antialias, _ := vals[1].(boolean)
	corners, _ := vals[2].(boolean)
	out := ir.Filter{Antialias: bool(antialias), Corners: bool(corners)}
	name, given := vals[0].(text)
	if out.Cubic = name == "bicubic"; given && !out.Cubic && name != "bilinear" {
		f.report(&diag.Diagnostic{Code: codeValue, Pos: pos[0], Msg: "`resize` has no filter of this name",
			Expected: `"bilinear" or "bicubic"`, Fix: diag.Nearest(string(name), []string{"bilinear", "bicubic"})})
		return out, false
	}
	if out.Antialias && out.Corners {
		f.report(&diag.Diagnostic{Code: codeValue, Pos: pos[2], Msg: "`resize` widens its filter around centres of pixels, not where corners meet", Expected: "either `antialias` or `corners`"})
		return out, false
	}
	return out, true
}

// resize interpolates along each axis, to the size that the axis has in scope: one product an axis,
// with a matrix of weights.
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
	filter, ok := f.filter(c.vals[2:], c.pos[2:])
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
			x = f.resizeAxis(x, i, a.size, filter, c.at)
		}
	}
	return x
}

func (f *frame) resizeAxis(x *tensor, i, size int, filter ir.Filter, at diag.Pos) *tensor {
	old := x.axes[i]
	next := private(axes{old})[0]
	next.size = size
	terms, out := slices.Clone(x.axes), slices.Clone(x.axes)
	terms[i], out[i].size = next, size
	r := resampler{f.build(at), filter, axes{old, next}}
	w := r.b.Cast(r.weights(), x.d)
	v := f.full(x, at)
	return &tensor{axes: out, d: x.d, v: r.b.DotTo(v, w, rule(terms, x.axes, axes{old, next}), out.dims())}
}

// resampler builds the matrix w[i, j] of old position i in new position j: what
// ir.Filter.Weights says, as ops.
type resampler struct {
	b *ir.Builder
	ir.Filter
	l axes // old and new
}

func (r *resampler) weights() *ir.Value {
	old, size := r.l[0].size, r.l[1].size
	scale, shift := r.Place(old, size)
	i := r.position(0)
	away := r.b.Sub(r.b.AddC(r.b.MulC(r.position(1), scale), shift), i)
	w := r.kernel(r.b.MulC(away, 1/r.Width(old, size)))
	if r.Antialias {
		terms := rule(axes{r.l[1]}, r.l)
		total := r.b.ReduceTo("sum", w, terms, axes{r.l[1]}.dims())
		return r.b.Div(w, r.b.Broadcast(total, terms.Swap(terms.Out, terms.In[0]), r.l.dims()))
	}
	for beyond := 1; beyond <= r.Reach(); beyond++ { // the ends stand for what lies beyond them
		w = r.b.Add(w, r.only(i, 0, r.kernel(r.b.AddC(away, float64(beyond)))))
		w = r.b.Add(w, r.only(i, old-1, r.kernel(r.b.AddC(away, -float64(beyond)))))
	}
	return w
}

// position counts along one of the axes.
func (r *resampler) position(dim int) *ir.Value {
	return r.b.Cast(r.b.Iota(ir.T(ir.I32, r.l.dims()...), dim), ir.F32)
}

// only is w at one old position, 0 elsewhere.
func (r *resampler) only(i *ir.Value, at int, w *ir.Value) *ir.Value {
	return r.b.Select(r.b.Compare("eq", i, r.b.Num(i, float64(at))), w, r.b.Num(w, 0))
}

// kernel is ir.Filter.Kernel: linear to distance 1, or two cubics that meet there.
func (r *resampler) kernel(x *ir.Value) *ir.Value {
	b := r.b
	x = b.Binary("min", b.Unary("abs", x), b.Num(x, float64(r.Reach())))
	if !r.Cubic {
		return b.Sub(b.Num(x, 1), x)
	}
	a := r.Sharpness()
	near := b.AddC(b.Mul(b.Mul(b.AddC(b.MulC(x, a+2), -(a+3)), x), x), 1)
	far := b.MulC(b.AddC(b.Mul(b.AddC(b.Mul(b.AddC(x, -5), x), 8), x), -4), a)
	return b.Select(b.Compare("lt", x, b.Num(x, 1)), near, far)
}

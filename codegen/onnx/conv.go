package onnx

import (
	"slices"

	"vitc/ir"
)

// conv is a convolution over two dims of x: a product over windows. The factors are those of the
// product's rule.
type conv struct {
	x, w                    *ir.Value
	rows, cols              *ir.WindowAttrs
	n, row, col             int // of what the result keeps of x
	krow, kcol, channel, to int
	rest                    []int // the result's factors, in order
}

// convOf recognises the product of a filter and windows of windows of a picture [n, row, col,
// channel].
func convOf(op *ir.Op) *conv {
	outer := made(op.In[0], "window")
	if outer == nil || outer.In[0].Type.Rank() != 5 || op.In[1].Type.Rank() != 4 {
		return nil
	}
	inner := made(outer.In[0], "window")
	if inner == nil {
		return nil
	}
	c := &conv{x: inner.In[0], w: op.In[1], rows: inner.Attrs.(*ir.WindowAttrs), cols: outer.Attrs.(*ir.WindowAttrs)}
	if c.rows.Dim != 1 || c.cols.Dim != 3 || !plain(c.rows) || !plain(c.cols) {
		return nil
	}
	x, w, out := flat(op.Rule.In[0]), flat(op.Rule.In[1]), flat(op.Rule.Out[0])
	c.n, c.row, c.krow, c.col, c.kcol, c.channel = x[0], x[1], x[2], x[3], x[4], x[5]
	k := slices.IndexFunc(w, func(f int) bool { return f != c.krow && f != c.kcol && f != c.channel })
	if k < 0 {
		return nil
	}
	c.to, c.rest = w[k], out
	want := []int{c.n, c.row, c.col, c.to}
	if len(out) != 4 || slices.ContainsFunc(want, func(f int) bool { return !slices.Contains(out, f) }) {
		return nil
	}
	return c
}

// plain windows have zeros around, which a Conv adds itself.
func plain(a *ir.WindowAttrs) bool { return a.Lo >= 0 && a.Hi >= 0 && a.Fill == "" }

// conv writes the picture as [n, channel, row, col] and the filter as [to, channel, row, col], which
// are ONNX's only layouts; runtimes cancel the transposes between convolutions.
func (e *emitter) conv(c *conv, op *ir.Op, env environment) *value {
	r := op.Rule
	x := e.transposed(e.full(e.of(env, c.x)), []int{0, 3, 1, 2})
	w := e.arranged(e.full(e.of(env, c.w)), r, flat(r.In[1]), apart([]int{c.to, c.channel, c.krow, c.kcol})...)
	from := []int{c.n, c.to, c.row, c.col}
	t := ir.Type{DType: op.Out[0].Type.DType}
	for _, f := range from {
		t.Dims = append(t.Dims, op.Out[0].Type.Dims[slices.Index(c.rest, f)])
	}
	y := e.emit("Conv", t, e.nameList(x, w), attribute{"kernel_shape", []int{c.rows.Size, c.cols.Size}},
		attribute{"strides", []int{c.rows.Stride, c.cols.Stride}}, attribute{"pads", []int{c.rows.Lo, c.cols.Lo, c.rows.Hi, c.cols.Hi}})
	out := *e.arranged(y, r, from, apart(c.rest)...)
	out.t = op.Out[0].Type
	return &out
}

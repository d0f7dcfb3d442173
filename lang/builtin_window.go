package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// windowBuiltins slide windows along axes: a convolution is a product over windows, a pooling
// a reduction over them.
func windowBuiltins() []*builtin {
	return []*builtin{
		{name: "conv", params: []builtinParam{takes("x", ""), takes("w", ""), byName("space", "axes", false), byName("window", "axes", false),
			byName("over", "axes", false), byName("stride", "int", true), byName("pad", "string", true)}, run: conv},
		{name: "max_pool", params: []builtinParam{takes("x", ""), byName("space", "axes", false), byName("window", "int", false),
			byName("stride", "int", true), byName("pad", "string", true)}, run: maxPool},
	}
}

// sliding says how windows move along every axis of a space.
type sliding struct {
	stride int
	same   bool // the space's edges are padded so that each stride's position has a window
	fill   string
	at     diag.Pos
}

// conv sums over windows and channels: a window each space, then what dot does.
func conv(f *frame, c *builtinCall) value {
	ts, ok := f.operands("conv", c.at, c.pos[:2], c.vals[0], c.vals[1])
	if !ok || !f.wants("conv", ts[0], c.at, ts[0].d.Float(), "a floating dtype", "f32(x)") {
		return bad{}
	}
	x, w := ts[0], ts[1]
	space, ok := f.over(c, 2, x)
	if !ok {
		return bad{}
	}
	window, ok := f.over(c, 3, w)
	if !ok || !f.paired(c, space, window) {
		return bad{}
	}
	over, ok := f.over(c, 4, x, w)
	if !ok {
		return bad{}
	}
	for _, a := range over {
		if !x.axes.has(a) || !w.axes.has(a) {
			return f.oneSided(c, 4, a, x, w)
		}
	}
	s, ok := f.sliding(c, 5)
	if !ok {
		return bad{}
	}
	for i := range space {
		if x, ok = f.slide(x, space[i], window[i], s); !ok {
			return bad{}
		}
	}
	return f.product(c.at, x, w, append(slices.Clone(window), over...))
}

// paired reports spaces and windows that do not go together.
func (f *frame) paired(c *builtinCall, space, window axes) bool {
	if len(space) == len(window) && len(space) > 0 {
		return true
	}
	f.report(&diag.Diagnostic{Code: codeAxes, Pos: c.pos[3], Msg: "`conv` has a window along each axis of its space",
		Label: fmt.Sprintf("space %s, window %s", space.sized(), window.sized()), Expected: "as many axes in `window` as in `space`, and at least one"})
	return false
}

// maxPool is the greatest element of each window. An axis at a time: the greatest of a row's
// greatest is that of the window, from fewer copies.
func maxPool(f *frame, c *builtinCall) value {
	x, ok := f.tensorArg(c, 0)
	if !ok || !f.wants("max_pool", x, c.pos[0], x.d.Float(), "a floating dtype", "f32(x)") {
		return bad{}
	}
	space, ok := f.over(c, 1, x)
	if !ok {
		return bad{}
	}
	size, _ := integer(c.vals[2])
	if size < 1 {
		return f.report(&diag.Diagnostic{Code: codeSize, Pos: c.pos[2], Msg: fmt.Sprintf("a window of %d", size), Expected: "at least 1"})
	}
	s, ok := f.sliding(c, 3)
	if !ok {
		return bad{}
	}
	s.fill = "lowest"
	for _, a := range space {
		within := private(axes{{name: a.name, size: size}})
		if x, ok = f.slide(x, a, within[0], s); !ok {
			return bad{}
		}
		rest := x.axes.without(within)
		x = &tensor{axes: rest, d: x.d, v: f.build(c.at).ReduceTo("max", x.v, rule(rest, x.axes), rest.dims())}
	}
	return x
}

// sliding reads stride and pad, at i and i + 1; without them 1 and "same".
func (f *frame) sliding(c *builtinCall, i int) (sliding, bool) {
	s := sliding{stride: 1, same: true, at: c.at}
	if c.vals[i] != nil {
		if s.stride, _ = integer(c.vals[i]); s.stride < 1 {
			f.report(&diag.Diagnostic{Code: codeRange, Pos: c.pos[i], Msg: fmt.Sprintf("a stride of %d", s.stride), Expected: "at least 1"})
			return s, false
		}
	}
	if p, ok := c.vals[i+1].(text); ok {
		if s.same = p == "same"; !s.same && p != "valid" {
			names := []string{"same", "valid"}
			f.report(&diag.Diagnostic{Code: codeValue, Pos: c.pos[i+1], Msg: fmt.Sprintf("`%s` cannot pad by %q", c.name, string(p)),
				Expected: `"same" or "valid"`, Fix: diag.Nearest(string(p), names)})
			return s, false
		}
	}
	return s, true
}

// slide lays out the windows along an axis of x: that axis counts them, and `within` their
// positions. Padding is as in TensorFlow: of an odd number of positions the odd one comes after.
func (f *frame) slide(x *tensor, space, within axis, s sliding) (*tensor, bool) {
	i := x.axes.index(space)
	size, window := x.axes[i].size, within.size
	a := ir.WindowAttrs{Dim: i, Size: window, Stride: s.stride, Fill: s.fill}
	count := (size + s.stride - 1) / s.stride
	if s.same {
		a.Lo = max(0, (count-1)*s.stride+window-size) / 2
	} else {
		if window > size {
			f.report(&diag.Diagnostic{Code: codeSize, Pos: s.at, Msg: fmt.Sprintf("axis `%s` of %d is smaller than its window", space.name, size),
				Label: fmt.Sprintf("a window of %d", window), Fix: `pad: "same"`})
			return nil, false
		}
		count = (size-window)/s.stride + 1
	}
	a.Hi = (count-1)*s.stride + window - size - a.Lo
	out := slices.Insert(slices.Clone(x.axes), i+1, within)
	out[i].size = count
	if !f.fits(s.at, out) {
		return nil, false
	}
	v := f.full(x, s.at)
	return &tensor{axes: out, d: x.d, v: f.build(s.at).Window(v, a, space.name, "window")}, true
}

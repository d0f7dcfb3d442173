package llvm

import (
	"math"
	"slices"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// window copies boxes: one of all windows that lie inside, then each window over the edge by
// itself, its outside filled.
func (u *unit) window(fusion, op *ir.Op) {
	a := op.Attrs.(*ir.WindowAttrs)
	size, windows := op.In[0].Type.Dims[a.Dim].Size, op.Out[0].Type.Dims[a.Dim].Size
	first := min(max(0, (a.Lo+a.Stride-1)/a.Stride), windows)
	end := first // of the windows that lie inside
	if room := size - a.Size + a.Lo; room >= 0 {
		end = max(first, min(windows, room/a.Stride+1))
	}
	u.windows(fusion, op, first, end-first, 0, a.Size, true)
	for o := range windows {
		if o >= first && o < end {
			continue
		}
		from := min(max(0, a.Lo-o*a.Stride), a.Size)
		to := min(max(from, size+a.Lo-o*a.Stride), a.Size)
		u.windows(fusion, op, o, 1, 0, from, false)
		u.windows(fusion, op, o, 1, from, to, true)
		u.windows(fusion, op, o, 1, to, a.Size, false)
	}
}

// windows emits the box of some windows' positions from..to, copied or filled.
func (u *unit) windows(fusion, op *ir.Op, window, count, from, to int, inside bool) {
	if count == 0 || from == to {
		return
	}
	a, t := op.Attrs.(*ir.WindowAttrs), op.Out[0].Type
	x := box{in: -1, sizes: t.Shape(), dst: t.Strides()}
	x.sizes[a.Dim], x.sizes[a.Dim+1] = count, to-from
	x.to = window*x.dst[a.Dim] + from*x.dst[a.Dim+1]
	switch {
	case inside:
		x.in = slices.Index(fusion.Body.Params, op.In[0])
		strides := op.In[0].Type.Strides()
		step := strides[a.Dim]
		x.src = slices.Insert(strides, a.Dim, a.Stride*step)
		x.from = (window*a.Stride + from - a.Lo) * step
	case a.Fill == "lowest":
		x.fill = math.Inf(-1)
	}
	u.box(fusion, x)
}

// unwindow sums for each position the windows that see it, in the order of its place in them.
func (u *unit) unwindow(fusion, op *ir.Op) {
	a, r := op.Attrs.(*ir.WindowAttrs), ir.RuleOf(op)
	plain, within := r.Out[0], r.In[0][a.Dim+1]
	// The windows' own loop comes first, so that the innermost one, of lanes, is kept.
	s, axisOf := ruleSpace(fusion, op, slices.Insert(slices.Clone(plain), a.Dim, within))
	sum := axisOf[within[0]]
	s.axes[sum].sum = true
	at := make(form, len(s.axes))
	at[axisOf[plain[a.Dim][0]]], at[sum] = 1, -1
	u.lookupKernel(s, newSchedule(s, u.module.ISA, never), u.next(), refs(fusion), func(k *loopNest) {
		k.custom = func(c cursor, cs []cursor) { k.overlap(c, cs, op, at, sum) }
	})
}

// overlap emits the sums at some cursors; at is the form of position minus place in a window.
func (k *loopNest) overlap(c cursor, cs []cursor, op *ir.Op, at form, sum int) {
	a, x, dtype := op.Attrs.(*ir.WindowAttrs), op.In[0], op.Out[0].Type.DType
	windows, stride := x.Type.Dims[a.Dim].Size, x.Type.Strides()[a.Dim]
	var start []value.Value
	for _, l := range cs {
		start = append(start, emit.Zero(emit.Vec(registerType(dtype), l.lanes)))
	}
	end := k.sumLoops(c, cs, []int{sum}, nil, start, func(_ cursor, cs []cursor, sums []value.Value) []value.Value {
		sums = slices.Clone(sums)
		for i, l := range cs {
			y := k.lookUp(l, k.params[x], k.windowOf(l, at, a, windows), stride, windows)
			if emit.Lanes(y.Type()) < l.lanes {
				y = k.b.Splat(y, l.lanes)
			}
			sums[i] = add(k.b, dtype, sums[i], y)
		}
		return sums
	})
	for i, l := range cs {
		k.store(l, k.yields[0], end[i])
	}
}

// windowOf is the number of the window that has a position at a place of its own; as an
// unsigned number it is beyond all windows if none has.
func (k *loopNest) windowOf(c cursor, at form, a *ir.WindowAttrs, windows int) value.Value {
	b := k.b
	n := k.position(c, at)
	n = b.AddWrap(n, integers(n, int64(a.Lo)))
	if a.Stride == 1 || windows == 1 { // the stride between windows of one may be any number
		return n
	}
	stride := integers(n, int64(a.Stride))
	window := b.UDiv(n, stride)
	whole := b.ICmp(enum.IPredEQ, b.MulWrap(window, stride), n)
	return b.Select(whole, window, integers(n, -1))
}

package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// carryGathers makes carries of what a loop gathers, and gives what is to stand in front of it.
func carryGathers(loop *ir.Op, list []brought) []*ir.Op {
	w := &carrier{loop: loop, attrs: loop.Attrs.(*ir.ScanAttrs), front: &ir.Region{}, top: &ir.Region{}, turned: map[*ir.Value]*ir.Value{}}
	for _, b := range list {
		w.carry(b)
	}
	loop.Body.Ops = append(w.top.Ops, loop.Body.Ops...)
	dropUnused(loop.Body)
	return w.front.Ops
}

// carrier rewrites a loop.
type carrier struct {
	loop       *ir.Op
	attrs      *ir.ScanAttrs
	front, top *ir.Region              // what comes before the loop, and first in a turn
	turned     map[*ir.Value]*ir.Value // by what the loop slices: the next turn's slice
}

// carry lets a turn read what the one before has gathered, and gather for the next one.
func (w *carrier) carry(b brought) {
	body, g := w.loop.Body, b.gather().Out[0]
	first, next := along(w.front, b.path, w.firstOf(b)), along(w.top, b.path, w.nextOf(b))
	c := &ir.Value{Name: g.Name, Type: g.Type, Pos: g.Pos}
	out := &ir.Value{Name: g.Name, Type: g.Type, Def: w.loop, Pos: g.Pos}
	body.Replace(map[*ir.Value]*ir.Value{g: c})
	at := w.attrs.Carry
	w.loop.In, body.Params = slices.Insert(w.loop.In, at, first), slices.Insert(body.Params, at, c)
	w.loop.Out, body.Yield = slices.Insert(w.loop.Out, at, out), append(body.Yield, next)
	w.attrs.Carry++
}

// along is a value taken along a path of ops.
func along(r *ir.Region, path []*ir.Op, v *ir.Value) *ir.Value {
	for _, op := range path {
		name := op.Out[0].Name
		v = appendTyped(r, op.Pos, op.Row.Name, op.Attrs, op.Rule, op.Out[0].Type, []*ir.Value{v})
		v.Name = name
	}
	return v
}

// firstOf is the slice of the turn that comes first.
func (w *carrier) firstOf(b brought) *ir.Value {
	x, pos, from := b.stack(w.loop), b.path[0].Pos, 0
	if w.attrs.Reverse {
		from = w.attrs.Length - 1
	}
	t := x.Type
	t.Dims = slices.Clone(t.Dims)
	t.Dims[0] = ir.Dim{Label: t.Dims[0].Label, Size: 1}
	v := appendTyped(w.front, pos, "slice", &ir.SliceAttrs{From: from, To: from + 1}, ir.Rule{}, t, []*ir.Value{x})
	r := ir.PointwiseRule([]ir.Type{b.slice.Type}, b.slice.Type)
	in := append(ir.Term{ir.DimFactors{}}, r.In[0]...)
	return appendTyped(w.front, pos, "rearrange", nil, r.Swap([]ir.Term{in}, r.Out...), b.slice.Type, []*ir.Value{v})
}

// nextOf is the slice of the turn that comes next; in the last turn that of the first.
func (w *carrier) nextOf(b brought) *ir.Value {
	x := b.stack(w.loop)
	if w.turned[x] == nil {
		w.turned[x] = w.turn(x, b.slice, b.path[0].Pos)
	}
	return w.turned[x]
}

// turn gives the loop another slice of a value, turned by one place.
func (w *carrier) turn(x, slice *ir.Value, pos *diag.Loc) *ir.Value {
	by := w.attrs.Length - 1
	if w.attrs.Reverse {
		by = 1
	}
	rolled := appendTyped(w.front, pos, "roll", &ir.RollAttrs{By: by}, ir.Rule{}, x.Type, []*ir.Value{x})
	next := &ir.Value{Name: slice.Name, Type: slice.Type, Pos: slice.Pos}
	at := w.attrs.Carry + w.attrs.Each
	w.loop.In, w.loop.Body.Params = slices.Insert(w.loop.In, at, rolled), slices.Insert(w.loop.Body.Params, at, next)
	w.attrs.Each++
	return next
}

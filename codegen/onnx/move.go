package onnx

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"vitc/ir"
)

// iota is a constant along its dim, thin along the others.
func (e *emitter) iota(op *ir.Op) *value {
	t, dim := op.Out[0].Type, op.Attrs.(*ir.IotaAttrs).Dim
	if open(t.Dims[dim]) {
		e.fail("positions along the open batch")
		return nil
	}
	out := &value{t: t, name: "positions", thin: make([]bool, t.Rank())}
	for i := range out.thin {
		out.thin[i] = i != dim
	}
	for i := range t.Dims[dim].Size {
		out.data = binary.LittleEndian.AppendUint32(out.data, uint32(i))
	}
	return out
}

func (e *emitter) slice(op *ir.Op, x *value) *value {
	a := op.Attrs.(*ir.SliceAttrs)
	return e.cut(x, a.Dim, a.From, a.To, op.Out[0].Type)
}

func (e *emitter) cut(x *value, dim, from, to int, t ir.Type) *value {
	if open(x.t.Dims[dim]) {
		e.fail("a part of the open batch")
	}
	return e.emit("Slice", t, []string{e.name(x), e.ints(from), e.ints(to), e.ints(dim)})
}

func (e *emitter) pad(op *ir.Op, x *value) *value {
	a := op.Attrs.(*ir.PadAttrs)
	return e.padded(x, a.Dim, a.Lo, a.Hi, op.Out[0].Type, 0)
}

func (e *emitter) padded(x *value, dim, lo, hi int, t ir.Type, fill float64) *value {
	if open(x.t.Dims[dim]) {
		e.fail("the open batch is padded")
	}
	return e.emit("Pad", t, []string{e.name(x), e.ints(lo, hi), e.scalar(t.DType, fill), e.ints(dim)})
}

// roll joins the two parts in the other order.
func (e *emitter) roll(op *ir.Op, x *value) *value {
	a := op.Attrs.(*ir.RollAttrs)
	n := x.t.Dims[a.Dim].Size
	by := ((a.By % n) + n) % n
	if by == 0 {
		return x
	}
	part := func(from, to int) string {
		return e.name(e.cut(x, a.Dim, from, to, sized(x.t, a.Dim, to-from)))
	}
	return e.emit("Concat", op.Out[0].Type, []string{part(n-by, n), part(0, n-by)}, attribute{"axis", a.Dim})
}

func sized(t ir.Type, dim, size int) ir.Type {
	t.Dims = slices.Clone(t.Dims)
	t.Dims[dim].Size = size
	return t
}

func (e *emitter) concat(op *ir.Op, in []*value) *value {
	dim := op.Attrs.(*ir.ConcatAttrs).Dim
	names := make([]string, len(in))
	for i, v := range in {
		names[i] = e.name(e.full(v))
	}
	if open(op.Out[0].Type.Dims[dim]) {
		e.fail("the open batch is joined with another")
	}
	return e.emit("Concat", op.Out[0].Type, names, attribute{"axis", dim})
}

func (e *emitter) argmax(op *ir.Op, x *value) *value {
	dim := op.Attrs.(*ir.ArgmaxAttrs).Dim
	e.mixes(x.t.Dims[dim])
	place := e.node("ArgMax", e.nameList(x), attribute{"axis", dim}, attribute{"keepdims", 0})
	return e.emit("Cast", op.Out[0].Type, []string{place}, attribute{"to", int(elementTypes[ir.I32])})
}

// gather looks the ids up and clears what is out of range. Dims that table and ids share would
// want another operator: those lookups, one for each example, are of losses and metrics.
func (e *emitter) gather(op *ir.Op, table, ids *value) *value {
	r := op.Rule
	looked, err := ir.Looked(op)
	if err != nil {
		e.fail("%v", err)
		return nil
	}
	from, at, to := flat(r.In[0]), flat(r.In[1]), flat(r.Out[0])
	for _, f := range from {
		if slices.Contains(at, f) {
			e.fail("a lookup for each %s", r)
			return nil
		}
	}
	axis := slices.Index(from, looked)
	last := e.literal(ids.t.DType, float64(table.t.Dims[axis].Size-1))
	zero := e.literal(ids.t.DType, 0)
	inside := e.point("Min", ids.t.DType, e.point("Max", ids.t.DType, ids, zero), last)
	rest := slices.Delete(slices.Clone(from), axis, axis+1)
	factors := slices.Concat(rest[:axis:axis], at, rest[axis:])
	t := ir.Type{DType: table.t.DType}
	for _, f := range factors {
		t.Dims = append(t.Dims, op.Out[0].Type.Dims[slices.Index(to, f)])
	}
	found := e.emit("Gather", t, e.nameList(table, inside), attribute{"axis", axis})
	known := e.point("Equal", ir.Bool, ids, inside)
	known.thin = nil
	mask := e.masked(known, at, factors, r)
	out := *e.arranged(e.emit("Where", t, []string{e.name(mask), e.name(found), e.scalar(t.DType, 0)}), r, factors, apart(to)...)
	out.t = op.Out[0].Type
	return &out
}

// masked gives a tensor of the ids' dims the dims of what was looked up, of one element each.
func (e *emitter) masked(known *value, at, factors []int, r ir.Rule) *value {
	dims := make([]ir.Dim, len(factors))
	for i, f := range factors {
		if dims[i] = (ir.Dim{Label: "one", Size: 1}); slices.Contains(at, f) {
			dims[i].Size = r.Factors[f].Size
		}
	}
	return e.reshaped(known, dims)
}

// window pads, or cuts, the dim and picks what each window sees; windows that touch without
// overlap are a reshape.
func (e *emitter) window(op *ir.Op, x *value) *value {
	a := *op.Attrs.(*ir.WindowAttrs)
	e.mixes(x.t.Dims[a.Dim])
	fill := 0.0
	if a.Fill != "" {
		fill = math.Inf(-1)
	}
	size := x.t.Dims[a.Dim].Size
	if lo, hi := max(a.Lo, 0), max(a.Hi, 0); lo+hi > 0 {
		size += lo + hi
		x = e.padded(x, a.Dim, lo, hi, sized(x.t, a.Dim, size), fill)
	}
	if lo, hi := max(-a.Lo, 0), max(-a.Hi, 0); lo+hi > 0 {
		x = e.cut(x, a.Dim, lo, size-hi, sized(x.t, a.Dim, size-lo-hi))
	}
	t := op.Out[0].Type
	if a.Size == a.Stride {
		return e.reshaped(x, t.Dims)
	}
	windows := t.Dims[a.Dim].Size
	var places []int
	for o := range windows {
		for k := range a.Size {
			places = append(places, o*a.Stride+k)
		}
	}
	return e.emit("Gather", t, []string{e.name(x), e.intTensor(places, []int{windows, a.Size})}, attribute{"axis", a.Dim})
}

// scan writes the body once a turn.
func (e *emitter) scan(op *ir.Op, in []*value) []*value {
	a := op.Attrs.(*ir.ScanAttrs)
	carry := slices.Clone(in[:a.Carry])
	stacks := make([][]string, len(op.Body.Stack))
	outer := e.turns
	for n := range a.Length {
		i := n
		if a.Reverse {
			i = a.Length - 1 - n
		}
		env := environment{}
		e.turns = outer + "." + strconv.Itoa(i)
		for k, p := range op.Body.Params {
			switch {
			case k < a.Carry:
				env[p] = carry[k]
			case k < a.Carry+a.Each:
				env[p] = e.turn(in[k], i)
			default:
				env[p] = in[k]
			}
		}
		e.region(op.Body, env)
		if e.err != nil {
			return nil
		}
		e.at = op
		for k, y := range op.Body.Yield {
			carry[k] = e.of(env, y)
		}
		for k, s := range op.Body.Stack {
			row := e.node("Unsqueeze", []string{e.name(e.full(e.of(env, s))), e.ints(0)})
			stacks[k] = append(stacks[k], row)
		}
	}
	e.turns = outer
	return append(carry, e.stacked(op, a, stacks)...)
}

func (e *emitter) stacked(op *ir.Op, a *ir.ScanAttrs, stacks [][]string) []*value {
	out := make([]*value, len(stacks))
	for k, rows := range stacks {
		if a.Reverse {
			slices.Reverse(rows) // stacks lie by turn number
		}
		out[k] = e.emit("Concat", op.Out[a.Carry+k].Type, rows, attribute{"axis", 0})
	}
	return out
}

package llvm

import (
	"slices"

	"vitc/ir"
)

// copy generates a fusion of kind copy: one op that moves or picks elements. What only moves
// is a list of boxes, each a map from a dense part of an operand, or from one number, to a part of
// the result; the loop generator does those.
func (u *unit) copy(op *ir.Op) {
	if len(op.Body.Ops) != 1 {
		failf(op, "a kernel of kind copy with %d ops", len(op.Body.Ops))
	}
	in := op.Body.Ops[0]
	if in.Row.Class == ir.Source || in.Row.Class == ir.Pointwise || in.Row.Name == "broadcast" {
		u.loop(op)
		return
	}
	f := copies[in.Row.Name]
	if f == nil {
		failf(in, "has no CPU code in a kernel of kind copy")
	}
	f(u, op, in)
}

var copies map[string]func(u *unit, fusion, op *ir.Op)

func init() { // the functions call back into tables of this package
	copies = map[string]func(u *unit, fusion, op *ir.Op){
		"rearrange": (*unit).rearrange, "slice": (*unit).slice, "pad": (*unit).pad, "roll": (*unit).roll,
		"concat": (*unit).concat, "gather": (*unit).gather, "scatter_add": (*unit).scatter, "argmax": (*unit).argmax,
		"window": (*unit).window, "unwindow": (*unit).unwindow, "solve": (*unit).solve,
	}
}

// box is a part of a result and where its elements come from. The strides are in elements;
// from and to are where the first element lies.
type box struct {
	sizes    []int
	in       int     // the operand of the fusion, -1: none
	fill     float64 // what the box holds then
	from, to int
	src, dst []int
}

// box emits the kernel of one box of the fusion's result.
func (u *unit) box(fusion *ir.Op, x box) {
	d := fusion.Out[0].Type.DType
	var from ref
	if x.in >= 0 {
		from = operandRef(fusion, x.in)
		from.offset, from.bytes = x.from*d.Bytes(), span(x.sizes, x.src)*d.Bytes()
	}
	to := resultRef(fusion, 0)
	to.offset, to.bytes = x.to*d.Bytes(), span(x.sizes, x.dst)*d.Bytes()
	u.boxTo(fusion, x, d, d, from, to)
}

// boxTo emits the kernel of a box between any two places and dtypes.
func (u *unit) boxTo(fusion *ir.Op, x box, src, dst ir.DType, from, to ref) {
	dims := make([]ir.Dim, len(x.sizes))
	for i, n := range x.sizes {
		dims[i].Size = n
	}
	t := ir.Type{DType: src, Dims: dims}
	s := newBox(fusion, t, dst)
	args := []ref{to}
	b := &ir.Builder{Region: s.body}
	var y *ir.Value
	if x.in < 0 {
		y = b.Fill(ir.Literal(src, x.fill), dims)
	} else {
		p := b.Param("", t)
		s.forms[p] = slices.Clone(x.src)
		y = b.Broadcast(p, identityRule(t), dims) // a value of its own, as its places are others
		args = []ref{from, to}
	}
	s.body.Yield = []*ir.Value{y}
	s.forms[y], s.spans[y] = slices.Clone(x.dst), bit(len(dims))-1
	s.coalesce()
	s.follow()
	u.loopKernel(s, newSchedule(s, u.module.ISA, never), u.next(), args, nil)
}

// newBox is the space of a map over all of a type's positions, its body still empty.
func newBox(fusion *ir.Op, t ir.Type, dst ir.DType) *space {
	body := &ir.Region{}
	op := &ir.Op{Row: fusion.Row, Attrs: fusion.Attrs, Out: []*ir.Value{{Type: t.As(dst)}}, Body: body, Pos: fusion.Pos}
	s := emptySpace(op, body)
	for _, d := range t.Dims {
		s.axes = append(s.axes, axis{size: d.Size})
	}
	return s
}

// identityRule is the rule of an op that leaves all as it is.
func identityRule(t ir.Type) ir.Rule { return ir.PointwiseRule([]ir.Type{t}, t) }

// span is how many elements lie from the first of a box to its last.
func span(sizes, strides []int) int {
	n := 1
	for i, size := range sizes {
		n += (size - 1) * strides[i]
	}
	return n
}

// rearrange is one box over the rule's factors, in the order of the result.
func (u *unit) rearrange(fusion, op *ir.Op) {
	r := ir.RuleOf(op)
	from := factorStrides(r, r.In[0], op.In[0].Type)
	to := factorStrides(r, r.Out[0], op.Out[0].Type)
	var x box
	for _, d := range r.Out[0] {
		for _, f := range d {
			x.sizes = append(x.sizes, r.Factors[f].Size)
			x.src, x.dst = append(x.src, from[f]), append(x.dst, to[f])
		}
	}
	u.box(fusion, x)
}

// factorStrides is how far each factor of a rule moves in a dense tensor.
func factorStrides(r ir.Rule, term ir.Term, t ir.Type) []int {
	out := make([]int, len(r.Factors))
	for i, stride := range t.Strides() {
		for j := len(term[i]) - 1; j >= 0; j-- {
			out[term[i][j]] = stride
			stride *= r.Factors[term[i][j]].Size
		}
	}
	return out
}

// along is a box that covers count positions of a dim and all of the others: from position
// `from` of an operand (-1: zeros) to position `to` of the result.
func (u *unit) along(fusion, op *ir.Op, in, dim, from, to, count int) {
	if count == 0 {
		return
	}
	t := op.Out[0].Type
	x := box{in: -1, sizes: t.Shape(), dst: t.Strides()}
	x.sizes[dim] = count
	x.to = to * x.dst[dim]
	if in >= 0 {
		x.in = slices.Index(fusion.Body.Params, op.In[in])
		x.src = op.In[in].Type.Strides()
		x.from = from * x.src[dim]
	}
	u.box(fusion, x)
}

func (u *unit) slice(fusion, op *ir.Op) {
	a := op.Attrs.(*ir.SliceAttrs)
	u.along(fusion, op, 0, a.Dim, a.From, 0, a.To-a.From)
}

func (u *unit) pad(fusion, op *ir.Op) {
	a := op.Attrs.(*ir.PadAttrs)
	n := op.In[0].Type.Dims[a.Dim].Size
	u.along(fusion, op, -1, a.Dim, 0, 0, a.Lo)
	u.along(fusion, op, 0, a.Dim, 0, a.Lo, n)
	u.along(fusion, op, -1, a.Dim, 0, a.Lo+n, a.Hi)
}

func (u *unit) roll(fusion, op *ir.Op) {
	a := op.Attrs.(*ir.RollAttrs)
	n := op.In[0].Type.Dims[a.Dim].Size
	by := (a.By%n + n) % n
	u.along(fusion, op, 0, a.Dim, 0, by, n-by)
	u.along(fusion, op, 0, a.Dim, n-by, 0, by)
}

func (u *unit) concat(fusion, op *ir.Op) {
	dim, at := op.Attrs.(*ir.ConcatAttrs).Dim, 0
	for i, v := range op.In {
		n := v.Type.Dims[dim].Size
		u.along(fusion, op, i, dim, 0, at, n)
		at += n
	}
}

// fill clears memory that holds the elements of the fusion's result in a dtype.
func (u *unit) fill(fusion *ir.Op, d ir.DType, home ref) {
	n := fusion.Out[0].Type.Size()
	u.boxTo(fusion, box{sizes: []int{n}, in: -1, dst: []int{1}}, d, d, ref{}, home)
}

// narrow rounds sums in temporary memory to the fusion's result.
func (u *unit) narrow(fusion *ir.Op, from ref) {
	t := fusion.Out[0].Type
	u.boxTo(fusion, box{sizes: []int{t.Size()}, src: []int{1}, dst: []int{1}}, wideDType(t.DType), t.DType, from, resultRef(fusion, 0))
}

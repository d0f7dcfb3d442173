package onnx

import (
	"slices"

	"vitc/ir"
)

// flat lists the factors of a term whose dims have one each.
func flat(t ir.Term) []int {
	list := make([]int, len(t))
	for i, d := range t {
		list[i] = d[0]
	}
	return list
}

// arranged is a value with its dims, whose factors from lists, joined into groups of factors.
func (e *emitter) arranged(v *value, r ir.Rule, from []int, groups ...[]int) *value {
	var perm []int
	dims := make([]ir.Dim, len(groups))
	for i, g := range groups {
		dims[i] = ir.Dim{Label: "joined", Size: r.SizeOf(g)}
		for _, f := range g {
			perm = append(perm, slices.Index(from, f))
		}
		if len(g) == 1 {
			dims[i].Label = v.t.Dims[perm[len(perm)-1]].Label
		}
	}
	return e.reshaped(e.transposed(v, perm), dims)
}

// apart puts each factor into a group of its own.
func apart(factors []int) [][]int {
	groups := make([][]int, len(factors))
	for i, f := range factors {
		groups[i] = []int{f}
	}
	return groups
}

// rearrange splits every dim into its factors, permutes them and joins them again.
func (e *emitter) rearrange(op *ir.Op, x *value) *value {
	r := op.Rule
	var factors []int
	var dims []ir.Dim
	for _, d := range r.In[0] {
		for _, f := range d {
			factors = append(factors, f)
			dims = append(dims, ir.Dim{Label: "factor", Size: r.Factors[f].Size})
		}
	}
	groups := make([][]int, len(r.Out[0]))
	for i, d := range r.Out[0] {
		groups[i] = d
	}
	out := e.arranged(e.reshaped(x, dims), r, factors, groups...)
	out.t = op.Out[0].Type
	return out
}

// broadcast permutes what is there into the order of the result; the rest is thin.
func (e *emitter) broadcast(op *ir.Op, x *value) *value {
	r := op.Rule
	from, to := flat(r.In[0]), flat(r.Out[0])
	var kept []int
	dims, thin := make([]ir.Dim, len(to)), make([]bool, len(to))
	for i, f := range to {
		if dims[i] = op.Out[0].Type.Dims[i]; slices.Contains(from, f) {
			kept = append(kept, f)
			continue
		}
		thin[i], dims[i].Size = true, 1
	}
	out := e.reshaped(e.arranged(x, r, from, apart(kept)...), dims)
	out.t, out.thin = op.Out[0].Type, thin
	return out
}

var reductions = map[string]string{"sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin"}

func (e *emitter) reduce(op *ir.Op, x *value) *value {
	r := op.Rule
	from, to := flat(r.In[0]), flat(r.Out[0])
	var axes, kept []int
	t := ir.Type{DType: x.t.DType}
	for i, f := range from {
		if slices.Contains(to, f) {
			kept = append(kept, f)
			t.Dims = append(t.Dims, x.t.Dims[i])
			continue
		}
		e.mixes(x.t.Dims[i])
		axes = append(axes, i)
	}
	if len(axes) > 0 {
		x = e.emit(reductions[op.Attrs.(*ir.ReduceAttrs).Kind], t, []string{e.name(x), e.ints(axes...)}, attribute{"keepdims", 0})
	}
	out := *e.arranged(x, r, kept, apart(to)...)
	out.t = op.Out[0].Type
	return &out
}

// mixes refuses to sum over an open batch: its size may stand in other numbers of the function.
func (e *emitter) mixes(d ir.Dim) {
	if open(d) {
		e.fail("it mixes the examples of a batch, whose size an ONNX model leaves open")
	}
}

// dot writes a product as one MatMul. Its factors are those of a batch, in both operands and the
// result; contracted ones, in both operands; and those of one operand and the result. Without a
// batch the left operand keeps its own factors apart, which MatMul allows, and a constant stands
// on the right.
func (e *emitter) dot(op *ir.Op, x, y *value) *value {
	r := op.Rule
	tx, ty, to := flat(r.In[0]), flat(r.In[1]), flat(r.Out[0])
	if x.data != nil && y.data == nil {
		x, y, tx, ty = y, x, ty, tx
	}
	var batch, left, right, inner []int
	for i, f := range r.Factors {
		switch inX, inY := slices.Contains(tx, i), slices.Contains(ty, i); {
		case inX && inY && slices.Contains(to, i):
			batch = append(batch, i)
		case inX && inY:
			inner = append(inner, i)
			e.mixes(ir.Dim{Size: f.Size})
		case inX:
			left = append(left, i)
		default:
			right = append(right, i)
		}
	}
	orderAs(to, batch, left, right)
	orderAs(ty, inner)
	return e.product(op, operand{x, tx}, operand{y, ty}, batch, left, right, inner)
}

// operand is an operand of a product, and the factors of its dims.
type operand struct {
	*value
	factors []int
}

func (e *emitter) product(op *ir.Op, x, y operand, batch, left, right, inner []int) *value {
	r, to := op.Rule, flat(op.Rule.Out[0])
	rows := [][]int{left}
	if len(batch) == 0 && len(left) > 0 {
		rows = apart(left)
	}
	a := e.arranged(x.value, r, x.factors, append(append(apart(batch), rows...), inner)...)
	b := e.arranged(y.value, r, y.factors, append(apart(batch), inner, right)...)
	t := ir.Type{DType: op.Out[0].Type.DType, Dims: append(slices.Clone(a.t.Dims[:a.t.Rank()-1]), b.t.Dims[b.t.Rank()-1])}
	v := e.emit("MatMul", t, e.nameList(a, b))
	factors := slices.Concat(batch, left, right)
	dims := make([]ir.Dim, len(factors))
	for i, f := range factors {
		dims[i] = op.Out[0].Type.Dims[slices.Index(to, f)]
	}
	out := *e.arranged(e.reshaped(v, dims), r, factors, apart(to)...)
	out.t = op.Out[0].Type
	return &out
}

// orderAs sorts lists of factors as they stand in a term.
func orderAs(term []int, lists ...[]int) {
	for _, list := range lists {
		slices.SortFunc(list, func(i, j int) int { return slices.Index(term, i) - slices.Index(term, j) })
	}
}

package passes

import (
	"slices"

	"vitc/ir"
)

// view is an op as propagation sees it: a loop nest whose factors stand in the dims of operands
// and results. Ops with bodies have none: their values are tied one to one.
type view struct {
	in, out []ir.Term
	factors []ir.Factor
	whole   []bool // a factor that no axis may cut
	even    []bool // a factor that axes must divide: it shares a dim, or positions move along it
	least   []int  // a factor's shortest block: what neighbours ask for lies in one of them
	join    string // how devices' parts along a contracted factor become one: sum, max, min
}

// viewOf reads an op's rule.
func viewOf(op *ir.Op) *view {
	r := ir.SharedRule(op)
	v := &view{in: r.In, out: r.Out, factors: slices.Clone(r.Factors), join: "sum"}
	if a, ok := op.Attrs.(*ir.ReduceAttrs); ok {
		v.join = a.Join()
	}
	v.whole, v.even, v.least = make([]bool, len(v.factors)), make([]bool, len(v.factors)), make([]int, len(v.factors))
	for i, f := range v.factors {
		v.whole[i] = !r.Cuttable(i)
		v.even[i] = f.Kind == ir.Moving
	}
	if a, ok := op.Attrs.(*ir.WindowAttrs); ok {
		v.least[a.Dim] = shortest(a)
	}
	for _, t := range append(slices.Clone(v.in), v.out...) {
		for _, d := range t {
			for _, f := range d {
				v.even[f] = v.even[f] || len(d) > 1
			}
		}
	}
	return v
}

// factorViews keeps the view of each op: they do not change while values are only looked at.
type factorViews map[*ir.Op]*view

func (m factorViews) of(op *ir.Op) *view {
	v := m[op]
	if v == nil {
		v = viewOf(op)
		m[op] = v
	}
	return v
}

// each visits the operands that are no literals, and the results, with their terms.
func (v *view) each(op *ir.Op, visit func(x *ir.Value, t ir.Term)) {
	for i, t := range v.in {
		if op.In[i].Lit == nil {
			visit(op.In[i], t)
		}
	}
	for i, t := range v.out {
		visit(op.Out[i], t)
	}
}

// tie says that two values at the border of a body lie alike: dim d of the inner one is dim
// d+lead of the outer one.
type tie struct {
	outer, inner *ir.Value
	lead         int
}

// tiesOf lists the ties of an op with a body.
func tiesOf(op *ir.Op) []tie {
	var ties []tie
	a, _ := op.Attrs.(*ir.ScanAttrs)
	for i, p := range op.Body.Params {
		lead := 0
		if a != nil && i >= a.Carry && i < a.Carry+a.Each {
			lead = 1
		}
		ties = append(ties, tie{op.In[i], p, lead})
	}
	for i, y := range op.Body.Yield {
		ties = append(ties, tie{op.Out[i], y, 0})
		if a != nil {
			ties = append(ties, tie{op.Body.Params[i], y, 0}, tie{op.Out[i], op.Body.Params[i], 0})
		}
	}
	for i, s := range op.Body.Stack {
		ties = append(ties, tie{op.Out[a.Carry+i], s, 1})
	}
	return ties
}

// contracted reports whether devices that cut a factor hold parts of the results.
func (v *view) contracted(f int) bool { return v.factors[f].Kind == ir.Contracted }

// deal gives a dim's axes to its factors, major first. A dim of several factors can be cut along
// a minor one only where the ones before it are cut up; ok is false where the axes do not fit.
func (v *view) deal(mesh ir.Mesh, d ir.DimFactors, axes []string) (per [][]string, ok bool) {
	per = make([][]string, len(d))
	if len(d) == 1 {
		per[0] = axes
		return per, true
	}
	k, left := 0, 1
	if len(d) > 0 {
		left = v.factors[d[0]].Size
	}
	for _, a := range axes {
		for left == 1 && k+1 < len(d) {
			k++
			left = v.factors[d[k]].Size
		}
		n := mesh.Size(a)
		if len(d) == 0 || left%n != 0 {
			return per, false
		}
		per[k], left = append(per[k], a), left/n
	}
	return per, true
}

// dealt is what each factor of a tensor is cut along; axes that do not fit their dim are left out.
func (v *view) dealt(mesh ir.Mesh, t ir.Term, dims [][]string) map[int][]string {
	out := map[int][]string{}
	for i, d := range t {
		per, _ := v.deal(mesh, d, axesOf(dims, i))
		for k, f := range d {
			if len(per[k]) > 0 && len(out[f]) == 0 {
				out[f] = per[k]
			}
		}
	}
	return out
}

// dims is how a tensor is cut where its factors are; ok is false where a dim of several factors
// would be cut inside: along a minor factor while a major one is not cut up.
func (v *view) dims(mesh ir.Mesh, t ir.Term, cut [][]string) (dims [][]string, ok bool) {
	dims = make([][]string, len(t))
	for i, d := range t {
		whole := false // a factor before is not cut up
		for _, f := range d {
			if len(cut[f]) > 0 && whole {
				return nil, false
			}
			dims[i] = append(dims[i], cut[f]...)
			whole = whole || v.factors[f].Size != mesh.Size(cut[f]...)
		}
	}
	return dims, true
}

// admits reports whether a factor may be cut along axes: not at all where it must be whole,
// exactly where positions would cross devices, and else with little padding.
func (v *view) admits(mesh ir.Mesh, f int, axes []string) bool {
	n := mesh.Size(axes...)
	switch {
	case n == 1:
		return !v.whole[f] || len(axes) == 0
	case v.whole[f]:
		return false
	case v.even[f]:
		return v.factors[f].Size%n == 0 && v.factors[f].Size/n >= v.least[f]
	}
	return pads(v.factors[f].Size, n)
}

// mostWaste is the largest part of a padded dim that may be padding: an eighth.
const mostWaste = 8

// pads reports whether a dim can be cut in n: evenly, or with padding that is worth it.
func pads(size, n int) bool { return (padded(size, n)-size)*mostWaste <= padded(size, n) }

// padded is the size rounded up to a multiple of n.
func padded(size, n int) int { return (size + n - 1) / n * n }

func axesOf(dims [][]string, i int) []string {
	if dims == nil {
		return nil
	}
	return dims[i]
}

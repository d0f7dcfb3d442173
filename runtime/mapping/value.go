package mapping

import (
	"slices"

	"vitc/ir"
)

// evaluator computes an expression in one turn; load gives the view of a tensor of a file.
type evaluator struct {
	load func(w *ir.Weight) (*view, error)
}

// value evaluates an expression whose sizes a shaper has proved to fit. Arithmetic is in f32, each
// operation rounded; sums and interpolations add up in f64.
func (e *evaluator) value(w *ir.Weight) (*view, error) {
	if w.Op == ir.WeightLoad {
		return e.load(w)
	}
	var in []*view
	for _, x := range w.In {
		v, err := e.value(x)
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	switch w.Op {
	case ir.WeightNumber:
		return dense([]float32{float32(w.Number)}, nil), nil
	case ir.WeightSum:
		return sum(in[0], w.Axes, 1), nil
	case ir.WeightMean:
		n := 1
		for _, a := range w.Axes {
			n *= in[0].dims[in[0].place(a.Label)].size
		}
		return sum(in[0], w.Axes, float64(n)), nil
	case ir.WeightResize:
		v := in[0]
		for _, a := range w.Axes {
			v = resize(v, a.Label, a.Size, *w.Filter)
		}
		return v, nil
	case ir.WeightAdd, ir.WeightSub, ir.WeightMul, ir.WeightDiv:
		return binary(w.Op, in[0], in[1]), nil
	case ir.WeightMerge:
		if v, ok := in[0].merge(w.Axes, w.Axis); ok {
			return v, nil
		}
		order := slices.Concat(without(in[0].axes(), w.Axes), w.Axes)
		for i := range order {
			order[i].Size = in[0].dims[in[0].place(order[i].Label)].size
		}
		moved := fresh(order)
		moved.assign(in[0])
		v, _ := moved.merge(w.Axes, w.Axis)
		return v, nil
	}
	v, _, err := moved(w, in[0])
	return v, err
}

func without(l, drop []ir.Dim) []ir.Dim {
	return slices.DeleteFunc(slices.Clone(l), func(d ir.Dim) bool { return place(drop, d.Label) >= 0 })
}

// moved applies an operation that only moves numbers; false for any other.
func moved(w *ir.Weight, in *view) (*view, bool, error) {
	switch w.Op {
	case ir.WeightIndex:
		return in.index(w.Axis, w.From), true, nil
	case ir.WeightSlice:
		to := w.To
		if to == 0 {
			to = in.dims[in.place(w.Axis)].size
		}
		return in.slice(w.Axis, w.From, to-w.From), true, nil
	case ir.WeightRename:
		d := in.dims[in.place(w.Axis)]
		d.name = w.Axes[0].Label
		return in.replaced(w.Axis, d), true, nil
	case ir.WeightSplit:
		into, err := split(w, in.dims[in.place(w.Axis)].size)
		if err != nil {
			return nil, true, err
		}
		return in.split(w.Axis, into), true, nil
	}
	return nil, false, nil
}

// binary computes an operator at every position of the operand that has the other's axes.
func binary(op ir.WeightOp, x, y *view) *view {
	big := x
	if len(y.dims) > len(x.dims) {
		big = y
	}
	out := fresh(big.axes())
	out.each(func(at int, in []int) {
		a, b := x.data[in[0]], y.data[in[1]]
		switch op {
		case ir.WeightAdd:
			out.data[at] = a + b
		case ir.WeightSub:
			out.data[at] = a - b
		case ir.WeightMul:
			out.data[at] = a * b
		default:
			out.data[at] = a / b
		}
	}, x, y)
	return out
}

// sum adds up over axes, in f64, and divides.
func sum(v *view, over []ir.Dim, by float64) *view {
	out := fresh(without(v.axes(), over))
	total := make([]float64, len(out.data))
	v.each(func(at int, in []int) { total[in[0]] += float64(v.data[at]) }, out)
	for i, t := range total {
		out.data[i] = float32(t / by)
	}
	return out
}

// resize resamples along an axis, as the language's resize does; sums are in f64.
func resize(v *view, name string, size int, filter ir.Filter) *view {
	old := v.dims[v.place(name)]
	if old.size == size {
		return v
	}
	l := v.axes()
	l[v.place(name)].Size = size
	out := fresh(l)
	for j := range size {
		row := filter.Weights(old.size, size, j)
		to := out.index(name, j)
		to.each(func(at int, in []int) {
			total := 0.0
			for i, w := range row {
				if w != 0 {
					total += float64(w * float64(v.data[in[0]+i*old.stride]))
				}
			}
			to.data[at] = float32(total)
		}, v.index(name, 0))
	}
	return out
}

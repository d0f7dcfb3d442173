// Package mapping evaluates what import blocks and `start` tables lower to: it fills the leaves of a
// model from files of weights, and lays leaves out again as such files have them.
package mapping

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/runtime/fault"
	"vitc/runtime/weights"
)

// shaper finds the sizes of the axes of an expression: those that the program gives, and those of
// the files, by their tensors' shapes alone.
type shaper struct {
	open func(file string) (weights.File, error)
}

// axes are the axes of an expression's value.
func (s *shaper) axes(w *ir.Weight) ([]ir.Dim, error) {
	if w.Op == ir.WeightLoad {
		return s.load(w)
	}
	var in [][]ir.Dim
	for _, x := range w.In {
		l, err := s.axes(x)
		if err != nil {
			return nil, err
		}
		in = append(in, l)
	}
	switch w.Op {
	case ir.WeightNumber:
		return nil, nil
	case ir.WeightAdd, ir.WeightSub, ir.WeightMul, ir.WeightDiv:
		return both(in[0], in[1])
	}
	if err := operand(w, in); err != nil {
		return nil, err
	}
	switch w.Op {
	case ir.WeightIndex, ir.WeightSlice:
		return cut(w, in[0])
	case ir.WeightRename:
		return replaced(in[0], w.Axis, []ir.Dim{{Label: w.Axes[0].Label, Size: sizeOf(in[0], w.Axis)}}), nil
	case ir.WeightSplit:
		into, err := split(w, sizeOf(in[0], w.Axis))
		return replaced(in[0], w.Axis, into), err
	case ir.WeightMerge:
		n := 1
		out := in[0]
		for _, a := range w.Axes {
			n *= sizeOf(in[0], a.Label)
			out = replaced(out, a.Label, nil)
		}
		return append(out, ir.Dim{Label: w.Axis, Size: n}), nil
	case ir.WeightSum, ir.WeightMean:
		out := in[0]
		for _, a := range w.Axes {
			out = replaced(out, a.Label, nil)
		}
		return out, nil
	case ir.WeightResize:
		out := in[0]
		for _, a := range w.Axes {
			out = replaced(out, a.Label, []ir.Dim{a})
		}
		return out, nil
	}
	return nil, &fault.Error{Msg: fmt.Sprintf("unknown operation %q on weights", w.Op), Fix: "build the program again"}
}

// operand checks what a bundle may get wrong: the front end has seen to it in a program.
func operand(w *ir.Weight, in [][]ir.Dim) error {
	names := []string{w.Axis}
	if w.Op == ir.WeightMerge || w.Op == ir.WeightSum || w.Op == ir.WeightMean || w.Op == ir.WeightResize {
		names = nil
		for _, a := range w.Axes {
			names = append(names, a.Label)
		}
	}
	if len(in) != 1 || w.Op == ir.WeightRename && len(w.Axes) != 1 || w.Op == ir.WeightSplit && len(w.Like) != len(w.Axes) || w.Op == ir.WeightResize && w.Filter == nil {
		return &fault.Error{Msg: fmt.Sprintf("malformed operation %q on weights", w.Op), Fix: "build the program again"}
	}
	for _, name := range names {
		if place(in[0], name) < 0 {
			return &fault.Error{Msg: fmt.Sprintf("the value has no axis %s", name), Found: show(in[0])}
		}
	}
	return nil
}

func place(l []ir.Dim, name string) int {
	return slices.IndexFunc(l, func(d ir.Dim) bool { return d.Label == name })
}

func sizeOf(l []ir.Dim, name string) int { return l[place(l, name)].Size }

// replaced puts other axes in the place of one.
func replaced(l []ir.Dim, name string, by []ir.Dim) []ir.Dim {
	i := place(l, name)
	return slices.Concat(l[:i], by, l[i+1:])
}

// show prints axes as a type does: [gy:14, gx:14].
func show(l []ir.Dim) string {
	names := make([]string, len(l))
	for i, d := range l {
		names[i] = d.Label + ":" + strconv.Itoa(d.Size)
		if d.Size == 0 {
			names[i] = d.Label
		}
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// both are the axes of an operator's result: those of the operand that has the other's.
func both(x, y []ir.Dim) ([]ir.Dim, error) {
	big, small := x, y
	if len(y) > len(x) {
		big, small = y, x
	}
	for _, d := range small {
		if !slices.Contains(big, d) {
			return nil, &fault.Error{Msg: "two values do not fit together", Found: show(x) + " and " + show(y)}
		}
	}
	return big, nil
}

// cut indexes or slices an axis.
func cut(w *ir.Weight, in []ir.Dim) ([]ir.Dim, error) {
	n := sizeOf(in, w.Axis)
	last := w.To
	if w.Op == ir.WeightIndex {
		last = w.From + 1
	} else if w.To == 0 {
		last = n
	}
	if w.From < 0 || last <= w.From || last > n {
		return nil, &fault.Error{Msg: fmt.Sprintf("%s has no positions from %d to %d", w.Axis, w.From, max(last-1, w.From)), Expected: fmt.Sprintf("more than %d", w.From), Found: show(in)}
	}
	if w.Op == ir.WeightIndex {
		return replaced(in, w.Axis, nil), nil
	}
	return replaced(in, w.Axis, []ir.Dim{{Label: w.Axis, Size: last - w.From}}), nil
}

// split finds the sizes of the axes that one of n positions becomes. Where the file says more than
// one of them, they are the model's own if these come out, else those of a square.
func split(w *ir.Weight, n int) ([]ir.Dim, error) {
	out := slices.Clone(w.Axes)
	known, like, open := 1, 1, 0
	for i, a := range out {
		switch {
		case a.Size > 0:
			known *= a.Size
		default:
			open++
			like *= w.Like[i]
		}
	}
	rest := 0
	if n%known == 0 {
		rest = n / known
	}
	side := int(math.Sqrt(float64(rest)))
	for i := range out {
		switch {
		case out[i].Size > 0:
		case open == 1:
			out[i].Size = rest
		case like == rest:
			out[i].Size = w.Like[i]
		case open == 2 && side*side == rest:
			out[i].Size = side
		}
	}
	total := 1
	for _, a := range out {
		total *= a.Size
	}
	if total != n || n == 0 {
		e := &fault.Error{Msg: fmt.Sprintf("%s:%d does not split into %s", w.Axis, n, show(w.Axes)), Expected: fmt.Sprintf("sizes of product %d", n)}
		if open == 2 {
			e.Fix = fmt.Sprintf("sizes in the line: with %s as (%s: 14, %s: 28)", w.Axis, w.Axes[0].Label, w.Axes[1].Label)
		}
		return nil, e
	}
	return out, nil
}

// load compares the dims of a line with the shape of each tensor that it names.
func (s *shaper) load(w *ir.Weight) ([]ir.Dim, error) {
	f, err := s.open(w.File)
	if err != nil {
		return nil, err
	}
	if len(w.Names) == 0 {
		return nil, &fault.Error{Msg: "a load names no tensor", Fix: "build the program again"}
	}
	var out []ir.Dim
	for i, name := range w.Names {
		info, ok := weights.Lookup(f, name)
		if !ok {
			return nil, missing(f, name)
		}
		l, err := fit(f, info, w.Dims)
		if err != nil {
			return nil, err
		}
		if i > 0 && !slices.Equal(l, out) {
			return nil, &fault.Error{Where: f.Name() + ": tensor " + weights.Quote(name), Msg: "has another shape than that of the turn before", Expected: show(out), Found: show(l)}
		}
		out = l
	}
	return out, nil
}

// fit gives the axes of a tensor their sizes.
func fit(f weights.File, info weights.Info, dims [][]ir.Dim) ([]ir.Dim, error) {
	bad := func() error {
		return &fault.Error{Where: f.Name() + ": tensor " + weights.Quote(info.Name), Msg: "another shape", Expected: showDims(dims), Found: info.String()}
	}
	if !weights.IsFloat(info.DType) {
		return nil, &fault.Error{Where: f.Name() + ": tensor " + weights.Quote(info.Name), Msg: "not of a floating type", Expected: "F32, F16, BF16 or F64", Found: info.String()}
	}
	if len(info.Shape) != len(dims) {
		return nil, bad()
	}
	var out []ir.Dim
	for i, group := range dims {
		known, open := 1, 0
		for _, a := range group {
			if a.Size == 0 {
				open++
			} else {
				known *= a.Size
			}
		}
		if n := info.Shape[i]; n == 0 || known == 0 || n%known != 0 || open == 0 && n != known || open > 1 {
			return nil, bad()
		}
		for _, a := range group {
			if a.Size == 0 {
				a.Size = info.Shape[i] / known
			}
			out = append(out, a)
		}
	}
	return out, nil
}

// showDims prints the dims of a line: [(qkv:3, heads:6, head:64), width:384].
func showDims(dims [][]ir.Dim) string {
	parts := make([]string, len(dims))
	for i, group := range dims {
		inner := strings.Trim(show(group), "[]")
		switch len(group) {
		case 0:
			parts[i] = "1"
		case 1:
			parts[i] = inner
		default:
			parts[i] = "(" + inner + ")"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

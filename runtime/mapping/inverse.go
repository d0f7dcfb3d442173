package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/fault"
	"vitc/runtime/weights"
)

// Inverse lays leaves out as the file has them that their fills would read: each line is turned
// round. Of alternatives the first is, unless it leaves numbers of a tensor open that another
// fills. Of a sum, the first term takes the leaf's value; the others become -0 where no line gives
// them numbers, the one value that changes no bit of a sum. Leaves that the file need not have are
// left out. leaf gives a leaf's numbers.
func Inverse(fills []ir.Fill, leaf func(ir.Fill) ([]float32, error)) ([]weights.Tensor, error) {
	ways := slices.DeleteFunc(slices.Clone(fills), func(f ir.Fill) bool { return f.Ways[0].Value == nil })
	for {
		out, err := inverted(ways, leaf)
		var open *openError
		if !errors.As(err, &open) || !open.tryNext(ways) {
			return out, err
		}
	}
}

// openError says that a tensor would have numbers that no line gives.
type openError struct {
	*diag.Diagnostic
	tensor string
}

// Unwrap returns the diagnostic.
func (e *openError) Unwrap() error { return e.Diagnostic }

// tryNext drops the first way of a leaf that has another, of those that write the tensor.
func (e *openError) tryNext(fills []ir.Fill) bool {
	for i, f := range fills {
		writes := false
		f.Ways[0].Walk(func(w *ir.Weight) { writes = writes || slices.Contains(w.Names, e.tensor) })
		if writes && len(f.Ways) > 1 && f.Ways[1].Value != nil {
			fills[i].Ways = f.Ways[1:]
			return true
		}
	}
	return false
}

// inverted turns the first way of every fill round.
func inverted(fills []ir.Fill, leaf func(ir.Fill) ([]float32, error)) ([]weights.Tensor, error) {
	x := &inverter{tensors: map[string]*target{}}
	for _, f := range fills {
		if err := x.sizes(f.Ways[0].Value, axesOf(f)); err != nil {
			return nil, turned(f, err)
		}
	}
	if err := x.allocate(); err != nil {
		return nil, err
	}
	for _, f := range fills {
		data, err := leaf(f)
		if err == nil {
			err = x.write(f, data)
		}
		if err != nil {
			return nil, turned(f, err)
		}
	}
	return x.finish()
}

// inverter puts the tensors of a file together.
type inverter struct {
	tensors map[string]*target
	order   []*target
	later   []*view // terms of sums, filled where nothing else writes
	marks   []*view
}

// target is a tensor under construction. The first line that names it says its dims.
type target struct {
	name    string
	dims    [][]ir.Dim
	shape   []int // 0: not known yet
	data    []float32
	written []float32 // 1 where a number has been written
}

func axesOf(f ir.Fill) []ir.Dim {
	l := f.Type.Dims
	for _, t := range f.Ways[0].Turns {
		l = replaced(l, t.Label, nil)
	}
	return l
}

// turned makes the diagnostic of a line that cannot be turned round.
func turned(f ir.Fill, err error) error {
	d := fault.Diagnostic(err, CodeInverse, f.Ways[0].Pos)
	d.Notes = append(d.Notes, diag.Note{Pos: f.Pos, Text: fmt.Sprintf("`%s` is %s", f.Leaf, f.Type)})
	return d
}

// sizes goes down a line with the axes of its value, as far as they are known, and notes the shapes
// of the tensors that it reads.
func (x *inverter) sizes(w *ir.Weight, l []ir.Dim) error {
	switch w.Op {
	case ir.WeightLoad:
		for _, name := range w.Names {
			if err := x.note(name, w.Dims, l); err != nil {
				return err
			}
		}
		return nil
	case ir.WeightIndex:
	case ir.WeightSlice:
		if i := place(l, w.Axis); w.To == 0 && i >= 0 {
			l = replaced(l, w.Axis, []ir.Dim{{Label: w.Axis, Size: w.From + l[i].Size}})
		} else if i >= 0 {
			l = replaced(l, w.Axis, nil)
		}
	case ir.WeightRename:
		if i := place(l, w.Axes[0].Label); i >= 0 {
			l = replaced(l, w.Axes[0].Label, []ir.Dim{{Label: w.Axis, Size: l[i].Size}})
		}
	case ir.WeightSplit:
		n := 1
		for _, a := range w.Axes {
			i := place(l, a.Label)
			if i < 0 {
				return nil
			}
			n *= l[i].Size
			l = replaced(l, a.Label, nil)
		}
		l = append(slices.Clone(l), ir.Dim{Label: w.Axis, Size: n})
	case ir.WeightMerge:
		l = without(l, []ir.Dim{{Label: w.Axis}})
		for _, a := range w.Axes {
			if a.Size > 0 {
				l = append(slices.Clone(l), a)
			}
		}
	case ir.WeightResize, ir.WeightAdd:
	default:
		return &fault.Error{Msg: fmt.Sprintf("a line with `%s` cannot be turned round", w.Op), Expected: "loads, indices, slices, renames, splits and sums of two"}
	}
	for _, in := range w.In {
		if err := x.sizes(in, l); err != nil {
			return err
		}
	}
	return nil
}

// note compares what a line says of a tensor's shape with what others said.
func (x *inverter) note(name string, dims [][]ir.Dim, l []ir.Dim) error {
	t := x.tensors[name]
	if t == nil {
		t = &target{name: name, dims: dims, shape: make([]int, len(dims))}
		x.tensors[name] = t
		x.order = append(x.order, t)
	}
	if len(t.shape) != len(dims) {
		return &fault.Error{Msg: fmt.Sprintf("two lines give tensor %q another rank", name), Expected: showDims(t.dims), Found: showDims(dims)}
	}
	for i, group := range dims {
		n := 1
		for _, a := range group {
			size := a.Size
			if k := place(l, a.Label); k >= 0 && size == 0 {
				size = l[k].Size
			}
			n *= size
		}
		if n != 0 && t.shape[i] != 0 && t.shape[i] != n {
			return &fault.Error{Msg: fmt.Sprintf("two lines give tensor %q another shape", name), Expected: strconv.Itoa(t.shape[i]), Found: strconv.Itoa(n)}
		}
		t.shape[i] = cmp.Or(t.shape[i], n)
	}
	return nil
}

func (x *inverter) allocate() error {
	for _, t := range x.order {
		n := 1
		for i, s := range t.shape {
			if s == 0 {
				return &diag.Diagnostic{Code: CodeInverse, Msg: fmt.Sprintf("no line says the size of dimension %d of tensor %q", i, t.name), Expected: showDims(t.dims)}
			}
			n *= s
		}
		t.data, t.written = make([]float32, n), make([]float32, n)
	}
	return nil
}

// write puts a leaf's numbers where its line reads them.
func (x *inverter) write(f ir.Fill, data []float32) error {
	if len(data) != f.Type.Size() {
		return &fault.Error{Msg: "a leaf of another size", Expected: f.Type.String(), Found: fmt.Sprintf("%d numbers", len(data))}
	}
	leaf := dense(data, f.Type.Dims)
	turns := 1
	for _, t := range f.Ways[0].Turns {
		turns *= t.Size
	}
	for turn := range turns {
		if err := x.put(f.Ways[0].Value, turn, slot(leaf, f.Ways[0].Turns, turn)); err != nil {
			return err
		}
	}
	return nil
}

// put writes src to what an expression reads. Of a sum, the first term takes it.
func (x *inverter) put(w *ir.Weight, turn int, src *view) error {
	if w.Op == ir.WeightAdd {
		if err := x.put(w.In[0], turn, src); err != nil {
			return err
		}
		data, marks, err := x.views(w.In[1], turn)
		x.later, x.marks = append(x.later, data), append(x.marks, marks)
		return err
	}
	if w.Op == ir.WeightResize && w.In[0].Op == ir.WeightAdd {
		return x.put(w.In[0], turn, src)
	}
	data, marks, err := x.views(w, turn)
	if err != nil {
		return err
	}
	twice := false
	marks.each(func(at int, _ []int) {
		twice = twice || marks.data[at] == 1
		marks.data[at] = 1
	})
	if twice {
		return &fault.Error{Msg: "two lines fill the same numbers of a tensor", Expected: "lines that could be turned round"}
	}
	data.assign(src)
	return nil
}

// views are the views of an expression on the tensors of the file: on numbers, and on marks.
func (x *inverter) views(w *ir.Weight, turn int) (data, marks *view, err error) {
	view := func(buffer func(*target) []float32) (*view, error) {
		return (&inverse{func(l *ir.Weight) *view {
			t := x.tensors[l.Names[turn]]
			return dense(buffer(t), sized(l.Dims, t.shape))
		}}).view(w)
	}
	if data, err = view(func(t *target) []float32 { return t.data }); err != nil {
		return nil, nil, err
	}
	marks, err = view(func(t *target) []float32 { return t.written })
	return data, marks, err
}

// inverse makes the view of an expression that only moves numbers.
type inverse struct{ load func(*ir.Weight) *view }

func (v *inverse) view(w *ir.Weight) (*view, error) {
	if w.Op == ir.WeightLoad {
		return v.load(w), nil
	}
	in, err := v.view(w.In[0])
	if err != nil || w.Op == ir.WeightResize {
		return in, err // files are written with the model's own sizes
	}
	if w.Op == ir.WeightMerge {
		out, ok := in.merge(w.Axes, w.Axis)
		if !ok {
			return nil, &fault.Error{Msg: "a line that merges axes out of their order cannot be turned round"}
		}
		return out, nil
	}
	out, ok, err := moved(w, in)
	if !ok {
		return nil, &fault.Error{Msg: fmt.Sprintf("a line with `%s` within cannot be turned round", w.Op)}
	}
	return out, err
}

// sized gives the axes of a tensor's dims their sizes, of its shape.
func sized(dims [][]ir.Dim, shape []int) []ir.Dim {
	var out []ir.Dim
	for i, group := range dims {
		known := 1
		for _, a := range group {
			known *= max(a.Size, 1)
		}
		for _, a := range group {
			if a.Size == 0 {
				a.Size = shape[i] / known
			}
			out = append(out, a)
		}
	}
	return out
}

// finish fills what only sums read, and refuses tensors that are not whole.
func (x *inverter) finish() ([]weights.Tensor, error) {
	for i, v := range x.later {
		marks := x.marks[i]
		v.each(func(at int, in []int) {
			if marks.data[in[0]] == 0 {
				v.data[at], marks.data[in[0]] = float32(math.Copysign(0, -1)), 1
			}
		}, marks)
	}
	var out []weights.Tensor
	for _, t := range x.order {
		if i := slices.Index(t.written, 0); i >= 0 {
			return nil, &openError{&diag.Diagnostic{Code: CodeInverse, Msg: fmt.Sprintf("no line gives number %d of tensor %q", i, t.name), Expected: "lines that fill the whole tensor " + showDims(t.dims)}, t.name}
		}
		out = append(out, weights.Tensor{Name: t.name, Shape: t.shape, Data: t.data})
	}
	slices.SortFunc(out, func(a, b weights.Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

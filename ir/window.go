package ir

import "fmt"

// Windows turn a convolution into a product and a pooling into a reduction: along each dim
// that is slid over, window lays out what every output position sees, and a dot or a reduce
// over the windows does the rest.

// WindowAttrs describe windows of Size positions, Stride apart, along dim Dim of the side
// without windows, to which Lo positions are added before and Hi after; a negative number cuts
// positions off. The windows fill that dim exactly: its size is (windows-1)·Stride + Size -
// Lo - Hi, so that each of the two rows can tell its result's shape from its operand's.
type WindowAttrs struct {
	Dim, Size, Stride, Lo, Hi int
	// Fill is what lies outside: "", zeros, or "lowest", minus infinity, the identity of a
	// maximum. The sum unwindow has no use for it.
	Fill string
}

func windowRows() []*Row {
	attrs := func() any { return &WindowAttrs{} }
	return []*Row{
		// window x: dim s becomes two dims (o, k), y[o, k] = x[o·Stride + k - Lo].
		{Name: "window", Class: Indexed, In: 1, Out: 1, Attrs: attrs, Types: windowTypes, Index: windowIndex, Linear: windowLinear,
			Shared: windowShared, Counts: overEdges,
			VJP: func(b *Builder, op *Op, d []*Value) []*Value {
				a := *op.Attrs.(*WindowAttrs)
				a.Fill = ""
				t := op.In[0].Type
				return one(b.Apply("unwindow", &a, &t, d[0]))
			}},
		// unwindow d: dims (o, k) become one dim s again, x[s] the sum of all d[o, k] for which
		// s = o·Stride + k - Lo: what lies outside is dropped, what no window sees is zero.
		{Name: "unwindow", Class: Indexed, In: 1, Out: 1, Attrs: attrs, Types: unwindowTypes, Index: unwindowIndex, Flops: 1, Linear: jointly,
			Shared: unwindowShared, Counts: overEdges,
			VJP: func(b *Builder, op *Op, d []*Value) []*Value {
				t := op.In[0].Type
				return one(b.Apply("window", op.Attrs, &t, d[0]))
			}},
	}
}

// windowLinear: zeros around parts are zeros around their sum, and nothing else is.
func windowLinear(op *Op) Linearity {
	if op.Attrs.(*WindowAttrs).Fill == "" {
		return Jointly
	}
	return Opaque
}

// Window lays out the windows of a dim; the labels of its two dims are given.
func (b *Builder) Window(x *Value, a WindowAttrs, windows, within string) *Value {
	t, err := x.Type.windowed(a)
	if err != nil {
		panic(&Bug{Msg: err.Error(), Pos: b.Pos})
	}
	t.Dims[a.Dim].Label, t.Dims[a.Dim+1].Label = windows, within
	return b.Apply("window", &a, &t, x)
}

// Windows is how many windows there are along a dim of the given size.
func (a WindowAttrs) Windows(size int) int { return (size+a.Lo+a.Hi-a.Size)/a.Stride + 1 }

func (a WindowAttrs) check(dims, rank int) error {
	switch {
	case a.Dim < 0 || a.Dim+dims > rank:
		return fmt.Errorf("windows along dim %d of %d", a.Dim, rank)
	case a.Size < 1 || a.Stride < 1:
		return fmt.Errorf("windows of size %d, %d apart", a.Size, a.Stride)
	}
	return nil
}

// windowed is the type with its dim in windows.
func (t Type) windowed(a WindowAttrs) (Type, error) {
	if err := a.check(1, t.Rank()); err != nil {
		return t, err
	}
	d := t.Dims[a.Dim]
	room := d.Size + a.Lo + a.Hi - a.Size
	if room < 0 || room%a.Stride != 0 {
		return t, fmt.Errorf("windows of %d, %d apart, do not fill a dim of %d with %d before and %d after", a.Size, a.Stride, d.Size, a.Lo, a.Hi)
	}
	dims := append([]Dim(nil), t.Dims[:a.Dim]...)
	dims = append(dims, Dim{Label: d.Label, Size: a.Windows(d.Size)}, Dim{Label: "window", Size: a.Size})
	return T(t.DType, append(dims, t.Dims[a.Dim+1:]...)...), nil
}

func windowTypes(op *Op, want []Type) ([]Type, error) {
	a := op.Attrs.(*WindowAttrs)
	switch {
	case a.Fill != "" && a.Fill != "lowest":
		return nil, fmt.Errorf("window has no fill %q", a.Fill)
	case a.Fill != "" && !op.In[0].Type.DType.Float():
		return nil, fmt.Errorf("window fill=lowest of %s", op.In[0].Type.DType)
	}
	t, err := op.In[0].Type.windowed(*a)
	return labelled(t, want), err
}

func unwindowTypes(op *Op, want []Type) ([]Type, error) {
	a, t := *op.Attrs.(*WindowAttrs), op.In[0].Type
	if err := a.check(2, t.Rank()); err != nil {
		return nil, err
	}
	size := (t.Dims[a.Dim].Size-1)*a.Stride + a.Size - a.Lo - a.Hi
	switch {
	case a.Fill != "":
		return nil, fmt.Errorf("unwindow has no fill")
	case t.DType == Bool:
		return nil, fmt.Errorf("unwindow does not take bool")
	case t.Dims[a.Dim+1].Size != a.Size:
		return nil, fmt.Errorf("unwindow of windows of %d, found %d", a.Size, t.Dims[a.Dim+1].Size)
	case size < 1:
		return nil, fmt.Errorf("unwindow to a dim of %d", size)
	}
	dims := append([]Dim(nil), t.Dims[:a.Dim+1]...)
	dims[a.Dim] = Dim{Label: dims[a.Dim].Label, Size: size}
	return labelled(T(t.DType, append(dims, t.Dims[a.Dim+2:]...)...), want), nil
}

// labelled takes the labels of the type that is asked for, where the sizes are the same.
func labelled(t Type, want []Type) []Type {
	if len(want) == 1 && want[0].Same(t) {
		t = want[0]
	}
	return []Type{t}
}

// windowIndex gives the dims beside the windows shared factors; the three that move have
// factors of their own.
func windowIndex(op *Op) Rule {
	plain, windows := op.In[0].Type, op.Out[0].Type
	r, apart := windowTerms(plain, windows, op.Attrs.(*WindowAttrs).Dim)
	r.In, r.Out = []Term{apart}, []Term{r.Out[0]}
	return r
}

func unwindowIndex(op *Op) Rule {
	windows, plain := op.In[0].Type, op.Out[0].Type
	r, apart := windowTerms(plain, windows, op.Attrs.(*WindowAttrs).Dim)
	r.In, r.Out = []Term{r.Out[0]}, []Term{apart}
	return r
}

// windowTerms is the rule of the side with windows, and the term of the other side.
func windowTerms(plain, windows Type, dim int) (Rule, Term) {
	r := PointwiseRule(nil, windows)
	r.Factors[dim].Kind, r.Factors[dim+1].Kind = Moving, Moving
	n := len(r.Factors)
	r.Factors = append(r.Factors, Factor{Name: factorNames[n%len(factorNames)], Size: plain.Dims[dim].Size, Kind: Moving})
	term := append(append(Term{}, r.Out[0][:dim]...), DimFactors{n})
	return r, append(term, r.Out[0][dim+2:]...)
}

// Halo is how many positions the windows of a block of the dim reach into the block before and into
// the one after, where every block begins a window: whatever block it is.
func (a *WindowAttrs) Halo() (lo, hi int) { return max(a.Lo, 0), max(a.Hi, 0) }

// windowShared: where strides fill the dim, s = (o, z) with z below Stride, a block of its positions
// is where a block of the windows begins, so that devices can share o and exchange the halos.
func windowShared(op *Op) Rule {
	plain, windows := op.In[0].Type, op.Out[0].Type
	a := op.Attrs.(*WindowAttrs)
	if plain.Dims[a.Dim].Size != windows.Dims[a.Dim].Size*a.Stride {
		return windowIndex(op)
	}
	r, together := sharedTerms(windows, a)
	r.In, r.Out = []Term{together}, []Term{r.Out[0]}
	return r
}

func unwindowShared(op *Op) Rule {
	windows, plain := op.In[0].Type, op.Out[0].Type
	a := op.Attrs.(*WindowAttrs)
	if plain.Dims[a.Dim].Size != windows.Dims[a.Dim].Size*a.Stride {
		return unwindowIndex(op)
	}
	r, together := sharedTerms(windows, a)
	r.In, r.Out = []Term{r.Out[0]}, []Term{together}
	return r
}

// sharedTerms is the rule of the side with windows, and the term of the other side, whose dim has the
// windows' factor and, where windows are apart, that of the stride.
func sharedTerms(windows Type, a *WindowAttrs) (Rule, Term) {
	r := PointwiseRule(nil, windows)
	r.Factors[a.Dim].Kind, r.Factors[a.Dim+1].Kind = Moving, Moving
	dim := DimFactors{a.Dim}
	if n := len(r.Factors); a.Stride > 1 {
		r.Factors = append(r.Factors, Factor{Name: factorNames[n%len(factorNames)], Size: a.Stride, Kind: Moving})
		dim = append(dim, n)
	}
	term := append(append(Term{}, r.Out[0][:a.Dim]...), dim)
	return r, append(term, r.Out[0][a.Dim+2:]...)
}

// overEdges: windows that reach over an edge see what lies outside, which is not what the next
// device has.
func overEdges(op *Op) []int {
	a := op.Attrs.(*WindowAttrs)
	if lo, hi := a.Halo(); lo+hi == 0 {
		return nil
	}
	return []int{a.Dim}
}

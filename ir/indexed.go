package ir

import "fmt"

// Indexed rows move or pick elements.

// SliceAttrs keep positions From up to To of a dim.
type SliceAttrs struct{ Dim, From, To int }

// PadAttrs add Lo zeros before and Hi after a dim.
type PadAttrs struct{ Dim, Lo, Hi int }

// RollAttrs turn a dim: result position (i + By) mod size holds operand position i.
type RollAttrs struct{ Dim, By int }

// ConcatAttrs join operands along a dim.
type ConcatAttrs struct{ Dim int }

// ArgmaxAttrs name the dim searched; the first of equals wins, and a NaN wins over all.
type ArgmaxAttrs struct{ Dim int }

func indexedRows() []*Row {
	return []*Row{
		{Name: "slice", Class: Indexed, In: 1, Out: 1, Attrs: func() any { return &SliceAttrs{} }, Types: sliceTypes, Index: movingIndex, Linear: jointly,
			VJP: func(b *Builder, op *Op, d []*Value) []*Value {
				a := op.Attrs.(*SliceAttrs)
				return one(b.Pad(d[0], a.Dim, a.From, op.In[0].Type.Dims[a.Dim].Size-a.To))
			}},
		{Name: "pad", Class: Indexed, In: 1, Out: 1, Attrs: func() any { return &PadAttrs{} }, Types: padTypes, Index: movingIndex, Linear: jointly,
			VJP: func(b *Builder, op *Op, d []*Value) []*Value {
				a := op.Attrs.(*PadAttrs)
				return one(b.Slice(d[0], a.Dim, a.Lo, a.Lo+op.In[0].Type.Dims[a.Dim].Size))
			}},
		{Name: "roll", Class: Indexed, In: 1, Out: 1, Attrs: func() any { return &RollAttrs{} }, Types: rollTypes, Index: turnedIndex, Linear: jointly, Counts: turned,
			VJP: func(b *Builder, op *Op, d []*Value) []*Value {
				a := op.Attrs.(*RollAttrs)
				return one(b.Roll(d[0], a.Dim, -a.By))
			}},
		{Name: "concat", Class: Indexed, In: -1, Out: 1, Attrs: func() any { return &ConcatAttrs{} }, Types: concatTypes, Index: movingIndex, Linear: jointly, VJP: concatVJP},
		{Name: "argmax", Class: Indexed, In: 1, Out: 1, Attrs: func() any { return &ArgmaxAttrs{} }, Types: argmaxTypes, Flops: 1, Index: argmaxIndex},
		// gather table, ids [vw,bs->bsw]: the factor that only the table has is looked up by the
		// ids; an id out of range gives zeros.
		{Name: "gather", Class: Indexed, In: 2, Out: 1, Carries: true, Types: gatherTypes, VJP: gatherVJP, Counts: looked},
		// scatter_add ids, d [bs,bsw->vw]: adds each d at its id; the factor only the result has is
		// chosen by the ids, and an id out of range is dropped.
		{Name: "scatter_add", Class: Indexed, In: 2, Out: 1, Carries: true, Types: scatterTypes, Flops: 1, VJP: scatterVJP, Counts: looked},
	}
}

func dimOf(op *Op, dim int) (Dim, error) {
	t := op.In[0].Type
	if dim < 0 || dim >= t.Rank() {
		return Dim{}, fmt.Errorf("%s has no dim %d in %s", op.Row.Name, dim, t)
	}
	return t.Dims[dim], nil
}

func resized(t Type, dim, size int) []Type {
	dims := append([]Dim(nil), t.Dims...)
	dims[dim] = Dim{Label: dims[dim].Label, Size: size}
	return []Type{T(t.DType, dims...)}
}

func sliceTypes(op *Op, _ []Type) ([]Type, error) {
	a := op.Attrs.(*SliceAttrs)
	d, err := dimOf(op, a.Dim)
	if err != nil {
		return nil, err
	}
	if a.From < 0 || a.To > d.Size || a.From >= a.To {
		return nil, fmt.Errorf("slice %d..%d of a dim of %d", a.From, a.To, d.Size)
	}
	return resized(op.In[0].Type, a.Dim, a.To-a.From), nil
}

func padTypes(op *Op, _ []Type) ([]Type, error) {
	a := op.Attrs.(*PadAttrs)
	d, err := dimOf(op, a.Dim)
	if err != nil {
		return nil, err
	}
	if a.Lo < 0 || a.Hi < 0 {
		return nil, fmt.Errorf("pad by %d and %d", a.Lo, a.Hi)
	}
	return resized(op.In[0].Type, a.Dim, a.Lo+d.Size+a.Hi), nil
}

func rollTypes(op *Op, _ []Type) ([]Type, error) {
	_, err := dimOf(op, op.Attrs.(*RollAttrs).Dim)
	return []Type{op.In[0].Type}, err
}

func concatTypes(op *Op, _ []Type) ([]Type, error) {
	dim := op.Attrs.(*ConcatAttrs).Dim
	if len(op.In) == 0 {
		return nil, fmt.Errorf("concat of nothing")
	}
	if _, err := dimOf(op, dim); err != nil {
		return nil, err
	}
	first, total := op.In[0].Type, 0
	for _, v := range op.In {
		if v.Type.Rank() != first.Rank() || !resized(v.Type, dim, first.Dims[dim].Size)[0].Same(first) {
			return nil, fmt.Errorf("concat of %s and %s along dim %d", first, v.Type, dim)
		}
		total += v.Type.Dims[dim].Size
	}
	return resized(first, dim, total), nil
}

func concatVJP(b *Builder, op *Op, d []*Value) []*Value {
	dim, at := op.Attrs.(*ConcatAttrs).Dim, 0
	out := make([]*Value, len(op.In))
	for i, v := range op.In {
		n := v.Type.Dims[dim].Size
		out[i] = b.Slice(d[0], dim, at, at+n)
		at += n
	}
	return out
}

func argmaxTypes(op *Op, _ []Type) ([]Type, error) {
	dim := op.Attrs.(*ArgmaxAttrs).Dim
	if _, err := dimOf(op, dim); err != nil {
		return nil, err
	}
	dims := append(append([]Dim(nil), op.In[0].Type.Dims[:dim]...), op.In[0].Type.Dims[dim+1:]...)
	return []Type{T(I32, dims...)}, nil
}

func argmaxIndex(op *Op) Rule {
	r := PointwiseRule(nil, op.In[0].Type)
	dim := op.Attrs.(*ArgmaxAttrs).Dim
	r.In = []Term{r.Out[0]}
	r.Out = []Term{append(append(Term{}, r.In[0][:dim]...), r.In[0][dim+1:]...)}
	r.Factors[dim].Kind = Whole
	return r
}

// movingIndex gives the dims that an op leaves alone shared factors, and the dim it moves along
// a factor of its own on each side.
func movingIndex(op *Op) Rule {
	out := op.Out[0].Type
	r := PointwiseRule(nil, out)
	dim := movedDim(op)
	r.Factors[dim].Kind = Moving
	for _, v := range op.In {
		term := append(Term{}, r.Out[0]...)
		term[dim] = DimFactors{len(r.Factors)}
		r.Factors = append(r.Factors, Factor{Name: factorNames[len(r.Factors)%len(factorNames)], Size: v.Type.Dims[dim].Size, Kind: Moving})
		r.In = append(r.In, term)
	}
	return r
}

// turnedIndex gives every dim one factor: what a roll moves out at the end comes in at the
// beginning, so that the dim can be cut where neighbours exchange what moves between them.
func turnedIndex(op *Op) Rule {
	r := pointIndex(op)
	r.Factors[op.Attrs.(*RollAttrs).Dim].Kind = Moving
	return r
}

func turned(op *Op) []int { return []int{op.Attrs.(*RollAttrs).Dim} }

func movedDim(op *Op) int {
	switch a := op.Attrs.(type) {
	case *SliceAttrs:
		return a.Dim
	case *PadAttrs:
		return a.Dim
	case *ConcatAttrs:
		return a.Dim
	}
	panic(&Bug{Msg: op.Row.Name + " moves no dim", Pos: op.Pos})
}

// Looked is the factor that a gather or scatter_add picks by its ids.
func Looked(op *Op) (int, error) {
	r := op.Rule
	has, not := r.In[0], r.Out[0]
	ids := r.In[1]
	if op.Row.Name == "scatter_add" {
		has, not, ids = r.Out[0], r.In[1], r.In[0]
	}
	found := -1
	for i := range r.Factors {
		if has.Has(i) && !not.Has(i) && !ids.Has(i) {
			if found >= 0 {
				return 0, fmt.Errorf("%s %s looks up two factors", op.Row.Name, r)
			}
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("%s %s looks up no factor", op.Row.Name, r)
	}
	return found, nil
}

// looked is the factor that ids count along; ids of a block count from its beginning.
func looked(op *Op) []int {
	f, err := Looked(op)
	if err != nil {
		return nil // the row's types refuse it
	}
	return []int{f}
}

func gatherTypes(op *Op, want []Type) ([]Type, error) {
	if op.In[1].Type.DType != I32 && op.In[1].Type.DType != U32 {
		return nil, fmt.Errorf("gather wants integer ids, found %s", op.In[1].Type)
	}
	ts, err := carried(op, want)
	if err != nil {
		return nil, err
	}
	if _, err = Looked(op); err != nil {
		return nil, err
	}
	return ts, single(op)
}

func scatterTypes(op *Op, want []Type) ([]Type, error) {
	if op.In[0].Type.DType != I32 && op.In[0].Type.DType != U32 {
		return nil, fmt.Errorf("scatter_add wants integer ids, found %s", op.In[0].Type)
	}
	if len(want) != 1 {
		return nil, fmt.Errorf("scatter_add needs the type of its result")
	}
	ts, err := carried(op, want)
	if err != nil {
		return nil, err
	}
	if _, err = Looked(op); err != nil {
		return nil, err
	}
	ts[0].DType = op.In[1].Type.DType
	return ts, single(op)
}

func gatherVJP(b *Builder, op *Op, d []*Value) []*Value {
	r := op.Rule
	t := op.In[0].Type
	return []*Value{b.Carry("scatter_add", nil, r.Swap([]Term{r.In[1], r.Out[0]}, r.In[0]), &t, op.In[1], d[0]), nil}
}

func scatterVJP(b *Builder, op *Op, d []*Value) []*Value {
	r := op.Rule
	t := op.In[1].Type
	return []*Value{nil, b.Carry("gather", nil, r.Swap([]Term{r.Out[0], r.In[0]}, r.In[1]), &t, d[0], op.In[0])}
}

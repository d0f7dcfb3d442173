package ir

import "fmt"

// Control rows own a closed region; marker rows mean something to one pass.

// ScanAttrs describe a loop: its operands are Carry carries, then Each operands that are cut
// along their leading dim, one slice a turn, then constants. The body's parameters stand in the
// same order; it yields the next carries, and stacks further values along a new leading dim.
// Reverse runs from the last turn to the first (stacks still lie by turn number).
type ScanAttrs struct {
	Length  int
	Reverse bool
	Carry   int    `ir:"-"`
	Each    int    `ir:"-"`
	Label   string // the leading dim's label of what is stacked
}

// FusionAttrs name the kind of kernel a fusion becomes: loop, gemm, copy.
type FusionAttrs struct{ Kind string }

// FenceAttrs say why nothing may be moved or fused across a fence.
type FenceAttrs struct{ Why string }

func controlRows() []*Row {
	return []*Row{
		{Name: "scan", Class: Control, In: -1, Out: -1, Attrs: func() any { return &ScanAttrs{} }, Types: scanTypes},
		{Name: "fusion", Class: Control, In: -1, Out: -1, Attrs: func() any { return &FusionAttrs{} }, Types: fusionTypes},
		// grad loss, w..: the gradient of a scalar; removed by autodiff.
		{Name: "grad", Class: Marker, In: -1, Out: -1, Types: gradTypes},
		{Name: "stop", Class: Marker, In: 1, Out: 1, Index: pointIndex, Types: sameTypes},
		{Name: "fence", Class: Marker, In: -1, Out: -1, Attrs: func() any { return &FenceAttrs{} }, Index: apartIndex, Types: sameTypes,
			Linear: func(*Op) Linearity { return Apart }, VJP: fenceVJP},
	}
}

func sameTypes(op *Op, _ []Type) ([]Type, error) { return typesOf(op.In), nil }

// apartIndex is the rule of an op that leaves each of its operands as it is.
func apartIndex(op *Op) Rule {
	var r Rule
	for _, x := range op.In {
		term := Term{}
		for _, d := range x.Type.Dims {
			n := len(r.Factors)
			term = append(term, DimFactors{n})
			r.Factors = append(r.Factors, Factor{Name: factorNames[n%len(factorNames)], Size: d.Size})
		}
		r.In, r.Out = append(r.In, term), append(r.Out, term)
	}
	return r
}

// fenceVJP: on the way back nothing is to be kept apart.
func fenceVJP(_ *Builder, _ *Op, d []*Value) []*Value { return d }

func gradTypes(op *Op, _ []Type) ([]Type, error) {
	if len(op.In) == 0 || op.In[0].Type.Rank() != 0 || !op.In[0].Type.DType.Float() {
		return nil, fmt.Errorf("grad wants a scalar loss first")
	}
	return typesOf(op.In[1:]), nil
}

func bodyParams(op *Op, want []Type) error {
	if op.Body == nil {
		return fmt.Errorf("%s has no body", op.Row.Name)
	}
	if len(op.Body.Params) != len(want) {
		return fmt.Errorf("%s binds %d values to %d parameters", op.Row.Name, len(want), len(op.Body.Params))
	}
	for i, p := range op.Body.Params {
		if !p.Type.Same(want[i]) {
			return fmt.Errorf("%s: parameter %d is %s, bound to %s", op.Row.Name, i+1, p.Type, want[i])
		}
	}
	return nil
}

// EachType is the type of one turn's slice.
func EachType(t Type) Type {
	each := T(t.DType, t.Dims[1:]...)
	return each.Sharded(NewSharding(t.dimAxes()[1:], t.Shard.Sums(), t.Shard.Varies()))
}

// StackType is the type of what is stacked over a number of turns: the inverse of EachType.
func StackType(turn Dim, t Type) Type {
	stack := T(t.DType, append([]Dim{turn}, t.Dims...)...)
	return stack.Sharded(NewSharding(append([][]string{nil}, t.dimAxes()...), t.Shard.Sums(), t.Shard.Varies()))
}

func scanTypes(op *Op, _ []Type) ([]Type, error) {
	a := op.Attrs.(*ScanAttrs)
	if a.Length < 1 || a.Carry < 0 || a.Each < 0 || a.Carry+a.Each > len(op.In) {
		return nil, fmt.Errorf("scan of length %d with %d carries and %d each among %d operands", a.Length, a.Carry, a.Each, len(op.In))
	}
	want := typesOf(op.In)
	for i := a.Carry; i < a.Carry+a.Each; i++ {
		if want[i].Rank() == 0 || want[i].Dims[0].Size != a.Length {
			return nil, fmt.Errorf("scan of length %d over %s", a.Length, want[i])
		}
		want[i] = EachType(want[i])
	}
	if err := bodyParams(op, want); err != nil {
		return nil, err
	}
	if len(op.Body.Yield) != a.Carry {
		return nil, fmt.Errorf("scan has %d carries and yields %d", a.Carry, len(op.Body.Yield))
	}
	var out []Type
	for i, v := range op.Body.Yield {
		if !v.Type.Same(want[i]) {
			return nil, fmt.Errorf("scan's carry %d enters as %s and leaves as %s", i+1, want[i], v.Type)
		}
		out = append(out, op.In[i].Type)
	}
	for _, v := range op.Body.Stack {
		label := a.Label
		if label == "" {
			label = "turn"
		}
		out = append(out, StackType(Dim{Label: label, Size: a.Length}, v.Type))
	}
	return out, nil
}

func fusionTypes(op *Op, _ []Type) ([]Type, error) {
	if err := bodyParams(op, typesOf(op.In)); err != nil {
		return nil, err
	}
	return typesOf(op.Body.Yield), nil
}

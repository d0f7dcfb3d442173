package ir

import (
	"fmt"
	"slices"
)

// Linear rows carry their rule, and the rule says everything: shapes, loop nest, cost and
// vector-Jacobian product.

// ReduceAttrs says what a reduce does along the factors its result lacks: sum, max or min; or
// tree, a sum that joins neighbours by pairs, then the pairs' sums by pairs, and so on.
type ReduceAttrs struct{ Kind string }

func linearRows() []*Row {
	return []*Row{
		{Name: "dot", Class: Linear, In: 2, Out: 1, Carries: true, Types: dotTypes, Flops: 2, VJP: dotVJP, Linear: singly},
		{Name: "reduce", Class: Linear, In: 1, Out: 1, Carries: true, Types: reduceTypes, Flops: 1, VJP: reduceVJP,
			Attrs: func() any { return &ReduceAttrs{} }, Linear: reduceLinear},
		{Name: "broadcast", Class: Linear, In: 1, Out: 1, Carries: true, Types: spreadTypes, Linear: jointly, VJP: func(b *Builder, op *Op, d []*Value) []*Value {
			return one(b.ReduceTo("sum", d[0], op.Rule.Swap(op.Rule.Out, op.Rule.In[0]), op.In[0].Type.Dims))
		}},
		{Name: "rearrange", Class: Linear, In: 1, Out: 1, Carries: true, Types: rearrangeTypes, Linear: jointly, VJP: func(b *Builder, op *Op, d []*Value) []*Value {
			return one(b.Rearrange(d[0], op.Rule.Swap(op.Rule.Out, op.Rule.In[0]), op.In[0].Type.Dims))
		}},
	}
}

// carried binds the rule an op carries and builds the result type from it, with labels from
// want or else from the operand dims that have the same factors.
func carried(op *Op, want []Type) ([]Type, error) {
	if len(op.Rule.Out) != 1 {
		return nil, fmt.Errorf("%s needs a rule with one result", op.Row.Name)
	}
	r, err := op.Rule.Bind(typesOf(op.In), want)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op.Row.Name, err)
	}
	op.Rule = r
	t := Type{DType: op.In[0].Type.DType, Dims: make([]Dim, len(r.Out[0]))}
	for i, d := range r.Out[0] {
		t.Dims[i] = Dim{Label: labelOf(op, d), Size: r.SizeOf(d)}
		if len(want) == 1 {
			t.Dims[i].Label = want[0].Dims[i].Label
		}
	}
	return []Type{t}, nil
}

func labelOf(op *Op, d DimFactors) string {
	for k, term := range op.Rule.In {
		for i, e := range term {
			if len(d) == 1 && len(e) == 1 && d[0] == e[0] {
				return op.In[k].Type.Dims[i].Label
			}
		}
	}
	return "_"
}

// dotTypes: every factor stands in at least two of the three terms, so that each of the
// products' cotangents is a dot again.
func dotTypes(op *Op, want []Type) ([]Type, error) {
	if op.In[0].Type.DType != op.In[1].Type.DType || !op.In[0].Type.DType.Float() {
		return nil, fmt.Errorf("dot of %s and %s", op.In[0].Type.DType, op.In[1].Type.DType)
	}
	ts, err := carried(op, want)
	if err != nil {
		return nil, err
	}
	r := op.Rule
	for i, f := range r.Factors {
		n := 0
		for _, t := range []Term{r.In[0], r.In[1], r.Out[0]} {
			if t.Has(i) {
				n++
			}
		}
		if n < 2 {
			return nil, fmt.Errorf("dot %s: factor %c is in one term only", r, f.Name)
		}
	}
	return ts, single(op)
}

// single: no composite dims where a rule must be a plain loop nest.
func single(op *Op) error {
	for _, terms := range [][]Term{op.Rule.In, op.Rule.Out} {
		for _, t := range terms {
			for _, d := range t {
				if len(d) != 1 {
					return fmt.Errorf("%s %s: one factor a dim", op.Row.Name, op.Rule)
				}
			}
		}
	}
	return nil
}

func dotVJP(b *Builder, op *Op, d []*Value) []*Value {
	r, x, y := op.Rule, op.In[0], op.In[1]
	return []*Value{
		b.DotTo(d[0], y, r.Swap([]Term{r.Out[0], r.In[1]}, r.In[0]), x.Type.Dims),
		b.DotTo(x, d[0], r.Swap([]Term{r.In[0], r.Out[0]}, r.In[1]), y.Type.Dims),
	}
}

func reduceTypes(op *Op, want []Type) ([]Type, error) {
	kind := op.Attrs.(*ReduceAttrs).Kind
	if !slices.Contains([]string{"sum", "tree", "max", "min"}, kind) {
		return nil, fmt.Errorf("reduce has no kind %q", kind)
	}
	if op.In[0].Type.DType == Bool {
		return nil, fmt.Errorf("reduce does not take bool")
	}
	ts, err := carried(op, want)
	if err != nil {
		return nil, err
	}
	return ts, single(op)
}

// reduceLinear: the maximum of sums is no sum of maxima.
func reduceLinear(op *Op) Linearity {
	if joins(op) == "sum" {
		return Jointly
	}
	return Opaque
}

func reduceVJP(b *Builder, op *Op, d []*Value) []*Value {
	x, y := op.In[0], op.Out[0]
	back := op.Rule.Swap(op.Rule.Out, op.Rule.In[0])
	spread := func(v *Value) *Value { return b.Broadcast(v, back, x.Type.Dims) }
	if joins(op) == "sum" {
		return one(spread(d[0]))
	}
	won := b.Cast(b.Compare("eq", x, spread(y)), x.Type.DType)
	count := b.ReduceTo("sum", won, op.Rule, y.Type.Dims)
	return one(b.Mul(won, spread(b.Div(d[0], count))))
}

// spreadTypes: the result has every factor of the operand, and more.
func spreadTypes(op *Op, want []Type) ([]Type, error) {
	ts, err := carried(op, want)
	if err != nil {
		return nil, err
	}
	for i, f := range op.Rule.Factors {
		if !op.Rule.Out[0].Has(i) {
			return nil, fmt.Errorf("broadcast %s drops %c", op.Rule, f.Name)
		}
	}
	return ts, single(op)
}

// rearrangeTypes: both sides have the same factors.
func rearrangeTypes(op *Op, want []Type) ([]Type, error) {
	ts, err := carried(op, want)
	if err != nil {
		return nil, err
	}
	for i, f := range op.Rule.Factors {
		if !op.Rule.In[0].Has(i) || !op.Rule.Out[0].Has(i) {
			return nil, fmt.Errorf("rearrange %s: %c is on one side only", op.Rule, f.Name)
		}
	}
	return ts, nil
}

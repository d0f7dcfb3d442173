package ir

import (
	"fmt"
	"slices"
)

// Rows of a program for many devices. Along the axes of its attribute Over a device has a place,
// counted row-major with the first axis outermost; the devices that differ there alone are its
// group. reshard stands for moves that partition chooses; the others are what it chooses.

// AxisAttrs name mesh axes.
type AxisAttrs struct{ Over []string }

// BlockAttrs: of Dim, the block of the device Step places on along Over.
type BlockAttrs struct {
	Dim  int
	Over []string
	Step int
}

// GatherAttrs: along Dim, over the axes that it is cut along.
type GatherAttrs struct {
	Dim  int
	Over []string
}

// ReduceOverAttrs: Kind is sum, max or min. Sums are taken by pairs of neighbours along Over, then
// of pairs, and so on: 8 devices, 4 with the sums of two, and one with that of all give one result.
type ReduceOverAttrs struct {
	Over []string
	Kind string
}

// ExchangeAttrs: Dim becomes whole over the axes, and To is cut along them.
type ExchangeAttrs struct {
	Dim, To int
	Over    []string
}

// PermuteAttrs: every device sends to the one Step places on along Over, around the ring.
type PermuteAttrs struct {
	Over []string
	Step int
}

func collectiveRows() []*Row {
	row := func(name string, in int, attrs func() any, lies func(*Op, Type, []string) (Type, error)) *Row {
		return &Row{Name: name, Class: Collective, In: in, Out: 1, Attrs: attrs, Lies: lies, Types: collectiveTypes}
	}
	block := func() any { return &BlockAttrs{} }
	gather := func() any { return &GatherAttrs{} }
	rows := []*Row{
		{Name: "reshard", Class: Marker, In: 1, Out: 1, Index: pointIndex, Types: wantedShape, VJP: reshardVJP},
		// axis_index: the device's place, i32[].
		row("axis_index", 0, func() any { return &AxisAttrs{} }, varied),
		// block x: the device's block of a dim; put x, b: x with that block replaced by b.
		row("block", 1, block, blockLies),
		row("put", 2, block, varied),
	}
	for _, moves := range []*Row{
		// all_gather x: the group's blocks, joined. reduce_scatter x: the group's values summed up,
		// of which the device gets its block of a dim. all_reduce x: all of the sum. all_to_all x:
		// of every device's block of To, the device's own, joined along Dim. permute x: a neighbour's.
		row("all_gather", 1, gather, gatherLies),
		row("reduce_scatter", 1, gather, scatterLies),
		row("all_reduce", 1, func() any { return &ReduceOverAttrs{Kind: "sum"} }, reduceLies),
		row("all_to_all", 1, func() any { return &ExchangeAttrs{} }, exchangeLies),
		row("permute", 1, func() any { return &PermuteAttrs{} }, permuteLies),
	} {
		rows = append(rows, inTwo(moves)...)
	}
	return rows
}

// reshardVJP brings the cotangent to where the operand is; what is in parts has the cotangent of
// the whole in each of them.
func reshardVJP(b *Builder, op *Op, d []*Value) []*Value {
	t := op.In[0].Type.WithSum()
	return one(b.Apply("reshard", nil, &t, d[0]))
}

// wantedShape takes the type that is asked for, which differs from the operand's in its sharding.
func wantedShape(op *Op, want []Type) ([]Type, error) {
	if len(want) != 1 || !want[0].Same(op.In[0].Type) {
		return nil, fmt.Errorf("%s of %s needs a type of its shape", op.Row.Name, op.In[0].Type)
	}
	return want, nil
}

// Over is the mesh axes of a collective row's attributes, nil for others.
func Over(attrs any) []string {
	switch a := attrs.(type) {
	case *AxisAttrs:
		return a.Over
	case *BlockAttrs:
		return a.Over
	case *GatherAttrs:
		return a.Over
	case *ReduceOverAttrs:
		return a.Over
	case *ExchangeAttrs:
		return a.Over
	case *PermuteAttrs:
		return a.Over
	}
	return nil
}

// collectiveTypes checks that the type asked for is what the row makes of the operand's. How many
// devices there are is the module's to say; here sizes must be multiples.
func collectiveTypes(op *Op, want []Type) ([]Type, error) {
	if len(want) != 1 {
		return nil, fmt.Errorf("%s needs the type of its result", op.Row.Name)
	}
	over := slices.Clone(Over(op.Attrs))
	slices.Sort(over)
	if len(over) == 0 || len(slices.Compact(slices.Clone(over))) < len(over) {
		return nil, fmt.Errorf("%s over %v: wants mesh axes, each once", op.Row.Name, over)
	}
	if op.Row.Name == "axis_index" {
		if t := want[0]; t.DType != I32 || t.Rank() != 0 {
			return nil, fmt.Errorf("axis_index gives i32[], not %s", t)
		}
		return want, nil
	}
	return want, resizedAs(op, want[0])
}

// resizedAs checks sizes: dims grow or shrink by whole factors where the row says so, and nowhere
// else.
func resizedAs(op *Op, to Type) error {
	from := op.In[0].Type
	grows, shrinks := resizing(op)
	if a, ok := op.Attrs.(*ReduceOverAttrs); ok && !slices.Contains([]string{"sum", "max", "min"}, a.Kind) {
		return fmt.Errorf("all_reduce has no kind %q", a.Kind)
	}
	if from.DType != to.DType || from.Rank() != to.Rank() {
		return fmt.Errorf("%s of %s gives no %s", op.Row.Name, from, to)
	}
	if max(grows, shrinks) >= from.Rank() {
		return fmt.Errorf("%s has no dim %d in %s", op.Row.Name, max(grows, shrinks), from)
	}
	for i, d := range from.Dims {
		small, large := d.Size, to.Dims[i].Size
		if i == shrinks {
			small, large = large, small
		}
		if i != grows && i != shrinks && small != large || large%small != 0 {
			return fmt.Errorf("%s of %s gives no %s", op.Row.Name, from, to)
		}
	}
	return nil
}

// resizing is the dims that a collective row makes longer and shorter, -1 for none.
func resizing(op *Op) (grows, shrinks int) {
	switch a := op.Attrs.(type) {
	case *BlockAttrs:
		if op.Row.Name == "block" {
			return -1, a.Dim
		}
	case *GatherAttrs:
		if op.Row.Whole().Name == "reduce_scatter" {
			return -1, a.Dim
		}
		return a.Dim, -1
	case *ExchangeAttrs:
		return a.Dim, a.To
	}
	return -1, -1
}

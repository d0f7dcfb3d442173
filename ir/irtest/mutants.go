package irtest

import (
	"slices"
	"strings"

	"vitc/ir"
)

// Collectives lists the ops that bring numbers from device to device, and those that cut blocks to go
// with what has been brought.
func Collectives(m *ir.Module) []*ir.Op {
	var ops []*ir.Op
	for _, f := range m.Funcs {
		f.Body.Walk(func(op *ir.Op) {
			if op.Row.Class == ir.Collective && op.Row.Name != "axis_index" && (op.Row.Name != "block" || varies(op)) {
				ops = append(ops, op)
			}
		})
	}
	return ops
}

// Mutation breaks a collective of a module, and reports whether it can.
type Mutation struct {
	Name string
	Make func(m *ir.Module, op *ir.Op) bool
}

// Telling reports whether an op's types tell of what breaks it: not where values vary, nor of a ring
// that is turned.
func Telling(op *ir.Op) bool {
	return !varies(op) && op.Row.Name != "permute"
}

// varies reports whether values of an op have no global meaning.
func varies(op *ir.Op) bool {
	of := func(v *ir.Value) bool { return len(v.Type.Shard.Varies()) > 0 }
	return slices.ContainsFunc(op.In, of) || slices.ContainsFunc(op.Out, of)
}

// Mutations are ways to break collectives.
var Mutations = []Mutation{
	{"dropped", drop},
	{"doubled", double},
	{"over other axes", elsewhere},
	{"of another step", restep},
	{"of another dim", redim},
}

// drop leaves a device with what it has itself.
func drop(m *ir.Module, op *ir.Op) bool {
	switch a := op.Attrs.(type) {
	case *ir.ReduceOverAttrs, *ir.PermuteAttrs:
		op.Row, op.Attrs = ir.Lookup("fence"), &ir.FenceAttrs{}
	case *ir.GatherAttrs:
		if op.Row.Name == "reduce_scatter" {
			op.Row, op.Attrs = ir.Lookup("block"), &ir.BlockAttrs{Dim: a.Dim, Over: a.Over}
			return true
		}
		op.Row, op.Attrs = ir.Lookup("concat"), &ir.ConcatAttrs{Dim: a.Dim}
		for range m.Mesh.Size(a.Over...) - 1 {
			op.In = append(op.In, op.In[0])
		}
	case *ir.ExchangeAttrs: // its own blocks, as often as there are devices
		return regather(m, op, a)
	case *ir.BlockAttrs:
		if op.Row.Name == "block" {
			return false
		}
		op.Row, op.Attrs, op.In = ir.Lookup("fence"), &ir.FenceAttrs{}, op.In[:1] // what is there
	}
	return true
}

// regather makes of an exchange the device's own block of To, over and over.
func regather(m *ir.Module, op *ir.Op, a *ir.ExchangeAttrs) bool {
	t := op.In[0].Type
	t.Dims = slices.Clone(t.Dims)
	t.Dims[a.To].Size /= m.Mesh.Size(a.Over...)
	own := &ir.Op{Row: ir.Lookup("block"), In: op.In, Attrs: &ir.BlockAttrs{Dim: a.To, Over: a.Over}}
	own.Out = []*ir.Value{{Name: "own", Type: t, Def: own}}
	insertBefore(m, op, own)
	op.Row, op.In, op.Attrs = ir.Lookup("concat"), nil, &ir.ConcatAttrs{Dim: a.Dim}
	for range m.Mesh.Size(a.Over...) {
		op.In = append(op.In, own.Out[0])
	}
	return true
}

// double sums twice. What else is done twice has other sizes.
func double(m *ir.Module, op *ir.Op) bool {
	if _, ok := op.Attrs.(*ir.ReduceOverAttrs); !ok {
		return false
	}
	first := *op
	v := *op.Out[0]
	v.Def, first.Out, v.Name = &first, []*ir.Value{&v}, strings.TrimSpace(v.Name+"_first")
	op.In = []*ir.Value{&v}
	insertBefore(m, op, &first)
	return true
}

// elsewhere lets devices meet along other axes of as many devices.
func elsewhere(m *ir.Module, op *ir.Op) bool {
	over := slices.Clone(ir.Over(op.Attrs))
	for _, a := range m.Mesh {
		if at := len(over) - 1; a.Size == m.Mesh.Size(over[at]) && !slices.Contains(over, a.Name) {
			over[at] = a.Name
			return setOver(op, over)
		}
	}
	return false
}

func setOver(op *ir.Op, over []string) bool {
	switch a := op.Attrs.(type) {
	case *ir.ReduceOverAttrs:
		a.Over = over
	case *ir.GatherAttrs:
		a.Over = over
	case *ir.ExchangeAttrs:
		a.Over = over
	case *ir.PermuteAttrs:
		a.Over = over
	case *ir.BlockAttrs:
		a.Over = over
	}
	return true
}

// restep sends blocks one place further, or cuts or writes the next one.
func restep(m *ir.Module, op *ir.Op) bool {
	switch a := op.Attrs.(type) {
	case *ir.PermuteAttrs:
		a.Step++
		return true
	case *ir.BlockAttrs:
		a.Step++
		return true
	}
	return false
}

// redim gathers or scatters another dim of the same size.
func redim(m *ir.Module, op *ir.Op) bool {
	a, ok := op.Attrs.(*ir.GatherAttrs)
	if !ok {
		return false
	}
	t := op.In[0].Type
	for d := range t.Dims {
		if d != a.Dim {
			a.Dim = d
			return true
		}
	}
	return false
}

func insertBefore(m *ir.Module, at, op *ir.Op) {
	var into func(r *ir.Region)
	into = func(r *ir.Region) {
		if i := slices.Index(r.Ops, at); i >= 0 {
			r.Ops = slices.Insert(r.Ops, i, op)
			return
		}
		for _, o := range r.Ops {
			if o.Body != nil {
				into(o.Body)
			}
		}
	}
	for _, f := range m.Funcs {
		into(f.Body)
	}
}

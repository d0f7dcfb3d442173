package driver

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/diag"
	"vitc/passes"
)

// A move that propagation tells of becomes collectives of the partitioned step at the same place, and
// passes for the target make other ones of those: they take them out of loops, make sends of them, or
// start them early. What becomes of a move is told by the place that all keep.

// executed is a collective of the step as its target runs it, times a step.
type executed struct {
	op    *ir.Op
	times int
	takes *cost.Transfer
}

// is reports whether it is of a row, over some axes.
func (e executed) is(row string, over []string) bool {
	return e.op.Row.Whole().Name == row && slices.Equal(ir.Over(e.op.Attrs), over)
}

// bytes are those of its operand.
func (e executed) bytes() float64 { return float64(e.op.In[0].Type.Bytes()) }

// pipeline is the passes that a step of a plan goes through, and the target that they are of; memory
// plans nothing that is asked of here.
func (x *explainer) pipeline() (target string, names []string) {
	target = xlaTarget
	if x.plan.Devices.Platform == "cpu" {
		target = nativeTarget
	}
	return target, slices.DeleteFunc(passes.Pipeline(target), func(name string) bool { return name == "memory" })
}

// schedule notes what becomes of each collective of a step that has been through its target's passes,
// by the cost model. The machines of the CPU keep to the order that passes leave.
func (x *explainer) schedule(target string, m *ir.Module) error {
	model, err := cost.On(x.plan)
	if err != nil {
		return placedAt(err, x.plan.Pos)
	}
	model.Precision(m.Funcs[0].Precision)
	body := m.Funcs[0].Body
	_, takes := model.Transfers(body, target == nativeTarget)
	x.run = map[*diag.Loc][]executed{}
	var visit func(r *ir.Region, times int)
	visit = func(r *ir.Region, times int) {
		for _, op := range r.Ops {
			if op.Body != nil {
				visit(op.Body, times*op.Turns())
			}
			if op.Row.Ends != nil && !op.Row.Awaits() && takes[op] != nil {
				e := executed{op, times, takes[op]}
				x.run[op.Pos] = append(x.run[op.Pos], e)
				x.all = append(x.all, e)
			}
		}
	}
	visit(body, 1)
	return nil
}

// waited tells of a move what its collective has become, and what of it is hidden behind what: it is
// still there, or sends have been made of it, or it is a part of another one.
func (x *explainer) waited(w *WhyMove, pos *diag.Loc, operand float64) {
	if e, ok := x.same(w, pos, operand); ok {
		if e.op.Row.Starts() {
			w.As = "started early"
		}
		w.Exposed, w.Behind = e.takes.Exposed/float64(e.times), behind(e)
		return
	}
	if sends := x.sends(w, pos); len(sends) > 0 {
		w.As, w.Behind = fmt.Sprintf("%d sends", len(sends)), behind(sends...)
		for _, e := range sends {
			w.Exposed += e.takes.Exposed / float64(w.Times)
		}
		return
	}
	larger := func(e executed) bool { return e.is(w.Collective, w.Over) && e.bytes() > operand }
	for _, list := range [][]executed{x.run[pos], x.all} {
		if i := slices.IndexFunc(list, larger); i >= 0 {
			e := list[i]
			w.As, w.Behind = "a part of one for several values", behind(e)
			if e.times < w.Times {
				w.As = "a part of one for all turns of a loop"
			}
			w.Exposed = e.takes.Exposed / float64(e.times) * operand / e.bytes()
			return
		}
	}
}

// same takes the next collective of a place that is as the move's.
func (x *explainer) same(w *WhyMove, pos *diag.Loc, operand float64) (executed, bool) {
	list := x.run[pos]
	i := slices.IndexFunc(list, func(e executed) bool { return e.is(w.Collective, w.Over) && e.bytes() == operand && e.times == w.Times })
	if i < 0 {
		return executed{}, false
	}
	x.run[pos] = slices.Delete(slices.Clone(list), i, i+1)
	return list[i], true
}

// sends takes those that rings and exchanges have made of a collective.
func (x *explainer) sends(w *WhyMove, pos *diag.Loc) (taken []executed) {
	outside := func(axis string) bool { return !slices.Contains(w.Over, axis) }
	x.run[pos] = slices.DeleteFunc(slices.Clone(x.run[pos]), func(e executed) bool {
		along := ir.Over(e.op.Attrs)
		is := w.Collective != "permute" && e.is("permute", along) && !slices.ContainsFunc(along, outside)
		if is {
			taken = append(taken, e)
		}
		return is
	})
	return taken
}

// behind names what runs beside collectives, each once: products and loops, which last, and then the
// rest.
func behind(list ...executed) []string {
	var large, small []string
	add := func(names *[]string, name string) {
		if !slices.Contains(*names, name) {
			*names = append(*names, name)
		}
	}
	for _, e := range list {
		if e.takes.Ahead {
			add(&large, "the turn before")
		}
		for _, op := range e.takes.Beside {
			names, op := &small, mainOp(op)
			if op.Body != nil || op.ProductFlops() > 0 {
				names = &large
			}
			add(names, opText(op)+at(op.Pos))
		}
	}
	return append(large, small...)
}

// mainOp is what a kernel is named by: its product, if it has one.
func mainOp(op *ir.Op) *ir.Op {
	if op.Row.Name != "fusion" {
		return op
	}
	for _, in := range op.Body.Ops {
		if in.ProductFlops() > 0 {
			return in
		}
	}
	return op.Body.Ops[0]
}

package passes

import (
	"cmp"
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/topology"
)

// prefetch brings a layer's weights while the layer before it is computed. In a loop over layers, an
// all_gather of a slice of what is stacked depends on nothing that the turns compute; it becomes a
// carry:
//
//	%w0 = all_gather of the first layer's slice                 before the loop
//	scan carry(%c=%w0) each(%next=%w turned by one) {
//	  %n = all_gather %next                                     the next layer's
//	  ... dot of %c ...                                         this layer's
//	  yield %n
//	}
//
// Nothing in a turn reads what the turn gathers, so that the transfer may take as long as the turn.
// The slices are turned by one, each device's own blocks, which is a copy of its share of the weights;
// the last turn so gathers the first layer's once more, which nobody reads. To peel the last turn off
// would save that transfer, which is hidden, and cost a copy of all that the loop stacks, and the
// code of a turn.
//
// The pass is for machines that keep to the order of ops, where the pass asynchronous then takes the
// collectives apart: XLA's schedules for TPUs get longer by it. A gather becomes a carry where a turn
// without it is shorter by the cost model by more than the pass costs, and where memory holds one more
// layer's.
func prefetch(m *ir.Module, c *Context) {
	if c.Plan == nil || c.Plan.Overlap == ir.OverlapNone || len(m.Mesh) == 0 {
		return
	}
	for _, f := range m.Funcs {
		p := &prefetcher{model: priced(c.Plan), eager: c.Eager}
		p.model.Precision(f.Precision)
		p.room = roomBeside(f.Body, c.Plan)
		p.region(f.Body)
	}
}

// roomBeside is the bytes of a device that are free beside what a function holds; where nothing is
// known of its memory, a quarter of that, as what is under way may take.
func roomBeside(r *ir.Region, plan *ir.Plan) int64 {
	var peak int64
	for _, v := range r.Params {
		peak += int64(v.Type.Bytes())
	}
	peak += mostHeld(r)
	if chip := topology.ChipNamed(plan.Devices.Chip); chip != nil && chip.HBM > 0 {
		return int64((1-plan.Reserve)*float64(chip.HBM)) - peak
	}
	return peak / 4
}

// mostHeld is the most that a region and the loops in it hold at a time.
func mostHeld(r *ir.Region) (most int64) {
	held := holds(r)
	for i, op := range r.Ops {
		if op.Row.Name == "scan" {
			held[i] += mostHeld(op.Body)
		}
		most = max(most, held[i])
	}
	return most
}

// prefetcher rewrites the loops of a function.
type prefetcher struct {
	model *cost.Model
	room  int64 // bytes that are free
	eager bool  // wherever it can be done
}

func (p *prefetcher) region(r *ir.Region) {
	var ops []*ir.Op
	n := len(r.Ops)
	for _, op := range r.Ops {
		if op.Row.Name == "scan" {
			p.region(op.Body)
			if list := p.choose(op, broughtIn(op)); len(list) > 0 {
				ops = append(ops, carryGathers(op, list)...)
			}
		}
		ops = append(ops, op)
	}
	if r.Ops = ops; len(ops) > n {
		dropUnused(r) // slices that only gathers read
	}
}

// brought is what a turn gathers of a slice that it is given.
type brought struct {
	slice *ir.Value // the parameter of the loop's body
	path  []*ir.Op  // from the slice to the gather, which is the last
	at    int       // its place among the loop's
}

// stack is what the loop takes the slice from.
func (b brought) stack(loop *ir.Op) *ir.Value {
	return loop.In[slices.Index(loop.Body.Params, b.slice)]
}

func (b brought) gather() *ir.Op { return b.path[len(b.path)-1] }

// extra is the bytes that a device holds more: the layer that is used beside the one that arrives,
// and its own blocks once more.
func (b brought) extra(loop *ir.Op) int64 {
	return int64(b.gather().Out[0].Type.Bytes() + b.stack(loop).Type.Bytes())
}

// broughtIn finds the last gathers of paths from what a loop slices, through casts and gathers.
func broughtIn(loop *ir.Op) []brought {
	a, r := loop.Attrs.(*ir.ScanAttrs), loop.Body
	if a.Length < 2 {
		return nil
	}
	paths := map[*ir.Value]brought{}
	for _, v := range r.Params[a.Carry : a.Carry+a.Each] {
		paths[v] = brought{slice: v}
	}
	var all []brought
	for _, op := range r.Ops {
		if op.Row.Name != "all_gather" && op.Row.Name != "cast" {
			continue
		}
		b, ok := paths[op.In[0]]
		if !ok {
			continue
		}
		b.path = append(slices.Clone(b.path), op)
		paths[op.Out[0]] = b
		if op.Row.Name == "all_gather" {
			all = slices.DeleteFunc(all, func(x brought) bool { return slices.Contains(b.path, x.gather()) })
			all = append(all, b)
		}
	}
	for i := range all {
		all[i].at = i
	}
	return all
}

// choose leaves of what could be brought ahead what shortens a turn, by more than it takes to turn the
// slices, and what memory holds, the smallest first.
func (p *prefetcher) choose(loop *ir.Op, list []brought) []brought {
	if p.eager || len(list) == 0 {
		return list
	}
	slices.SortStableFunc(list, func(a, b brought) int { return cmp.Compare(a.extra(loop), b.extra(loop)) })
	room := p.room
	list = slices.DeleteFunc(list, func(b brought) bool {
		room -= b.extra(loop)
		return room < 0
	})
	for i := len(list) - 1; i >= 0; i-- {
		without := slices.Delete(slices.Clone(list), i, i+1)
		if (p.turn(loop, without)-p.turn(loop, list))*float64(loop.Turns()) <= p.price(loop, list[i]) {
			list = without
		}
	}
	for _, b := range list {
		p.room -= b.extra(loop)
	}
	return list
}

// turn is the seconds of a turn, in the order that the pass asynchronous would give it, where some of
// what it reads has been gathered by the turn before.
func (p *prefetcher) turn(loop *ir.Op, list []brought) float64 {
	trial := loop.Clone(map[*ir.Value]*ir.Value{})
	carryGathers(trial, slices.DeleteFunc(broughtIn(trial), func(b brought) bool {
		return !slices.ContainsFunc(list, func(x brought) bool { return x.at == b.at })
	}))
	s := &starter{model: p.model}
	a := s.agenda(trial.Body, nil)
	held := slices.Max(holds(trial.Body))
	a.cap = held + held/4
	return s.best(a).now
}

// price is the seconds that one prefetch costs a loop: the first layer's gather is waited for, and the
// slices are read and written.
func (p *prefetcher) price(loop *ir.Op, b brought) float64 {
	first := 0.0
	for _, op := range b.path {
		first += p.model.Collective(op)
	}
	return first + p.model.Pass(2*float64(b.stack(loop).Type.Bytes()))
}

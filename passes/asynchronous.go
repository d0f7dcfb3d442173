package passes

import (
	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/topology"
)

// asynchronous takes collectives apart into starts and dones, for machines that keep to the order of
// ops, and puts kernels between them. No plan has to ask for it: it takes no product apart and changes
// no bit.
//
// Each region is scheduled as a list (asynchronous_list.go): a transfer starts as soon as its operand
// is there, its done stands in front of its first reader, and of the kernels whose operands are there
// the one goes first from which the way to the region's end is longest, by the model's seconds of the
// core and of the links. Kernels keep their order where that gains nothing. What is under way takes
// memory: a region may hold what the machine leaves it, or a quarter more than before where nothing
// is known of that (asynchronous_memory.go). A collective of which less is hidden than it takes to
// start it stays in one.
func asynchronous(m *ir.Module, c *Context) {
	if c.Plan == nil || len(m.Mesh) == 0 {
		return
	}
	s := &starter{model: priced(c.Plan), eager: c.Eager}
	for _, f := range m.Funcs {
		s.model.Precision(f.Precision)
		if chip := topology.ChipNamed(c.Plan.Devices.Chip); chip != nil {
			s.limit = int64((1 - c.Plan.Reserve) * float64(chip.HBM))
		}
		var args int64
		for _, v := range f.Body.Params {
			args += int64(v.Type.Bytes())
		}
		s.region(f.Body, args)
	}
}

// starter schedules regions.
type starter struct {
	model *cost.Model
	limit int64 // bytes of a device; 0: not known
	eager bool  // whatever it gains
}

// leastHidden is the seconds that it takes to start a collective and to wait for it: a goroutine is
// woken, and its messages are asked for while kernels run.
const leastHidden = 10e-6

// leastGain is the part of a region's time for which its kernels give up their order.
const leastGain = 0.01

// region schedules a region, those inside it first, where some bytes are held around it. It gives the
// most that the region holds at a time.
func (s *starter) region(r *ir.Region, around int64) (peak int64) {
	inner := map[*ir.Op]int64{}
	held := holds(r)
	for i, op := range r.Ops {
		if op.Row.Name == "scan" {
			inner[op] = s.region(op.Body, around+held[i])
		}
		peak = max(peak, held[i]+inner[op])
	}
	p := s.agenda(r, inner)
	if !p.moves {
		return peak
	}
	p.cap = peak + peak/4
	if s.limit > 0 {
		p.cap = max(peak, s.limit-around)
	}
	best := s.best(p)
	r.Ops = s.write(best)
	return best.peak
}

// best makes a region's order in several manners, and takes the one that ends first.
func (s *starter) best(p *agenda) *lister {
	sooner := func(a, b manner) *lister {
		x, y := p.run(a), p.run(b)
		if y.now < x.now {
			return y
		}
		return x
	}
	list := sooner(manner{patient: true}, manner{})
	if s.eager {
		return list
	}
	if kept := sooner(manner{inOrder: true, patient: true}, manner{inOrder: true}); list.now >= (1-leastGain)*kept.now {
		return kept
	}
	return list
}

// write gives the ops of a schedule. Collectives that were not worth a start stand where it would have
// been: others that need the same links come behind.
func (s *starter) write(l *lister) []*ir.Op {
	var ops []*ir.Op
	flights := map[*task]*ir.Op{}
	for _, e := range l.out {
		t := e.task
		apart := t.moves && (s.eager || l.hidden[t] >= leastHidden)
		switch {
		case !t.moves || !apart && !e.ends:
			ops = append(ops, t.op)
		case apart && !e.ends:
			flights[t] = start(t.op)
			ops = append(ops, flights[t])
		case apart:
			ops = append(ops, done(flights[t], t.op))
		}
	}
	return ops
}

// start begins a collective.
func start(op *ir.Op) *ir.Op {
	v := op.Out[0]
	s := &ir.Op{Row: op.Row.Ends.Start, In: op.In, Attrs: op.Attrs, Pos: op.Pos}
	s.Out = []*ir.Value{{Name: "t", Type: v.Type.UnderWay(), Def: s, Pos: v.Pos}}
	return s
}

// done ends one, and gives the value of the collective in one.
func done(start, op *ir.Op) *ir.Op {
	d := &ir.Op{Row: op.Row.Ends.Done, In: start.Out, Out: op.Out, Pos: op.Pos}
	d.Out[0].Def = d
	return d
}

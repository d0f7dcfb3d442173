package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/topology"
)

// task is an op of a region to be scheduled: a kernel, a loop, or a collective.
type task struct {
	op      *ir.Op
	seconds float64 // of the core, or of the links where it moves
	moves   bool    // it runs beside the core
	lanes   []topology.Lane
	path    float64 // seconds of the longest way from its beginning to the region's end
	needs   []*task // those whose results it reads
	users   []*task
	inner   int64 // bytes that it holds inside
}

// agenda is a region to schedule.
type agenda struct {
	region *ir.Region
	tasks  []*task // in the region's order
	of     map[*ir.Op]*task
	moves  bool  // some collective may be taken apart
	cap    int64 // bytes that it may hold
}

// agenda prices the ops of a region. Views are no tasks: they are made where they are read.
func (s *starter) agenda(r *ir.Region, inner map[*ir.Op]int64) *agenda {
	p := &agenda{region: r, of: map[*ir.Op]*task{}}
	s.model.Each(r, func(op *ir.Op, took cost.Seconds) {
		t := &task{op: op, seconds: took.Total(), inner: inner[op]}
		switch {
		case isView(op):
			p.of[op] = &task{op: op, needs: p.makers(op)}
			return
		case op.Row.Name == "scan":
			t.seconds = s.model.InOrder(&ir.Region{Ops: []*ir.Op{op}}).Step
		case op.Row.Ends != nil && op.Row == op.Row.Ends.Whole && (s.eager || took.Link >= leastHidden):
			t.moves, t.lanes = true, s.model.Links(ir.Over(op.Attrs)).Lanes
			p.moves = true
		}
		p.of[op], p.tasks = t, append(p.tasks, t)
		t.needs = p.makers(op)
		for _, n := range t.needs {
			n.users = append(n.users, t)
		}
	})
	for _, t := range slices.Backward(p.tasks) {
		for _, u := range t.users {
			t.path = max(t.path, u.path)
		}
		t.path += t.seconds
	}
	return p
}

// makers are the tasks whose results an op reads, through views.
func (p *agenda) makers(op *ir.Op) []*task {
	var list []*task
	add := func(t *task) {
		if !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	for _, v := range op.In {
		switch t := p.of[v.Def]; {
		case v.Def == nil || t == nil:
		case isView(v.Def):
			for _, n := range t.needs {
				add(n)
			}
		default:
			add(t)
		}
	}
	return list
}

// event is a task in the order that is made: all of it, or its beginning or end where it moves.
type event struct {
	*task
	ends bool
}

// manner is how an order is made.
type manner struct {
	inOrder bool // kernels keep the region's order
	patient bool // transfers leave their links to those on which more depends
}

// lister makes one order.
type lister struct {
	*agenda
	*lives
	manner

	out    []event
	now    float64
	ready  map[*task]float64 // when its result is there, of those begun
	ended  map[*task]bool    // the core may read its result
	left   []*task           // not begun, in the region's order
	busy   map[topology.Lane]float64
	hidden map[*task]float64 // what the core does between a transfer's start and its end
	peak   int64
}

// run makes an order of the region's ops.
func (p *agenda) run(by manner) *lister {
	l := &lister{agenda: p, lives: livesIn(p.region), manner: by, ready: map[*task]float64{}, ended: map[*task]bool{},
		left: slices.Clone(p.tasks), busy: map[topology.Lane]float64{}, hidden: map[*task]float64{}}
	for len(l.left) > 0 {
		l.begin(l.choose())
	}
	for _, v := range slices.Concat(p.region.Yield, p.region.Stack) {
		l.settle(v)
	}
	for _, t := range p.tasks { // what nothing reads
		l.end(t)
	}
	return l
}

// choose takes the next task: a transfer, if one can start; else a kernel whose operands are there;
// else whatever needs to wait least.
func (l *lister) choose() *task {
	var best *task
	better := func(t *task) bool {
		at, than := max(l.now, l.available(t)), max(l.now, l.available(best))
		switch {
		case at != than:
			return at < than
		case t.moves != best.moves:
			return t.moves
		}
		return t.path > best.path
	}
	kernels := 0
	for _, t := range l.left {
		if !l.begun(t.needs) {
			if !t.moves {
				kernels++
			}
			continue
		}
		waits := l.inOrder && !t.moves && kernels > 0
		if !t.moves {
			kernels++
		}
		if !waits && l.fits(t) && (best == nil || better(t)) && !l.holdsBack(t) {
			best = t
		}
	}
	if best == nil {
		return l.left[0] // whatever it takes: all that it reads has begun
	}
	return best
}

func (l *lister) begun(list []*task) bool {
	for _, t := range list {
		if _, ok := l.ready[t]; !ok {
			return false
		}
	}
	return true
}

// available is when the operands of a task are there.
func (l *lister) available(t *task) (at float64) {
	for _, n := range t.needs {
		at = max(at, l.ready[n])
	}
	return at
}

// holdsBack reports whether a transfer would keep links busy that one on which more depends needs
// before it ends.
func (l *lister) holdsBack(t *task) bool {
	if !l.patient || !t.moves {
		return false
	}
	until := l.from(t) + t.seconds
	return slices.ContainsFunc(l.left, func(u *task) bool {
		shares := func(x topology.Lane) bool { return slices.Contains(u.lanes, x) }
		return u.moves && u.path > t.path && l.begun(u.needs) && l.available(u) < until && slices.ContainsFunc(t.lanes, shares)
	})
}

// from is when a transfer that is started now has its links.
func (l *lister) from(t *task) float64 {
	at := max(l.now, l.available(t))
	for _, lane := range t.lanes {
		at = max(at, l.busy[lane])
	}
	return at
}

// fits reports whether a task stays below the region's limit.
func (l *lister) fits(t *task) bool { return l.live+makes(t.op)+t.inner <= l.cap }

// begin runs a kernel, or starts a transfer.
func (l *lister) begin(t *task) {
	for _, v := range t.op.In {
		l.settle(v)
	}
	i := slices.Index(l.left, t)
	l.left = slices.Delete(l.left, i, i+1)
	l.live += makes(t.op)
	l.peak = max(l.peak, l.live+t.inner)
	l.out = append(l.out, event{t, false})
	if !t.moves {
		l.now += t.seconds
		l.ready[t], l.ended[t] = l.now, true
		l.leave(t.op)
		return
	}
	l.ready[t], l.hidden[t] = l.from(t)+t.seconds, -l.now
	for _, lane := range t.lanes {
		l.busy[lane] = l.ready[t]
	}
}

// settle lets the core read a value: what is under way is waited for, and views are made.
func (l *lister) settle(v *ir.Value) {
	t := l.of[v.Def]
	if v.Def == nil || t == nil || l.ended[t] {
		return
	}
	if isView(v.Def) {
		l.settle(v.Def.In[0])
		l.ended[t] = true
		l.out = append(l.out, event{t, false})
		return
	}
	l.end(t)
}

// end waits for a transfer.
func (l *lister) end(t *task) {
	if l.ended[t] {
		return
	}
	l.ended[t] = true
	l.hidden[t] += min(l.now, l.ready[t])
	l.now = max(l.now, l.ready[t])
	l.out = append(l.out, event{t, true})
	l.leave(t.op)
}

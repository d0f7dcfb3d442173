package cost

import (
	"slices"

	"vitc/ir"
	"vitc/ir/topology"
)

// Timeline is how long a region takes where transfers run beside the core.
type Timeline struct {
	Step    float64 `json:"step_s"`
	Core    float64 `json:"core_s"`    // that kernels take
	Links   float64 `json:"links_s"`   // that transfers take, one after the other
	Exposed float64 `json:"exposed_s"` // that the core waits for transfers
}

// Schedule runs a region in its order: the core takes kernel after kernel, and waits where one reads
// what is still on its way; a transfer starts as soon as its operand is there and its links are free.
// In loops what depends on no carry is brought a turn ahead, as XLA does, where the links have time:
// no turn is shorter than what it asks of a link. A loop goes on as in its second turn, which finds what
// the first has left on its way.
func (m *Model) Schedule(r *ir.Region) Timeline {
	s := m.schedule(false)
	s.all(r)
	return s.Timeline
}

// InOrder is Schedule where the order binds, as it does the machines of the CPU: the core stands still
// during a collective in one, and what was started runs beside it until its done.
func (m *Model) InOrder(r *ir.Region) Timeline {
	s := m.schedule(true)
	s.all(r)
	return s.Timeline
}

// schedule is one run of a region under way.
type schedule struct {
	Timeline
	m     *Model
	bound bool                      // the order binds
	now   float64                   // of the core
	ready map[*ir.Value]float64     // when a value is there; at 0 where it is not in the map
	busy  map[topology.Lane]float64 // until when
	work  map[topology.Lane]float64 // what it is used for, all together

	behind map[*ir.Value]*ir.Op // the transfer that a value had to wait for last
	log    *transfers           // nil where nobody asks
}

func (m *Model) schedule(bound bool) *schedule {
	return &schedule{m: m, bound: bound, ready: map[*ir.Value]float64{}, busy: map[topology.Lane]float64{}, work: map[topology.Lane]float64{},
		behind: map[*ir.Value]*ir.Op{}}
}

// all runs a function's region, to where its results are there.
func (s *schedule) all(r *ir.Region) {
	s.run(r, nil)
	s.wait(s.latest(r.Yield))
	s.Step = s.now
}

// run goes through the ops of a region; the results of those in ahead are there already.
func (s *schedule) run(r *ir.Region, ahead map[*ir.Op]bool) {
	s.m.Each(r, func(op *ir.Op, cost Seconds) {
		at, behind := s.latest(op.In)
		switch {
		case ahead[op] && !s.stops(op):
			s.ahead(op, cost)
			return
		case cost.Link > 0 && op.Body == nil:
			at, behind = s.transfer(op, at, cost.Link), op
			if s.stops(op) {
				s.wait(at, op)
			}
			if cost.Core > 0 {
				s.wait(at, op)
				s.kernel(op, cost.Core)
				at, behind = s.now, nil
			}
		case s.bound && op.Row.Awaits():
			s.wait(at, behind)
		case op.Row.Name == "scan":
			s.wait(at, behind)
			s.loop(op)
			return
		case cost.Core > 0:
			s.wait(at, behind)
			s.kernel(op, cost.Core)
			at, behind = s.now, nil
		}
		for _, v := range op.Out {
			s.ready[v], s.behind[v] = at, behind
		}
	})
}

// kernel runs on the core.
func (s *schedule) kernel(op *ir.Op, seconds float64) {
	s.log.kernel(op, s.now, seconds)
	s.now += seconds
	s.Core += seconds
}

// besideCore are the collectives that XLA for TPUs starts and waits for apart, whatever the program
// says; the core stands still during the others.
var besideCore = map[string]bool{"all_gather": true, "permute": true}

// stops reports whether the core stands still during a transfer.
func (s *schedule) stops(op *ir.Op) bool {
	beside := besideCore[op.Row.Name] && !(s.m.chip.Halts && op.Row.Name == "all_gather")
	return !op.Row.Starts() && (s.bound || !beside)
}

// latest is when the last of some values is there, and the transfer that it waited for.
func (s *schedule) latest(values []*ir.Value) (at float64, behind *ir.Op) {
	for _, v := range values {
		if s.ready[v] > at {
			at, behind = s.ready[v], s.behind[v]
		}
	}
	return at, behind
}

// wait lets the core stand still until a time, for a transfer if there is one to blame.
func (s *schedule) wait(until float64, behind *ir.Op) {
	if until <= s.now {
		return
	}
	s.Exposed += until - s.now
	s.log.waited(behind, until-s.now)
	s.now = until
}

// transfer queues a collective for its links, and gives when it ends. One that the order binds does
// not begin before the core has come to it.
func (s *schedule) transfer(op *ir.Op, at, seconds float64) float64 {
	if s.stops(op) || s.bound || op.Row.Starts() {
		at = max(at, s.now)
	}
	lanes := s.m.lanes(op)
	for _, l := range lanes {
		at = max(at, s.busy[l])
	}
	s.log.transfer(op, at, seconds)
	at += seconds
	for _, l := range lanes {
		s.busy[l] = at
		s.work[l] += seconds
	}
	s.Links += seconds
	return at
}

// lanes are what a collective queues for: dimensions of the torus, or where it goes one way, that way.
func (m *Model) lanes(op *ir.Op) []topology.Lane {
	if a, ok := op.Attrs.(*ir.PermuteAttrs); ok && m.assigned != nil {
		return m.ring(a.Over, []int{a.Step}).Lanes
	}
	return m.Links(ir.Over(op.Attrs)).Lanes
}

// ahead counts a transfer that the turn before has begun.
func (s *schedule) ahead(op *ir.Op, cost Seconds) {
	s.log.ahead(op, cost.Link)
	for _, l := range s.m.lanes(op) {
		s.work[l] += cost.Link
	}
	s.Links += cost.Link
	if cost.Core > 0 {
		s.kernel(op, cost.Core)
	}
}

// loop runs a scan: its first turn, then as many as are left like the second.
func (s *schedule) loop(op *ir.Op) {
	first := s.turn(op, nil, nil)
	var early map[*ir.Op]bool
	if !s.bound {
		early = Ahead(op)
	}
	second := s.turn(op, first, early)
	s.log.loop(op, s.now, first, second)
	left := float64(op.Turns() - 1)
	s.now += first.now + left*second.now
	s.Core += first.Core + left*second.Core
	s.Links += first.Links + left*second.Links
	s.Exposed += first.Exposed + left*second.Exposed
	for l, until := range second.busy {
		s.busy[l] = s.now + max(0, until-second.now)
	}
	for i, v := range append(slices.Clone(op.Body.Yield), op.Body.Stack...) {
		s.ready[op.Out[i]], s.behind[op.Out[i]] = s.now+max(0, second.ready[v]-second.now), second.behind[v]
	}
}

// turn runs a loop's body once, from time 0 on. What the turn before it has left on its way comes
// late; what is brought ahead is there.
func (s *schedule) turn(op *ir.Op, before *schedule, ahead map[*ir.Op]bool) *schedule {
	t := s.m.schedule(s.bound)
	t.log = s.log.inner()
	if before == nil {
		for l, until := range s.busy {
			t.busy[l] = max(0, until-s.now)
		}
	} else {
		for l, until := range before.busy {
			t.busy[l] = max(0, until-before.now)
		}
		for i, y := range op.Body.Yield {
			t.ready[op.Body.Params[i]], t.behind[op.Body.Params[i]] = max(0, before.ready[y]-before.now), before.behind[y]
		}
	}
	t.run(op.Body, ahead)
	longest := 0.0
	for _, seconds := range t.work {
		longest = max(longest, seconds)
	}
	t.wait(longest, nil)
	return t
}

// Ahead marks the transfers of a loop's body whose operands depend on no carry.
func Ahead(op *ir.Op) map[*ir.Op]bool {
	a := op.Attrs.(*ir.ScanAttrs)
	carried := map[*ir.Value]bool{}
	for _, p := range op.Body.Params[:a.Carry] {
		carried[p] = true
	}
	early := map[*ir.Op]bool{}
	for _, x := range op.Body.Ops {
		depends := false
		for _, v := range x.In {
			depends = depends || carried[v]
		}
		for _, v := range x.Out {
			carried[v] = depends
		}
		if !depends && x.Body == nil && besideCore[x.Row.Name] {
			early[x] = true
		}
	}
	return early
}

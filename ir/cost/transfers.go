package cost

import (
	"slices"

	"vitc/ir"
)

// Transfer is what becomes of a collective, or of one that was started: seconds of all turns of the
// loops around it.
type Transfer struct {
	Seconds float64
	// Exposed is what the core waits for it, and for what it queues for.
	Exposed float64
	// Beside are the kernels and loops that run while it does, in their order, each once.
	Beside []*ir.Op
	// Ahead says that a turn of a loop finds it there: the turn before has brought it.
	Ahead bool
}

// Transfers is Schedule, or InOrder where the order binds, with what becomes of each transfer. Where
// a turn of a loop is as long as its links need, no single one is to blame.
func (m *Model) Transfers(r *ir.Region, bound bool) (Timeline, map[*ir.Op]*Transfer) {
	s := m.schedule(bound)
	s.log = newLog()
	s.all(r)
	s.log.settle()
	return s.Timeline, s.log.of
}

// transfers notes what runs when in one region. A nil log notes nothing.
type transfers struct {
	of    map[*ir.Op]*Transfer
	core  []span // kernels and loops, in their order
	links []span
}

// span is when an op runs.
type span struct {
	op       *ir.Op
	from, to float64
}

func newLog() *transfers { return &transfers{of: map[*ir.Op]*Transfer{}} }

// inner is the log of a loop's turn.
func (t *transfers) inner() *transfers {
	if t == nil {
		return nil
	}
	return newLog()
}

func (t *transfers) get(op *ir.Op) *Transfer {
	if t.of[op] == nil {
		t.of[op] = &Transfer{}
	}
	return t.of[op]
}

func (t *transfers) kernel(op *ir.Op, from, seconds float64) {
	if t != nil {
		t.core = append(t.core, span{op, from, from + seconds})
	}
}

func (t *transfers) transfer(op *ir.Op, from, seconds float64) {
	if t != nil {
		t.get(op).Seconds += seconds
		t.links = append(t.links, span{op, from, from + seconds})
	}
}

func (t *transfers) ahead(op *ir.Op, seconds float64) {
	if t != nil {
		t.get(op).Seconds += seconds
		t.get(op).Ahead = true
	}
}

func (t *transfers) waited(op *ir.Op, seconds float64) {
	if t != nil && op != nil {
		t.get(op).Exposed += seconds
	}
}

// settle finds what runs beside what.
func (t *transfers) settle() {
	for _, l := range t.links {
		i, _ := slices.BinarySearchFunc(t.core, l.from, func(k span, at float64) int {
			if k.to > at {
				return 1
			}
			return -1
		})
		for ; i < len(t.core) && t.core[i].from < l.to; i++ {
			t.get(l.op).beside(t.core[i].op)
		}
	}
}

func (x *Transfer) beside(op *ir.Op) {
	if !slices.Contains(x.Beside, op) {
		x.Beside = append(x.Beside, op)
	}
}

// loop takes over what the turns of a loop have noted: the first, and as many as are left like the
// second.
func (t *transfers) loop(op *ir.Op, at float64, first, second *schedule) {
	if t == nil {
		return
	}
	left := float64(op.Turns() - 1)
	t.kernel(op, at, first.now+left*second.now)
	for _, turn := range []struct {
		*schedule
		times float64
	}{{first, 1}, {second, left}} {
		turn.log.settle()
		for x, from := range turn.log.of { // in any order: each is added to its own
			to := t.get(x)
			to.Seconds += turn.times * from.Seconds
			to.Exposed += turn.times * from.Exposed
			to.Ahead = to.Ahead || from.Ahead && turn.times > 0
			for _, k := range from.Beside {
				to.beside(k)
			}
		}
	}
}

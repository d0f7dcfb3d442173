package passes

import "vitc/ir"

// cut decides what a backward turn takes from memory and what it computes again: a minimum cut
// by bytes between what must be kept (carries, and what may not be computed again) and what the
// backward body uses. Between equal cuts the one nearest to the uses wins: less to recompute.
// The idea is that of min-cut rematerialisation in PyTorch's AOTAutograd.
//
//  1. A value is a pair of nodes joined by an edge of its bytes; cutting it means keeping it.
//  2. What may not be computed again hangs on the source, what is used on the sink.
//  3. An op that may be repeated joins its operands to its result without limit.
type cut struct {
	problem
	order []*ir.Value // every value considered, uses first
	index map[*ir.Value]int
	edges [][]edge

	saved, again map[*ir.Value]bool // the answer
}

// problem is what a cut is asked for.
type problem struct {
	needed     []*ir.Value
	given      func(*ir.Value) bool        // available in the backward body at no cost
	repeatable func(*ir.Value) bool        // may be computed again
	from       func(*ir.Value) []*ir.Value // what it is then computed from
	bytes      func(ir.Type) int64         // that keeping a value of the type takes
}

type edge struct {
	to, back int // back: index of the reverse edge in edges[to]
	room     int64
}

const (
	source  = 0
	sink    = 1
	endless = int64(1) << 60
)

// solve finds the values to keep and those to compute again.
func (p problem) solve() *cut {
	c := &cut{problem: p, index: map[*ir.Value]int{}}
	for _, v := range c.needed {
		c.visit(v)
	}
	c.build()
	for c.augment() {
	}
	c.read()
	return c
}

func (c *cut) visit(v *ir.Value) {
	if _, seen := c.index[v]; seen || v.Lit != nil {
		return
	}
	c.index[v] = len(c.order)
	c.order = append(c.order, v)
	if !c.given(v) && c.repeatable(v) {
		for _, u := range c.from(v) {
			c.visit(u)
		}
	}
}

// read takes the answer from the flow.
func (c *cut) read() {
	near := c.reachesSink()
	c.saved, c.again = map[*ir.Value]bool{}, map[*ir.Value]bool{}
	for _, v := range c.order {
		c.saved[v] = !c.given(v) && !near[c.enter(v)] && near[c.exit(v)]
	}
	var walk func(v *ir.Value)
	walk = func(v *ir.Value) {
		if v.Lit != nil || c.saved[v] || c.again[v] || c.given(v) {
			return
		}
		c.again[v] = true
		for _, u := range c.from(v) {
			walk(u)
		}
	}
	for _, v := range c.needed {
		walk(v)
	}
}

func (c *cut) enter(v *ir.Value) int { return 2 + 2*c.index[v] }
func (c *cut) exit(v *ir.Value) int  { return 3 + 2*c.index[v] }

func (c *cut) build() {
	c.edges = make([][]edge, 2+2*len(c.order))
	for _, v := range c.order {
		if c.given(v) {
			continue
		}
		c.join(c.enter(v), c.exit(v), c.bytes(v.Type))
		if !c.repeatable(v) {
			c.join(source, c.enter(v), endless)
			continue
		}
		for _, u := range c.from(v) {
			if u.Lit == nil && !c.given(u) {
				c.join(c.exit(u), c.enter(v), endless)
			}
		}
	}
	for _, v := range c.needed {
		if !c.given(v) {
			c.join(c.exit(v), sink, endless)
		}
	}
}

func (c *cut) join(from, to int, room int64) {
	c.edges[from] = append(c.edges[from], edge{to, len(c.edges[to]), room})
	c.edges[to] = append(c.edges[to], edge{from, len(c.edges[from]) - 1, 0})
}

// augment sends flow along one shortest path that has room (Edmonds and Karp, 1972).
func (c *cut) augment() bool {
	type step struct{ node, edge int }
	from := make([]step, len(c.edges))
	seen := make([]bool, len(c.edges))
	seen[source] = true
	queue := []int{source}
	for len(queue) > 0 && !seen[sink] {
		n := queue[0]
		queue = queue[1:]
		for i, e := range c.edges[n] {
			if e.room > 0 && !seen[e.to] {
				seen[e.to], from[e.to] = true, step{n, i}
				queue = append(queue, e.to)
			}
		}
	}
	if !seen[sink] {
		return false
	}
	flow := endless
	for n := sink; n != source; n = from[n].node {
		flow = min(flow, c.edges[from[n].node][from[n].edge].room)
	}
	for n := sink; n != source; n = from[n].node {
		e := &c.edges[from[n].node][from[n].edge]
		e.room -= flow
		c.edges[n][e.back].room += flow
	}
	return true
}

// reachesSink marks the nodes from which room is left to the sink.
func (c *cut) reachesSink() []bool {
	near := make([]bool, len(c.edges))
	near[sink] = true
	queue := []int{sink}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, e := range c.edges[n] {
			if !near[e.to] && c.edges[e.to][e.back].room > 0 {
				near[e.to] = true
				queue = append(queue, e.to)
			}
		}
	}
	return near
}

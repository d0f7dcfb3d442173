package passes

import "vitc/ir"

// cut decides what a backward turn takes from memory and what it computes again: a minimum cut
// by bytes between what must be kept (results of products and sums, carries) and what the
// backward body uses. Between equal cuts the one nearest to the uses wins: less to recompute.
// The idea is that of min-cut rematerialisation in PyTorch's AOTAutograd.
//
//  1. A value is a pair of nodes joined by an edge of its bytes; cutting it means keeping it.
//  2. What cannot be computed again hangs on the source, what is used on the sink.
//  3. An op that is cheap to repeat joins its operands to its result without limit.
type cut struct {
	order  []*ir.Value // every value considered, uses first
	index  map[*ir.Value]int
	needed []*ir.Value
	given  func(*ir.Value) bool // available in the backward body at no cost
	edges  [][]edge
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

func newCut(needed []*ir.Value, given func(*ir.Value) bool) *cut {
	c := &cut{index: map[*ir.Value]int{}, needed: needed, given: given}
	for _, v := range needed {
		c.visit(v)
	}
	return c
}

func (c *cut) visit(v *ir.Value) {
	if _, seen := c.index[v]; seen || v.Lit != nil {
		return
	}
	c.index[v] = len(c.order)
	c.order = append(c.order, v)
	if repeatable(v) && !c.given(v) {
		for _, u := range v.Def.In {
			c.visit(u)
		}
	}
}

// repeatable: pointwise work and movement may be done again; products, sums and loops may not.
func repeatable(v *ir.Value) bool {
	if v.Def == nil || len(v.Def.Out) != 1 {
		return false
	}
	switch v.Def.Row.Class {
	case ir.Pointwise, ir.Source, ir.Indexed:
		return true
	}
	switch v.Def.Row.Name {
	case "broadcast", "rearrange", "stop":
		return true
	}
	return false
}

// solve gives the values to keep and those to compute again.
func (c *cut) solve() (saved, again map[*ir.Value]bool) {
	c.build()
	for c.augment() {
	}
	near := c.reachesSink()
	saved, again = map[*ir.Value]bool{}, map[*ir.Value]bool{}
	for _, v := range c.order {
		saved[v] = !c.given(v) && !near[c.enter(v)] && near[c.exit(v)]
	}
	var walk func(v *ir.Value)
	walk = func(v *ir.Value) {
		if v.Lit != nil || saved[v] || again[v] || c.given(v) {
			return
		}
		again[v] = true
		for _, u := range v.Def.In {
			walk(u)
		}
	}
	for _, v := range c.needed {
		walk(v)
	}
	return saved, again
}

func (c *cut) enter(v *ir.Value) int { return 2 + 2*c.index[v] }
func (c *cut) exit(v *ir.Value) int  { return 3 + 2*c.index[v] }

func (c *cut) build() {
	c.edges = make([][]edge, 2+2*len(c.order))
	for _, v := range c.order {
		if c.given(v) {
			continue
		}
		c.join(c.enter(v), c.exit(v), int64(v.Type.Bytes()))
		if !repeatable(v) {
			c.join(source, c.enter(v), endless)
			continue
		}
		for _, u := range v.Def.In {
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

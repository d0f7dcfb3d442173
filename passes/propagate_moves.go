package passes

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/cost"
)

// move is one step from a sharding to another: a row's name and what it does.
type move struct {
	row     string   // block, all_gather, reduce_scatter, all_reduce, all_to_all
	dim, to int      // to: where all_to_all cuts instead of dim
	over    []string // mesh axes, major first
	bytes   float64  // of a device's operand
}

// route is the cheapest sequence of moves, and the seconds that they take.
type route struct {
	moves   []move
	seconds float64
}

// router finds routes, each once.
type router struct {
	model *cost.Model
	mesh  ir.Mesh
	hides bool // products hide what is sent
	known map[string]route
}

func newRouter(m *cost.Model) *router {
	return &router{model: m, mesh: m.Mesh(), known: map[string]route{}}
}

// spot is a state of the search: how a tensor lies, how it got there, and at what cost.
type spot struct {
	dims  [][]string
	sum   []string
	route route
}

func (p *spot) key() string { return fmt.Sprint(p.dims, p.sum) }

// route goes from one sharding of a tensor of global sizes to another. Parts along an axis can
// become one; whole values are never taken apart again.
func (r *router) route(t ir.Type, from, to *ir.Sharding) route { return r.routeOf(t, from, to, 0) }

// routeOf is the route of what products of some seconds make.
func (r *router) routeOf(t ir.Type, from, to *ir.Sharding, work float64) route {
	if from.Equal(to) {
		return route{}
	}
	s := &routeSearch{router: r, work: work, t: t, to: dimsOf(t, to), sum: to.Sums()}
	start := &spot{dims: dimsOf(t, from), sum: from.Sums()}
	id := fmt.Sprint(t.DType, t.Shape(), start.key(), s.to, s.sum, work)
	if known, ok := r.known[id]; ok {
		return known
	}
	found := s.run(start)
	r.known[id] = found
	return found
}

// dimsOf is the axes of each dim.
func dimsOf(t ir.Type, s *ir.Sharding) [][]string {
	dims := make([][]string, t.Rank())
	for i := range dims {
		dims[i] = s.Of(i)
	}
	return dims
}

// routeSearch is Dijkstra's search over shardings.
type routeSearch struct {
	*router
	work float64 // seconds of the products that make the tensor
	t    ir.Type
	to   [][]string
	sum  []string
	open spots
	done map[string]bool
}

func (s *routeSearch) run(start *spot) route {
	s.done = map[string]bool{}
	goal := (&spot{dims: s.to, sum: s.sum}).key()
	heap.Push(&s.open, start)
	for len(s.open) > 0 {
		p := heap.Pop(&s.open).(*spot)
		k := p.key()
		if k == goal {
			return p.route
		}
		if s.done[k] {
			continue
		}
		s.done[k] = true
		s.reduce(p)
		for d := range p.dims {
			s.gather(p, d)
			s.cut(p, d)
		}
	}
	panic(&ir.Bug{Msg: fmt.Sprintf("no way from %s to %v of %s", start.key(), s.to, s.t)})
}

// bytes of a device's part.
func (s *routeSearch) bytes(p *spot) float64 {
	n := float64(s.t.DType.Bytes())
	for i, d := range s.t.Dims {
		parts := s.mesh.Size(p.dims[i]...)
		n *= float64(padded(d.Size, parts) / parts)
	}
	return n
}

// next opens the spot behind a move.
func (s *routeSearch) next(p *spot, m move, change func(q *spot)) {
	q := &spot{dims: slices.Clone(p.dims), sum: p.sum}
	change(q)
	if !s.meets(p, q) {
		return
	}
	m.bytes = s.bytes(p)
	seconds := s.moving(m, s.bytes(q))
	if len(p.route.moves) == 0 {
		seconds = min(seconds, s.exchanged(m, s.work, s.bytes(q)))
	}
	q.route = route{append(slices.Clone(p.route.moves), m), p.route.seconds + seconds}
	heap.Push(&s.open, q)
}

// meets reports whether the blocks of one spot are whole blocks of the other: where padding is
// not the same in both, a dim is cut at once or not at all.
func (s *routeSearch) meets(p, q *spot) bool {
	for i, d := range s.t.Dims {
		a, b := s.mesh.Size(p.dims[i]...), s.mesh.Size(q.dims[i]...)
		if a != 1 && b != 1 && padded(d.Size, a) != padded(d.Size, b) {
			return false
		}
	}
	return true
}

// reduce makes parts whole.
func (s *routeSearch) reduce(p *spot) {
	if over := without(p.sum, s.sum); len(over) > 0 {
		s.next(p, move{row: "all_reduce", over: inOrder(s.mesh, over)}, func(q *spot) { q.sum = without(q.sum, over) })
	}
}

// inOrder sorts axes as the mesh has them.
func inOrder(mesh ir.Mesh, axes []string) []string {
	out := slices.Clone(axes)
	slices.SortFunc(out, func(a, b string) int { return mesh.Axis(a) - mesh.Axis(b) })
	return out
}

// gather joins blocks along minor axes of a dim that are not to be there, or that are but whose
// blocks, being padded otherwise, are not to be cut further.
func (s *routeSearch) gather(p *spot, d int) {
	have, size := p.dims[d], s.t.Dims[d].Size
	if prefix(have, s.to[d]) && padded(size, s.mesh.Size(have...)) == padded(size, s.mesh.Size(s.to[d]...)) {
		return
	}
	for k := range have {
		tail := have[k:]
		s.next(p, move{row: "all_gather", dim: d, over: tail}, func(q *spot) { q.dims[d] = have[:k] })
		for e := range p.dims {
			if rest, ok := strip(s.to[e], p.dims[e]); ok && e != d && prefix(tail, rest) {
				s.next(p, move{row: "all_to_all", dim: d, to: e, over: tail}, func(q *spot) {
					q.dims[d], q.dims[e] = have[:k], slices.Concat(q.dims[e], tail)
				})
			}
		}
	}
}

// cut cuts a dim along the next axes that it is to have: axes along which the value is whole, or
// the sum of what devices hold.
func (s *routeSearch) cut(p *spot, d int) {
	rest, ok := strip(s.to[d], p.dims[d])
	if !ok {
		return
	}
	for k := 1; k <= len(rest); k++ {
		over, row := rest[:k], "block"
		if used := slices.Concat(p.dims...); slices.ContainsFunc(over, func(a string) bool { return slices.Contains(used, a) }) {
			return
		}
		switch n := len(over) - len(without(over, p.sum)); n {
		case 0:
		case len(over):
			row = "reduce_scatter"
		default:
			continue
		}
		s.next(p, move{row: row, dim: d, over: over}, func(q *spot) {
			q.dims[d], q.sum = slices.Concat(q.dims[d], over), without(q.sum, over)
		})
	}
}

func prefix(a, b []string) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }

// strip is what follows a prefix.
func strip(list, head []string) (rest []string, ok bool) {
	if !prefix(head, list) {
		return nil, false
	}
	return list[len(head):], true
}

// spots is a heap by cost.
type spots []*spot

func (h spots) Len() int           { return len(h) }
func (h spots) Less(i, j int) bool { return h[i].route.seconds < h[j].route.seconds }
func (h spots) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *spots) Push(x any)        { *h = append(*h, x.(*spot)) }
func (h *spots) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// String is the moves in one line.
func (r route) String() string {
	var parts []string
	for _, m := range r.moves {
		parts = append(parts, fmt.Sprintf("%s dim %d over %s", m.row, m.dim, strings.Join(m.over, ", ")))
	}
	return strings.Join(parts, "; ")
}

package topology

import "testing"

// A whole dimension of a torus is a ring of two links; half of one is a line of neighbours with one,
// or steps over chips and shares the ring with the other half. Dimensions add up.
func TestAcross(t *testing.T) {
	const link = 4.5e10
	for _, c := range []struct {
		name  string
		group [][]int
		links float64
		hops  int
		lanes int
	}{
		{"a whole ring", [][]int{{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 0, 3}, {0, 0, 4}, {0, 0, 5}, {0, 0, 6}, {0, 0, 7}}, 2, 4, 1},
		{"half of it", [][]int{{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 0, 3}}, 1, 3, 1},
		{"every second chip", [][]int{{0, 0, 0}, {0, 0, 2}, {0, 0, 4}, {0, 0, 6}}, 1, 3, 1},
		{"a square of neighbours", [][]int{{0, 0, 0}, {0, 1, 0}, {1, 0, 0}, {1, 1, 0}}, 2, 2, 2},
		{"one chip", [][]int{{1, 2, 3}}, 0, 0, 0},
	} {
		top := parse(t, "v4:4x4x8")
		var ids []int
		for _, at := range c.group {
			ids = append(ids, top.ID(at, 0))
		}
		if l := top.Across(ids); l.Rate != c.links*link || l.Hops != c.hops || len(l.Lanes) != c.lanes {
			t.Errorf("%s: %+v, want %g links, %d hops, %d lanes", c.name, l, c.links, c.hops, c.lanes)
		}
	}
}

// All chips of a ring of 8 sending half way round load each link with two messages of either way;
// to the neighbour, with one of one way.
func TestExchange(t *testing.T) {
	top := parse(t, "v4:4x4x8")
	for step, want := range map[int]Exchange{1: {Busiest: 1, Farthest: 1}, 4: {Busiest: 2, Farthest: 4}} {
		var pairs [][2]int
		for z := range 8 {
			pairs = append(pairs, [2]int{z, (z + step) % 8})
		}
		ring := make([]int, 8)
		for z := range ring {
			ring[z] = top.ID([]int{0, 0, z}, 0)
		}
		if e := top.Exchange(ring, pairs); e.Busiest != want.Busiest || e.Farthest != want.Farthest {
			t.Errorf("by %d: %+v, want %+v", step, e, want)
		}
	}
	if e := top.Exchange(nil, nil); e.Busiest != 0 || e.Lanes != nil {
		t.Errorf("nothing sent: %+v", e)
	}
}

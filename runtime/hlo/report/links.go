package report

import (
	"strings"

	"vitc/runtime/hlo"
)

// hop is the latency of one link, in seconds.
const hop = 1e-6

// lane is what transfers queue for: a dimension of the torus, or of a permute one direction.
type lane struct{ dim, direction int }

// Transfer is what one collective moves.
type Transfer struct {
	Kind    string  `json:"kind"`      // all-gather, reduce-scatter, ...
	Axis    string  `json:"axis"`      // of the mesh, or dimensions of the torus
	Async   bool    `json:"async"`     // compute goes on meanwhile
	Bytes   float64 `json:"bytes"`     // into each device
	Seconds float64 `json:"seconds"`   // on the links
	Exposed float64 `json:"exposed_s"` // that compute waits
	Hidden  float64 `json:"hidden_s"`
	lanes   []lane
}

// collectives are the opcodes that move data between devices.
var collectives = map[string]bool{"all-gather": true, "all-reduce": true, "reduce-scatter": true, "collective-permute": true, "all-to-all": true}

// transfer times a collective. scatter says that of an all-reduce each device keeps only its
// share, so that it costs what a reduce-scatter does.
func (m *machine) transfer(in *hlo.Instruction, kind string, scatter bool) Transfer {
	operands, result := 0.0, in.Shape.Bytes()
	for _, o := range in.Operands {
		operands += o.Shape.Bytes()
	}
	if kind == "collective-permute" {
		return m.permute(in.Pairs, operands)
	}
	group := in.Groups.First(len(m.coords))
	n := float64(len(group))
	t := Transfer{Kind: kind, Axis: m.axis(group)}
	whole, rounds := operands, 1.0 // of what each device ends with or begins with, a ring moves all but its own part
	switch {
	case kind == "all-gather" && strings.HasSuffix(in.Opcode, "-start"):
		whole = max(result-operands, operands) // the result holds the operands too
	case kind == "all-gather":
		whole = result
	case kind == "all-reduce" && scatter:
		t.Kind = "reduce-scatter"
	case kind == "all-reduce":
		rounds = 2
	case kind == "all-to-all": // on a ring of two directions a quarter of n times the bytes cross a link
		rounds = n * n / 4 / max(1, n-1)
	}
	if n < 2 {
		return t
	}
	rate, hops := m.ring(&t, group, in.Config)
	t.Bytes = rounds * whole * (n - 1) / n
	t.Seconds = t.Bytes/rate + rounds*hop*float64(hops)
	return t
}

// ring is the rate into a device of a collective over a group, in bytes/s, and the links that
// data crosses one after the other. Dimensions work at once, each as a ring or line of its own,
// unless the compiler chose one ring through all.
func (m *machine) ring(t *Transfer, group []int, c hlo.Config) (rate float64, hops int) {
	fastest := 0.0
	for d, size := range m.Topology.Shape {
		places, stride := m.places(group, d)
		if places < 2 {
			continue
		}
		whole := places == size
		r := m.Topology.Chip.Link
		if m.Topology.Wraps(d) && (whole || stride > 1) {
			r *= 2
		}
		r /= float64(stride)
		t.lanes = append(t.lanes, lane{dim: d})
		rate, fastest = rate+r, max(fastest, r)
		if whole && m.Topology.Wraps(d) {
			hops += places / 2
		} else {
			hops += places - 1
		}
	}
	if strings.HasPrefix(c.Emitter, "1D") || strings.Contains(c.Strategy, "StrategyRing{colors:1") {
		rate, hops = fastest, len(group)/2
	}
	if rate == 0 { // cores of one chip: through its memory, which the compiler's cycles hold
		return 1e15, 0
	}
	return rate, hops
}

// places counts the places of a group along a dimension, and says how far the first two are
// apart.
func (m *machine) places(group []int, d int) (n, stride int) {
	at := make([]bool, m.Topology.Shape[d])
	for _, i := range group {
		at[m.coords[i][d]] = true
	}
	first, second := -1, -1
	for i, there := range at {
		switch {
		case !there:
			continue
		case first < 0:
			first = i
		case second < 0:
			second = i
		}
		n++
	}
	return n, max(1, second-first)
}

// permute times an exchange of some bytes between pairs: each message takes the shortest way,
// dimension by dimension, and the busiest link decides.
func (m *machine) permute(pairs [][2]int, bytes float64) Transfer {
	t := Transfer{Kind: "collective-permute", Bytes: bytes}
	shape := m.Topology.Shape
	directions := 2
	load := make([]int, m.Topology.Devices()*len(shape)*directions)
	used := map[lane]bool{}
	busiest, farthest := 0, 0
	for _, p := range pairs {
		hops := 0
		at := append([]int(nil), m.coords[p[0]]...)
		for d, n := range shape {
			steps := m.steps(p, d)
			way := 1
			if steps < 0 {
				way = -1
			}
			for range max(steps, -steps) {
				link := (m.Topology.ID(at, 0)/m.Topology.Chip.Cores*len(shape)+d)*directions + (way+1)/2
				load[link]++
				busiest = max(busiest, load[link])
				used[lane{d, way}] = true
				at[d] = (at[d] + way + n) % n
				hops++
			}
		}
		farthest = max(farthest, hops)
	}
	for d := range shape {
		for _, way := range []int{-1, 1} {
			if used[lane{d, way}] {
				t.lanes = append(t.lanes, lane{d, way})
			}
		}
	}
	if len(pairs) > 0 {
		t.Axis = m.axis([]int{pairs[0][0], pairs[0][1]})
	}
	t.Seconds = float64(busiest)*bytes/m.Topology.Chip.Link + float64(farthest)*hop
	return t
}

// steps is the way of a pair along a dimension, negative downwards. Where both ways around a
// ring are equally long, even sources go down and odd ones up.
func (m *machine) steps(pair [2]int, d int) int {
	n := m.Topology.Shape[d]
	steps := m.coords[pair[1]][d] - m.coords[pair[0]][d]
	if !m.Topology.Wraps(d) {
		return steps
	}
	steps = (steps+n/2+n)%n - n/2
	if n%2 == 0 && steps == -n/2 && pair[0]%2 == 1 {
		steps = n / 2
	}
	return steps
}

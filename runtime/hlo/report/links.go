package report

import (
	"strings"

	"vitc/ir/topology"
	"vitc/runtime/hlo"
)

// Transfer is what one collective moves.
type Transfer struct {
	Kind    string  `json:"kind"`      // all-gather, reduce-scatter, ...
	Axis    string  `json:"axis"`      // of the mesh, or dimensions of the torus
	Async   bool    `json:"async"`     // compute goes on meanwhile
	Bytes   float64 `json:"bytes"`     // into each device
	Seconds float64 `json:"seconds"`   // on the links
	Exposed float64 `json:"exposed_s"` // that compute waits
	Hidden  float64 `json:"hidden_s"`
	lanes   []topology.Lane
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
	t.Seconds = t.Bytes/rate + rounds*topology.Hop*float64(hops)
	return t
}

// ring is the rate into a device of a collective over a group, in bytes/s, and the links that
// data crosses one after the other. Dimensions work at once, each as a ring or line of its own,
// unless the compiler chose one ring through all.
func (m *machine) ring(t *Transfer, group []int, c hlo.Config) (rate float64, hops int) {
	ids := make([]int, len(group))
	for i, p := range group {
		ids[i] = m.devices[p]
	}
	l := m.Topology.Across(ids)
	t.lanes, rate, hops = l.Lanes, l.Rate, l.Hops
	if strings.HasPrefix(c.Emitter, "1D") || strings.Contains(c.Strategy, "StrategyRing{colors:1") {
		rate, hops = l.Fastest, len(group)/2
	}
	if rate == 0 { // cores of one chip: through its memory, which the compiler's cycles hold
		return 1e15, 0
	}
	return rate, hops
}

// permute times an exchange of some bytes between pairs: the busiest link decides.
func (m *machine) permute(pairs [][2]int, bytes float64) Transfer {
	e := m.Topology.Exchange(m.devices, pairs)
	t := Transfer{Kind: "collective-permute", Bytes: bytes, lanes: e.Lanes}
	if len(pairs) > 0 {
		t.Axis = m.axis([]int{pairs[0][0], pairs[0][1]})
	}
	t.Seconds = float64(e.Busiest)*bytes/m.Topology.Chip.Link + float64(e.Farthest)*topology.Hop
	return t
}

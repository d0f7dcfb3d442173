package cost

import (
	"vitc/ir"
	"vitc/ir/topology"
)

// Of what a group of n ends or begins with, a ring moves all but a device's own part: B·(n-1)/n
// bytes into each device, B being the whole of an all_gather's result or of a reduce_scatter's
// operand. An all_reduce is both. An all_to_all of B bytes a device sends a quarter of n·B across
// the busiest link of a ring of two directions. R. Thakur, R. Rabenseifner, W. Gropp, "Optimization
// of Collective Communication Operations in MPICH" (2005), has these terms for bandwidth; each link
// on the way adds its latency once.

// Collective is the time of a collective on its links, whole or as its start; 0 for ops that move
// nothing between devices and for the waiting end of one that was started.
func (m *Model) Collective(op *ir.Op) float64 {
	row := op.Row.Whole().Name
	if a, ok := op.Attrs.(*ir.PermuteAttrs); ok && row == "permute" {
		return m.Permute(m.bytes(op.In[0].Type), a.Over, a.Step)
	}
	if op.Row.Class != ir.Collective || len(op.In) == 0 || op.Row.Awaits() {
		return 0
	}
	return m.Move(m.rowOf(op, row), m.bytes(op.In[0].Type), ir.Over(op.Attrs))
}

// Move is the time of a collective by its row's name, of an operand of some bytes along axes; 0
// for names that move nothing.
func (m *Model) Move(row string, bytes float64, axes []string) float64 {
	moved, rounds := m.Traffic(row, bytes, axes)
	if moved == 0 {
		return 0
	}
	return m.Wire(row, moved, axes) + m.latency(rounds, axes)
}

// Wire is the time that what Traffic says takes on the links, without the latency of Latency. Of what
// libtpu does on a TPU, two things are not as fast as the links: along two dimensions of the torus of
// different sizes, sums go around one ring of all, with its hops; and a sum along three is not
// scattered, but made for all.
func (m *Model) Wire(row string, moved float64, axes []string) float64 {
	if moved == 0 {
		return 0
	}
	l := m.Links(axes)
	if sums := row == "reduce_scatter" || row == "all_reduce"; sums && m.assigned != nil && m.chip.Platform == "tpu" {
		switch {
		case len(l.Lanes) > 2 && row == "reduce_scatter":
			moved *= 2
		case len(l.Lanes) == 2 && !l.Even:
			return moved/l.Fastest + topology.Hop*float64(m.mesh.Size(axes...)/2)
		}
	}
	return moved / m.Rate(axes)
}

// Latency is what a collective takes however little it carries.
func (m *Model) Latency(row string, axes []string) float64 {
	_, rounds := m.Traffic(row, 0, axes)
	return m.latency(rounds, axes)
}

func (m *Model) latency(rounds float64, axes []string) float64 {
	return rounds * topology.Hop * float64(m.Links(axes).Hops)
}

// Traffic is what a collective brings to a device, in bytes on its busiest links, and how often
// data goes all the way.
func (m *Model) Traffic(row string, bytes float64, axes []string) (moved, rounds float64) {
	n := float64(m.mesh.Size(axes...))
	if n < 2 {
		return 0, 0
	}
	switch row {
	case "all_gather":
		return bytes * (n - 1), 1
	case "reduce_scatter":
		return bytes * (n - 1) / n, 1
	case "all_reduce":
		return 2 * bytes * (n - 1) / n, 2
	case "all_to_all":
		return bytes * n / 4, n * n / 4 / (n - 1)
	case "permute":
		return bytes, 1
	}
	return 0, 0
}

// Permute is the time in which every device sends bytes to the one some places on along axes; with
// several steps, as much to each of those, all at once.
func (m *Model) Permute(bytes float64, axes []string, steps ...int) float64 {
	e := m.ring(axes, steps)
	if e.Farthest == 0 {
		return bytes * float64(len(steps)) / (m.chip.HBMRate / 2)
	}
	return float64(e.Busiest)*bytes/m.chip.Link + float64(e.Farthest)*topology.Hop
}

// Sends is the time in which every device sends each other one along an axis its block of a value
// of some bytes. Those in the two directions of a ring are under way at once.
func (m *Model) Sends(bytes float64, axis string) float64 {
	const directions = 2
	n, seconds := m.mesh.Size(axis), 0.0
	for step := 1; step < n; step++ {
		seconds += m.Permute(bytes/float64(n), []string{axis}, step) / directions
	}
	return seconds
}

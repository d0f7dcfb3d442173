// Package cost is the one model of what a program takes of a machine's time: passes decide by it,
// and what the user is told of time before a target's compiler has spoken comes from it. It counts
// what one device does: the sizes of values are what a device holds. Its figures compare programs;
// they promise nothing.
package cost

import (
	"fmt"
	"strings"

	"vitc/ir"
	"vitc/ir/topology"
)

// Seconds is what an op, or a region, takes of one device.
type Seconds struct {
	Compute float64 `json:"compute_s"` // of the arithmetic units
	Memory  float64 `json:"memory_s"`  // of the memory
	Link    float64 `json:"link_s"`    // of the links
	// Core is the time of the device where no transfer is waited for: of each kernel the larger of
	// Compute and Memory, and what it takes to start one.
	Core float64 `json:"core_s"`
}

// Total is the time where no transfer runs beside the core.
func (s Seconds) Total() float64 { return s.Core + s.Link }

func (s Seconds) plus(t Seconds, times float64) Seconds {
	return Seconds{s.Compute + times*t.Compute, s.Memory + times*t.Memory, s.Link + times*t.Link, s.Core + times*t.Core}
}

// Model prices work on one device of a mesh over a topology. It remembers groups that it was asked
// for, and is not for several goroutines at once.
type Model struct {
	mesh     ir.Mesh
	assigned *topology.Assignment // nil: each axis of the mesh is a ring of its own
	chip     *topology.Chip
	real     ir.DType
	links    map[string]topology.Links
	rings    map[string]topology.Exchange
}

// On is the model of a plan's devices, with its mesh laid over their torus. The error is a
// *diag.Diagnostic without a position: devices that there are not, or a mesh that does not fit.
func On(p *ir.Plan) (*Model, error) {
	t, err := topology.Of(p.Devices)
	if err != nil {
		return nil, err
	}
	return Of(t, p.Mesh)
}

// Of is the model of a mesh over a topology.
func Of(t *topology.Topology, mesh ir.Mesh) (*Model, error) {
	a, err := topology.Assign(t, mesh)
	if err != nil {
		return nil, err
	}
	m := blank(mesh, t.Chip)
	m.assigned = a
	return m, nil
}

// Usual is the model where no machine is named: TPU v4 chips, each axis a ring of its own.
func Usual(mesh ir.Mesh) *Model { return blank(mesh, topology.ChipNamed("v4")) }

func blank(mesh ir.Mesh, chip *topology.Chip) *Model {
	return &Model{mesh: mesh, chip: chip, real: ir.BF16, links: map[string]topology.Links{}, rings: map[string]topology.Exchange{}}
}

// Precision says what values of dtype real take; bf16 where it is not called.
func (m *Model) Precision(d ir.DType) { m.real = d }

// Chip is the model's kind of device.
func (m *Model) Chip() *topology.Chip { return m.chip }

// Mesh is the model's mesh.
func (m *Model) Mesh() ir.Mesh { return m.mesh }

// bytes is the size of a value.
func (m *Model) bytes(t ir.Type) float64 {
	if t.DType == ir.Real {
		t.DType = m.real
	}
	n := float64(t.DType.Bytes())
	for _, d := range t.Dims {
		n *= float64(d.Size)
	}
	return n
}

// Reached is the part of the memory's rate that kernels get: what the step-time estimate that
// programs are compared by caps elementwise traffic at.
const Reached = 0.79

// Pass is the time of moving bytes to or from the memory.
func (m *Model) Pass(bytes float64) float64 { return bytes / (Reached * m.chip.HBMRate) }

// over is a group of axes as a key.
func over(axes []string) string { return strings.Join(axes, ",") }

// Links is what joins the devices along axes.
func (m *Model) Links(axes []string) topology.Links {
	l, ok := m.links[over(axes)]
	if !ok {
		l = m.across(axes)
		m.links[over(axes)] = l
	}
	return l
}

func (m *Model) across(axes []string) topology.Links {
	var l topology.Links
	if m.assigned == nil {
		for _, a := range axes {
			if n := m.mesh.Size(a); n > 1 {
				l.Rate, l.Fastest, l.Hops = l.Rate+2*m.chip.Link, 2*m.chip.Link, l.Hops+n/2
				l.Lanes = append(l.Lanes, topology.Lane{Dim: m.mesh.Axis(a)})
			}
		}
		return l
	}
	group := m.mesh.Group(0, axes)
	for i, place := range group {
		group[i] = m.assigned.Devices[place]
	}
	return m.assigned.Topology.Across(group)
}

// Rate is how many bytes a second reach a device in a collective along axes, all their links
// working at once. Cores of one chip exchange through its memory: a write and a read.
func (m *Model) Rate(axes []string) float64 {
	if r := m.Links(axes).Rate; r > 0 {
		return r
	}
	return m.chip.HBMRate / 2
}

// ring is what permutes by some places, all at once, ask of the links.
func (m *Model) ring(axes []string, steps []int) topology.Exchange {
	key := fmt.Sprint(over(axes), steps)
	e, ok := m.rings[key]
	if !ok {
		e = m.exchange(axes, steps)
		m.rings[key] = e
	}
	return e
}

func (m *Model) exchange(axes []string, steps []int) topology.Exchange {
	n := m.mesh.Size(axes...)
	var pairs [][2]int
	var e topology.Exchange // of a ring on its own
	ways := map[bool]int{}
	for _, step := range steps {
		step = (step%n + n) % n
		way, back := min(step, n-step), n-step < step
		ways[back] += way
		e.Busiest, e.Farthest = max(e.Busiest, ways[back]), max(e.Farthest, way)
		for from := range m.mesh.Devices() {
			to := m.mesh.Group(from, axes)[(m.mesh.Place(from, axes)+step)%n]
			pairs = append(pairs, [2]int{from, to})
		}
	}
	if m.assigned == nil {
		return e
	}
	return m.assigned.Topology.Exchange(m.assigned.Devices, pairs)
}

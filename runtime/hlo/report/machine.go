// Package report says of a program that a TPU compiler has scheduled how long a step of it
// takes, where the time goes and what fills the memory. No hardware stands behind its figures:
// they compare programs under one compiler.
package report

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/topology"
	"vitc/runtime/hlo"
)

// Machine is what a program was compiled for.
type Machine struct {
	Topology *topology.Topology
	Mesh     ir.Mesh // nil: collectives are named by the torus' dimensions
	Devices  []int   // by partition: the device's id; nil: as the program says, or in order
}

// machine is a Machine with the partitions' places.
type machine struct {
	Machine
	devices []int   // by partition: the device's id
	coords  [][]int // by partition
}

// place finds where the partitions of a program are, and makes sure that all that it names are
// there.
func (m Machine) place(p *hlo.Module) (*machine, error) {
	x := &machine{Machine: m}
	devices := m.Devices
	if devices == nil {
		devices = p.Devices
	}
	n := m.Topology.Devices()
	if devices == nil {
		for i := range n {
			devices = append(devices, i)
		}
	}
	for i, id := range devices {
		if id < 0 || id >= n {
			return nil, fmt.Errorf("partition %d is on device %d; %s has %d", i, id, m.Topology.Target(), n)
		}
		at, _ := m.Topology.Coords(id)
		x.devices, x.coords = append(x.devices, id), append(x.coords, at)
	}
	if m.Mesh != nil && m.Mesh.Devices() != len(devices) {
		return nil, fmt.Errorf("a mesh of %d devices for a program of %d partitions", m.Mesh.Devices(), len(devices))
	}
	return x, x.check(p)
}

// check makes sure that collectives join partitions that there are.
func (m *machine) check(p *hlo.Module) error {
	outside := func(i int) bool { return i >= len(m.coords) }
	for _, c := range p.Computations {
		for _, in := range c.Instructions {
			pair := func(p [2]int) bool { return outside(p[0]) || outside(p[1]) }
			if in.Groups != nil && slices.ContainsFunc(in.Groups.First(len(m.coords)), outside) || slices.ContainsFunc(in.Pairs, pair) {
				return fmt.Errorf("%s joins partitions that %s with %d devices has not", in.Name, m.Topology.Target(), len(m.coords))
			}
		}
	}
	return nil
}

// axis names what a set of partitions differs in: axes of the mesh, or the torus' dimensions.
func (m *machine) axis(group []int) string {
	var names []string
	if m.Mesh == nil {
		for d := range m.Topology.Shape {
			if slices.ContainsFunc(group, func(i int) bool { return m.coords[i][d] != m.coords[group[0]][d] }) {
				names = append(names, string(rune('x'+d)))
			}
		}
		return strings.Join(names, ",")
	}
	stride := len(m.coords)
	for _, a := range m.Mesh {
		stride /= a.Size
		place := func(i int) int { return i / stride % a.Size }
		if slices.ContainsFunc(group, func(i int) bool { return place(i) != place(group[0]) }) {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ",")
}

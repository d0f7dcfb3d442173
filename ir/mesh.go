package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Mesh is an array of devices with named axes, the first one outermost: device number
// i0·n1·n2 + i1·n2 + i2 stands at (i0, i1, i2).
type Mesh []MeshAxis

// MeshAxis is one axis of a mesh.
type MeshAxis struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// Devices is the number of devices of the mesh, 1 for an empty one.
func (m Mesh) Devices() int {
	n := 1
	for _, a := range m {
		n *= a.Size
	}
	return n
}

// Axis is the place of an axis in the mesh, -1 if it has none of the name.
func (m Mesh) Axis(name string) int {
	return slices.IndexFunc(m, func(a MeshAxis) bool { return a.Name == name })
}

// Size is the number of devices along the axes named, major first.
func (m Mesh) Size(names ...string) int {
	n := 1
	for _, name := range names {
		if i := m.Axis(name); i >= 0 {
			n *= m[i].Size
		}
	}
	return n
}

// String is the mesh as a plan writes it: (data: 64, model: 16).
func (m Mesh) String() string {
	var parts []string
	for _, a := range m {
		parts = append(parts, fmt.Sprintf("%s: %d", a.Name, a.Size))
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Place is a device's place along mesh axes: its index in the group of the devices that differ
// from it there alone, the first axis outermost.
func (m Mesh) Place(device int, axes []string) int {
	at := 0
	for _, name := range axes {
		i := m.Axis(name)
		at = at*m[i].Size + device/m[i+1:].Devices()%m[i].Size
	}
	return at
}

// Group lists the devices that differ from one along axes alone, by their place.
func (m Mesh) Group(device int, axes []string) []int {
	base := device
	for _, name := range axes {
		i := m.Axis(name)
		stride := m[i+1:].Devices()
		base -= device / stride % m[i].Size * stride
	}
	group := make([]int, m.Size(axes...))
	for k := range group {
		group[k] = base
		for rest, j := k, len(axes)-1; j >= 0; j-- {
			i := m.Axis(axes[j])
			group[k] += rest % m[i].Size * m[i+1:].Devices()
			rest /= m[i].Size
		}
	}
	return group
}

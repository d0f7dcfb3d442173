package topology

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// Assignment lays a mesh over a topology.
type Assignment struct {
	Topology *Topology
	Mesh     ir.Mesh
	Devices  []int  // by position in the mesh, first axis outermost: the device's id
	Axes     []Axis // what each axis of the mesh runs along, in the mesh's order
}

// Axis is one axis of a mesh on the machine: positions along it run over its parts, the first
// one outermost.
type Axis struct {
	Name  string
	Size  int
	Parts []Part
	// Bandwidth is how many bytes a second reach a device in a collective over the axis that
	// uses all links of all parts at once: twice a link's for a ring, a link's for a line.
	Bandwidth float64
	// Ring says that a device's neighbours along the axis, the last one's being the first, are
	// one link away: what a ring of permutes wants.
	Ring bool
	// Hops is the largest number of links between two devices of the axis.
	Hops int
}

// Part is a stretch of a torus dimension that an axis runs along. Where axes share a
// dimension the links are shared too: an axis that steps over Stride chips has of each
// link's rate only that part.
type Part struct {
	Dim       int // of the torus, or Cores
	Size      int
	Stride    int     // chips from one device of the axis to the next
	Ring      bool    // the links close
	Bandwidth float64 // bytes/s into a device
}

// Cores stands for the cores of one chip where a torus dimension is asked for.
const Cores = -1

// split is what a dimension shared by axes costs beside its links' rates: collectives over a
// part of a dimension contend, and compilers plan them worse. It keeps whole dimensions
// together where sharing would gain little.
const split = 1.25

// Assign finds the mapping of a mesh to a topology whose collectives are the fastest if every
// axis carries the same bytes: whole dimensions where the sizes allow it, split ones
// otherwise or where they gain much. Of equally good ones the first in a fixed order wins. The error is a
// *diag.Diagnostic without a position.
func Assign(t *Topology, mesh ir.Mesh) (*Assignment, error) {
	if mesh.Devices() != t.Devices() || slices.ContainsFunc(mesh, func(a ir.MeshAxis) bool { return a.Size < 1 }) {
		return nil, &diag.Diagnostic{Code: CodeMesh, Msg: fmt.Sprintf("a mesh of %s on `%s`, which has %s", count(mesh.Devices(), "device"), t.Target(), count(t.Devices(), "device")),
			Expected: fmt.Sprintf("sizes whose product is %d", t.Devices())}
	}
	if len(mesh) == 0 {
		return &Assignment{Topology: t, Devices: []int{0}}, nil
	}
	s := &search{t: t, left: make([]int, len(mesh))} // finds one: the products agree, so do their prime factors
	for i, a := range mesh {
		s.left[i] = a.Size
	}
	for d := len(t.Shape) - 1; d >= 0; d-- {
		s.dims = append(s.dims, d)
	}
	if t.Chip.Cores > 1 {
		s.dims = append(s.dims, Cores)
	}
	s.shares, s.back = make([][]int, len(s.dims)), make([]bool, len(s.dims))
	s.dim(0)
	a := &Assignment{Topology: t, Mesh: mesh, Axes: s.best}
	for i, m := range mesh {
		a.Axes[i].Name = m.Name
	}
	a.place()
	return a, nil
}

// search tries every way to share out the dimensions among the axes: shares[k][i] is the part
// of dimension dims[k] that axis i takes. Of those that share it earlier axes have the longer
// strides, or where back[k] is set the shorter ones.
type search struct {
	t      *Topology
	dims   []int // outermost first
	left   []int // of each axis: the size that is not yet placed
	shares [][]int
	back   []bool
	best   []Axis
	cost   float64
}

func (s *search) dim(k int) {
	if k == len(s.dims) {
		s.keep()
		return
	}
	s.shares[k] = s.shares[k][:0]
	s.share(k, s.size(s.dims[k]))
}

func (s *search) size(dim int) int {
	if dim == Cores {
		return s.t.Chip.Cores
	}
	return s.t.Shape[dim]
}

// share gives the next axis each factor of rest that it can take.
func (s *search) share(k, rest int) {
	i := len(s.shares[k])
	if i == len(s.left) {
		if rest == 1 {
			s.orders(k)
		}
		return
	}
	for f := rest; f >= 1; f-- {
		if rest%f != 0 || s.left[i]%f != 0 {
			continue
		}
		s.left[i] /= f
		s.shares[k] = append(s.shares[k][:i], f)
		s.share(k, rest/f)
		s.shares[k] = s.shares[k][:i]
		s.left[i] *= f
	}
}

// orders goes on with dimension k shared, in both orders if it is split.
func (s *search) orders(k int) {
	s.dim(k + 1)
	if slices.Max(s.shares[k]) == s.size(s.dims[k]) {
		return
	}
	s.back[k] = true
	s.dim(k + 1)
	s.back[k] = false
}

// keep compares a complete sharing with the best so far. Its cost is the seconds of a
// gather of one byte along every axis, and `split` for each shared dimension.
func (s *search) keep() {
	if slices.ContainsFunc(s.left, func(n int) bool { return n != 1 }) {
		return
	}
	axes := make([]Axis, len(s.left))
	cost := 0.0
	for i := range axes {
		axes[i] = s.axis(i)
		if a := axes[i]; a.Size > 1 {
			cost += float64(a.Size-1) / float64(a.Size) / a.Bandwidth
		}
	}
	for k, dim := range s.dims {
		if slices.Max(s.shares[k]) < s.size(dim) {
			cost *= split
		}
	}
	const tie = 1e-9 // relative: below any difference of rates
	if s.best == nil || cost < s.cost*(1-tie) {
		s.best, s.cost = axes, cost
	}
}

// axis describes axis i under the present sharing.
func (s *search) axis(i int) Axis {
	a := Axis{Size: 1}
	for k, dim := range s.dims {
		n := s.shares[k][i]
		if n == 1 {
			continue
		}
		p := Part{Dim: dim, Size: n, Stride: 1}
		inside := s.shares[k][i+1:]
		if s.back[k] {
			inside = s.shares[k][:i]
		}
		for _, inner := range inside {
			p.Stride *= inner
		}
		s.t.rate(&p)
		a.Size *= n
		a.Parts = append(a.Parts, p)
		a.Bandwidth += p.Bandwidth
		if dim != Cores {
			a.Hops += p.hops(s.t.Shape[dim])
		}
	}
	return a
}

// rate sets what a part's links give it. A part that steps over others' chips goes around the
// ring where there is one; one of neighbours that is not the whole dimension is a line. Cores
// of one chip exchange through its memory: a write and a read.
func (t *Topology) rate(p *Part) {
	if p.Dim == Cores {
		p.Ring, p.Bandwidth = true, t.Chip.HBMRate/2
		return
	}
	whole := p.Size*p.Stride == t.Shape[p.Dim] && (p.Stride > 1 || p.Size == t.Shape[p.Dim])
	p.Ring = whole && t.Wraps(p.Dim)
	p.Bandwidth = t.Chip.Link / float64(p.Stride)
	if p.Ring {
		p.Bandwidth *= 2
	}
}

func (p Part) hops(whole int) int {
	if p.Ring {
		return whole / 2
	}
	return (p.Size - 1) * p.Stride
}

// place fills in the devices, and which axes are rings.
func (a *Assignment) place() {
	at := make([]int, len(a.Mesh))
	a.Devices = make([]int, a.Mesh.Devices())
	for n := range a.Devices {
		rest := n
		for i := len(a.Mesh) - 1; i >= 0; i-- {
			at[i], rest = rest%a.Mesh[i].Size, rest/a.Mesh[i].Size
		}
		a.Devices[n] = a.device(at)
	}
	for i := range a.Axes {
		a.Axes[i].Ring = a.ring(i)
	}
}

// device is the id of the device at a place of the mesh.
func (a *Assignment) device(at []int) int {
	coords, core := make([]int, len(a.Topology.Shape)), 0
	for i, x := range a.Axes {
		rest := at[i]
		for k := len(x.Parts) - 1; k >= 0; k-- {
			p := x.Parts[k]
			if p.Dim == Cores {
				core += rest % p.Size * p.Stride
			} else {
				coords[p.Dim] += rest % p.Size * p.Stride
			}
			rest /= p.Size
		}
	}
	return a.Topology.ID(coords, core)
}

// ring says whether each device of the axis is one link from the next one along it.
func (a *Assignment) ring(i int) bool {
	at := make([]int, len(a.Mesh))
	size := a.Mesh[i].Size
	for k := range size {
		at[i] = k
		from := a.device(at)
		at[i] = (k + 1) % size
		if a.Topology.Distance(from, a.device(at)) > 1 {
			return false
		}
	}
	return true
}

// Distance is the number of links between two devices; none between the cores of a chip.
func (t *Topology) Distance(a, b int) int {
	from, _ := t.Coords(a)
	to, _ := t.Coords(b)
	sum := 0
	for d, n := range t.Shape {
		steps := max(from[d]-to[d], to[d]-from[d])
		if t.Wraps(d) {
			steps = min(steps, n-steps)
		}
		sum += steps
	}
	return sum
}

package driver

import (
	"cmp"
	"slices"

	"vitc/ir"
	"vitc/ir/topology"
)

// Candidates of a search for a plan are meshes times canonical layouts. Each is then tried with the
// batch as one or in slices, and with policies of recomputation.

// layout is a candidate: what its lines make of a mesh.
type layout struct {
	name  string
	mesh  ir.Mesh
	shard []ir.ShardLine
	batch []string // the mesh axes that examples lie along
}

// The mesh axes of proposed plans.
const modelAxis = "model"

// tiling is a mesh to try. Ring: its second axis takes whole dimensions of the torus; near: it stays
// within one, or is a few devices side by side.
type tiling struct {
	mesh       ir.Mesh
	ring, near bool
}

// tilings lists the meshes to try over a topology: one axis, or two of which the second is called
// model.
func tilings(t *topology.Topology) []tiling {
	n := t.Devices()
	whole := t.Shape
	if t.Chip.Cores > 1 {
		whole = append(slices.Clone(whole), t.Chip.Cores)
	}
	rings := map[int]bool{}
	for set := 1; set < 1<<len(whole); set++ {
		product := 1
		for i, size := range whole {
			if set&(1<<i) != 0 {
				product *= size
			}
		}
		rings[product] = true
	}
	list := []tiling{{ir.Mesh{{Name: dataAxis, Size: n}}, true, false}}
	for m := 2; m < n; m++ {
		near := slices.Contains(whole, m) || m == 2 || m == 4 || m == 8
		if n%m == 0 && (near || rings[m]) {
			list = append(list, tiling{ir.Mesh{{Name: dataAxis, Size: n / m}, {Name: modelAxis, Size: m}}, rings[m], near})
		}
	}
	return list
}

// shapes is what layouts are made from: a program's parameters by their axes.
type shapes struct {
	leaves []ir.Leaf       // parameters
	loops  map[string]bool // labels that loops run along
	width  string          // the axis that most bytes of parameters have: the residual stream's
	total  int             // bytes
}

// shapesOf reads a program's parameters.
func shapesOf(p *ir.Program, step *ir.Func) *shapes {
	s := &shapes{loops: map[string]bool{}}
	for _, op := range step.Body.Ops {
		a, ok := op.Attrs.(*ir.ScanAttrs)
		if !ok {
			continue
		}
		for _, v := range op.In[a.Carry : a.Carry+a.Each] {
			s.loops[v.Type.Dims[0].Label] = true
		}
	}
	bytes := map[string]int{}
	for _, l := range p.State {
		if l.Kind != ir.LeafParam {
			continue
		}
		s.leaves = append(s.leaves, l)
		s.total += l.Type.Bytes()
		for _, d := range s.dims(l.Type) {
			if bytes[d.Label] += l.Type.Bytes(); bytes[d.Label] > bytes[s.width] {
				s.width = d.Label
			}
		}
	}
	return s
}

// dims are those of a parameter that may be cut.
func (s *shapes) dims(t ir.Type) []ir.Dim {
	return slices.DeleteFunc(slices.Clone(t.Dims), func(d ir.Dim) bool { return s.loops[d.Label] })
}

// least is the part of all parameters' bytes from which on an axis deserves a line: a hundredth.
const least = 100

// whole is the part of all parameters' bytes from which on a parameter without the width is not kept
// whole by every device: a thousandth.
const whole = 1000

// features lists the axes that meet the width in large weights, and that n divides: the first one of
// each weight.
func (s *shapes) features(n int) []string {
	bytes := map[string]int{}
	var order []string
	for _, l := range s.leaves {
		dims := s.dims(l.Type)
		if !slices.ContainsFunc(dims, func(d ir.Dim) bool { return d.Label == s.width }) {
			continue
		}
		i := slices.IndexFunc(dims, func(d ir.Dim) bool { return d.Label != s.width && d.Size%n == 0 })
		if i < 0 {
			continue
		}
		if bytes[dims[i].Label] == 0 {
			order = append(order, dims[i].Label)
		}
		bytes[dims[i].Label] += l.Type.Bytes()
	}
	order = slices.DeleteFunc(order, func(label string) bool { return bytes[label] < s.total/least })
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(bytes[b], bytes[a]) })
	return order
}

// widths lists lines that cut parameters over axes of n devices: the width, and where a large
// parameter has none, its first dim that n divides.
func (s *shapes) widths(n int, over []string) []ir.ShardLine {
	var lines []ir.ShardLine
	add := func(label string) {
		if !slices.ContainsFunc(lines, func(l ir.ShardLine) bool { return l.Axis == label }) {
			lines = append(lines, ir.ShardLine{Axis: label, Params: true, Over: over})
		}
	}
	for _, l := range s.leaves {
		dims := s.dims(l.Type)
		has := slices.ContainsFunc(dims, func(d ir.Dim) bool { return d.Label == s.width && d.Size%n == 0 })
		i := slices.IndexFunc(dims, func(d ir.Dim) bool { return d.Size%n == 0 })
		switch {
		case has:
			add(s.width)
		case i >= 0 && l.Type.Bytes() >= s.total/whole:
			add(dims[i].Label)
		}
	}
	return lines
}

// layouts lists the canonical layouts of a program over a mesh. Parameters are spread over whole
// dimensions of the torus only: parts of a ring carry their collectives at half its rate or less.
func (s *shapes) layouts(t tiling) []layout {
	data, n := []string{dataAxis}, t.mesh[0].Size
	lines := func(over []string, more ...[]ir.ShardLine) []ir.ShardLine {
		return append([]ir.ShardLine{{Axis: batchAxis, Over: over}}, slices.Concat(more...)...)
	}
	if len(t.mesh) == 1 {
		return []layout{
			{"data parallel", t.mesh, lines(data), data},
			{"fully sharded", t.mesh, lines(data, s.widths(n, data)), data},
		}
	}
	all, model := []string{dataAxis, modelAxis}, []string{modelAxis}
	var stored, worked []ir.ShardLine
	for _, f := range s.features(t.mesh[1].Size) {
		stored = append(stored, ir.ShardLine{Axis: f, Params: true, Over: model})
		worked = append(worked, ir.ShardLine{Axis: f, Over: model})
	}
	var list []layout
	if t.ring {
		list = append(list, layout{"fully sharded", t.mesh, lines(all, stored, s.widths(n, data)), all})
	}
	if !t.near || len(worked) == 0 {
		return list
	}
	wide := []ir.ShardLine{{Axis: s.width, Over: model}}
	return append(list,
		layout{"tensor parallel", t.mesh, lines(data, worked), data},
		layout{"tensor parallel, sharded", t.mesh, lines(data, worked, s.widths(n, data)), data},
		layout{"tensor parallel 2-D, sharded", t.mesh, lines(data, worked, wide, s.widths(n, data)), data},
	)
}

// candidates lists the layouts to try over a topology.
func (s *shapes) candidates(t *topology.Topology) []layout {
	list := s.torus(t)
	for _, tile := range tilings(t) {
		list = append(list, s.layouts(tile)...)
	}
	return list
}

// micros are the numbers of slices of the batch to try.
var micros = []int{1, 2, 4}

// policies lists the policies of recomputation to try, the fastest first: without loops there is
// nothing to compute again.
func (s *shapes) policies() []ir.RematPolicy {
	if len(s.loops) == 0 {
		return []ir.RematPolicy{ir.RematNone}
	}
	return []ir.RematPolicy{ir.RematNone, ir.RematFit, ir.RematAll}
}

// plan makes a layout a plan.
func (l layout) plan(t *topology.Topology, micro int, remat ir.RematPolicy) *ir.Plan {
	d := ir.Devices{Platform: t.Chip.Platform, Shape: t.Shape}
	if d.Platform != "cpu" {
		d.Chip = t.Chip.Name
	}
	p := &ir.Plan{Name: proposed, Devices: d, Mesh: l.mesh, Shard: l.shard, Reserve: ir.DefaultReserve, Overlap: ir.OverlapRing, Micro: micro}
	if remat != ir.RematNone {
		p.Remat = []ir.RematLine{{Path: "**", Policy: remat}}
	}
	return p
}

// divides reports whether slices of a batch can be shared by a layout's devices.
func (l layout) divides(batch, micro int) bool { return batch%(micro*l.mesh.Size(l.batch...)) == 0 }

// proposed is the name of a plan that a search proposes.
const proposed = "found"

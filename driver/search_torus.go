package driver

import (
	"cmp"
	"slices"

	"vitc/ir"
	"vitc/ir/topology"
)

// torus lists the layout whose mesh is the torus itself: examples over all of its dimensions, and
// parameters too, each large matrix along one of them first. Its gradient is scattered along that one
// by sends, which a product can hide; of several matrices they then go along different links, and to 16
// owners at most where a shape of thousands has no longer side.
//
//   - a matrix whose width stands last is cut along its rows, so that what is gathered is whole tiles;
//   - features, the largest first, are cut along one dimension each, the longest first;
//   - what is left of a parameter is cut along its width, over what is left of the dimensions.
func (s *shapes) torus(t *topology.Topology) []layout {
	var mesh ir.Mesh
	for i, size := range t.Shape {
		if size > 1 && i < len(torusAxes) {
			mesh = append(mesh, ir.MeshAxis{Name: torusAxes[i], Size: size})
		}
	}
	if len(mesh) < 2 || t.Chip.Cores > 1 || mesh.Devices() != t.Devices() {
		return nil
	}
	all := make([]string, len(mesh))
	for i, a := range mesh {
		all[i] = a.Name
	}
	longest := slices.Clone(mesh)
	slices.SortStableFunc(longest, func(a, b ir.MeshAxis) int { return cmp.Compare(b.Size, a.Size) })
	var features []ir.ShardLine
	first := slices.Clone(all) // of rows: the dimensions that no features take, then the others
	for i, f := range s.features(longest[0].Size) {
		axis := longest[i%len(longest)].Name
		features = append(features, ir.ShardLine{Axis: f, Params: true, Over: []string{axis}})
		first = turned(first, axis)
	}
	first = turned(first, longest[0].Name)
	lines := []ir.ShardLine{{Axis: batchAxis, Over: all}}
	for _, l := range s.rowwise(t.Devices()) {
		l.Over = first
		lines = append(lines, l)
	}
	lines = append(lines, features...)
	return []layout{{"fully sharded", mesh, append(lines, s.widths(t.Devices(), all)...), all}}
}

// torusAxes name the dimensions of a torus.
var torusAxes = []string{"x", "y", "z"}

// turned lists axes anew, one of them last.
func turned(axes []string, last string) []string {
	return append(slices.DeleteFunc(slices.Clone(axes), func(a string) bool { return a == last }), last)
}

// rowwise lists lines for the rows of large matrices that end with the width, where n divides them.
func (s *shapes) rowwise(n int) []ir.ShardLine {
	var lines []ir.ShardLine
	for _, l := range s.leaves {
		dims := s.dims(l.Type)
		if len(dims) == 2 && dims[1].Label == s.width && dims[0].Size%n == 0 && l.Type.Bytes() >= s.total/least {
			lines = append(lines, ir.ShardLine{Axis: dims[0].Label, Path: l.Of(), Params: true})
		}
	}
	return lines
}

package mapping

import (
	"cmp"
	"slices"

	"vitc/runtime/weights"
)

// partly names the tensors of which some numbers are read and others are not: a model whose head sees
// but half of what the file's does is another model, although every tensor is read. Only tensors
// that all lines cut along one axis are looked into.
func partly(f weights.File, found []*Filled) map[string]bool {
	parts := map[string][]part{}
	for _, x := range found {
		if x.Way.Value == nil {
			continue
		}
		for _, r := range reaches(x.Way.Value, nil) {
			for _, name := range r.load.Names {
				parts[name] = append(parts[name], r)
			}
		}
	}
	out := map[string]bool{}
	for name, list := range parts {
		if t, ok := weights.Lookup(f, name); ok && leavesOut(list, t.Shape) {
			out[name] = true
		}
	}
	return out
}

// leavesOut reports whether spans along the one axis that is cut do not cover it.
func leavesOut(list []part, shape []int) bool {
	axis := ""
	var spans []span
	for _, p := range list {
		for a, s := range p.cut {
			if axis == "" {
				axis = a
			}
			if a == axis {
				spans = append(spans, s)
			}
		}
		if len(p.cut) != 1 || len(p.load.Dims) != len(shape) {
			return false
		}
	}
	if len(spans) != len(list) {
		return false
	}
	slices.SortFunc(spans, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	end := 0
	for _, s := range spans {
		if s.from > end {
			return true
		}
		end = max(end, s.to)
	}
	axes := sized(list[0].load.Dims, shape)
	i := place(axes, axis)
	return i >= 0 && end < axes[i].Size
}

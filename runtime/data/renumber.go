package data

import "slices"

// renumbered is a source whose labels are those of another source's classes of the same
// names: a test folder that lacks a class numbers the others as training does.
type renumbered struct {
	source
	names []string
	to    []int // labels, by the source's own
}

// renumber numbers the classes of a source by names, if all of them are there.
func renumber(s source, names []string) source {
	own := s.classes()
	if own == nil || slices.Equal(own, names) {
		return s
	}
	to := make([]int, len(own))
	for label, name := range own {
		if to[label] = slices.Index(names, name); to[label] < 0 {
			return s
		}
	}
	return &renumbered{s, names, to}
}

func (r *renumbered) label(i int) int   { return r.to[r.source.label(i)] }
func (r *renumbered) classes() []string { return r.names }

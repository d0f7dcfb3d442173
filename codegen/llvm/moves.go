package llvm

import (
	"slices"

	"vitc/codegen"
)

// move is a value that must get from one place to another at the same time as others.
type move struct{ dst, src codegen.Addr }

// parallel orders copies so that all read what was there before the first wrote: first those
// whose destination no other reads; where each destination is another's source, one source is
// saved in temporary memory, which spare reserves. turns are the lengths of the enclosing
// loops.
func parallel(moves []move, turns []int, spare func(bytes int) codegen.Addr) []codegen.Step {
	var steps []codegen.Step
	emit := func(dst, src codegen.Addr) {
		steps = append(steps, codegen.Step{Copy: &codegen.Copy{Dst: dst, Src: src}})
	}
	var left []move
	for _, m := range moves {
		switch {
		case sameAddr(m.dst, m.src):
		case overlap(m.dst, m.src, turns): // neither end first
			t := spare(m.src.Bytes)
			emit(t, m.src)
			left = append(left, move{m.dst, t})
		default:
			left = append(left, m)
		}
	}
	for len(left) > 0 {
		// A move's own source lies apart from its destination.
		free := slices.IndexFunc(left, func(m move) bool {
			return !slices.ContainsFunc(left, func(n move) bool { return overlap(m.dst, n.src, turns) })
		})
		if free < 0 {
			// Each source saved is out of the way for good.
			blocked := slices.IndexFunc(left, func(m move) bool {
				return slices.ContainsFunc(left, func(n move) bool { return overlap(n.dst, m.src, turns) })
			})
			t := spare(left[blocked].src.Bytes)
			emit(t, left[blocked].src)
			left[blocked].src = t
			continue
		}
		emit(left[free].dst, left[free].src)
		left = slices.Delete(left, free, free+1)
	}
	return steps
}

func sameAddr(a, b codegen.Addr) bool {
	return a.Space == b.Space && a.Offset == b.Offset && slices.Equal(a.Steps, b.Steps)
}

// overlap reports whether two places may share a byte in one turn: those that move alike are
// compared as they stand, others by all that they pass over.
func overlap(a, b codegen.Addr, turns []int) bool {
	if a.Space != b.Space {
		return false
	}
	alo, ahi, blo, bhi := a.Offset, a.Offset+a.Bytes, b.Offset, b.Offset+b.Bytes
	if !slices.Equal(a.Steps, b.Steps) {
		alo, ahi = reach(a, turns)
		blo, bhi = reach(b, turns)
	}
	return alo < bhi && blo < ahi
}

// reach is the range of bytes that a place passes over in all turns.
func reach(a codegen.Addr, turns []int) (lo, hi int) {
	lo, hi = a.Offset, a.Offset+a.Bytes
	for i, s := range a.Steps {
		lo, hi = lo+min(0, s*(turns[i]-1)), hi+max(0, s*(turns[i]-1))
	}
	return lo, hi
}

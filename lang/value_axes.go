package lang

import (
	"cmp"
	"slices"
	"strings"

	"vitc/ir"
)

// Lists of axes.

func (l axes) String() string {
	names := make([]string, len(l))
	for i, a := range l {
		names[i] = a.name
	}
	return strings.Join(names, ", ")
}

// sized prints the axes with their sizes, in brackets, as a type does.
func (l axes) sized() string {
	names := make([]string, len(l))
	for i, a := range l {
		names[i] = a.String()
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// index returns where the list has an axis, -1 for nowhere.
func (l axes) index(a axis) int { return slices.IndexFunc(l, a.is) }

func (l axes) has(a axis) bool { return l.index(a) >= 0 }

// named returns the place of the visible axis of a name, -1 for none.
func (l axes) named(name string) int { return l.index(axis{name: name}) }

// without returns the list less some axes.
func (l axes) without(drop axes) axes {
	out := axes{}
	for _, a := range l {
		if !drop.has(a) {
			out = append(out, a)
		}
	}
	return out
}

// only returns the axes of the list that are in another one too.
func (l axes) only(keep axes) axes {
	out := axes{}
	for _, a := range l {
		if keep.has(a) {
			out = append(out, a)
		}
	}
	return out
}

// union appends what the list lacks.
func (l axes) union(more axes) axes {
	out := slices.Clone(l)
	for _, a := range more {
		if !out.has(a) {
			out = append(out, a)
		}
	}
	return out
}

func (l axes) visible() axes {
	return slices.DeleteFunc(slices.Clone(l), func(a axis) bool { return a.hidden > 0 })
}

// hiddenOf returns the hidden axes of some lists, outermost first.
func hiddenOf(lists ...axes) axes {
	var out axes
	for _, l := range lists {
		for _, a := range l {
			if a.hidden > 0 && !out.has(a) {
				out = append(out, a)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b axis) int { return cmp.Compare(a.hidden, b.hidden) })
	return out
}

func (l axes) names() []string {
	out := make([]string, len(l))
	for i, a := range l {
		out[i] = a.name
	}
	return out
}

func (l axes) dims() []ir.Dim {
	out := make([]ir.Dim, len(l))
	for i, a := range l {
		out[i] = ir.Dim{Label: a.name, Size: a.size}
	}
	return out
}

// equal reports whether two lists have the same axes in the same order.
func (l axes) equal(m axes) bool { return slices.EqualFunc(l, m, axis.is) }

// same reports whether two lists have the same axes of the same sizes, in any order.
func (l axes) same(m axes) bool {
	if len(l) != len(m) {
		return false
	}
	for _, a := range l {
		if i := m.index(a); i < 0 || m[i].size != a.size {
			return false
		}
	}
	return true
}

// subset reports whether m has every axis of l.
func (l axes) subset(m axes) bool { return len(l.without(m)) == 0 }

// maxElements bounds the size of any tensor.
const maxElements = 1 << 50

// elements is the number of positions, and whether it is at most maxElements.
func (l axes) elements() (int, bool) {
	n := 1
	for _, a := range l {
		if a.size > 0 && n > maxElements/a.size {
			return 0, false
		}
		n *= a.size
	}
	return n, true
}

// factors gives letters to axes, so that rules read [bw,wm->bm].
type factors struct {
	list    axes
	letters []byte
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// maxRank is how many axes a tensor may have: so many letters there are for two operands.
const maxRank = 24

// term spells axes, giving a letter to each new one: its first if that is free.
func (f *factors) term(l axes) string {
	var b strings.Builder
	for _, a := range l {
		b.WriteByte(f.letter(a))
	}
	return b.String()
}

func (f *factors) letter(a axis) byte {
	if i := f.list.index(a); i >= 0 {
		return f.letters[i]
	}
	c := a.name[0]
	if strings.IndexByte(letters, c) < 0 || slices.Contains(f.letters, c) {
		for i := range len(letters) {
			if c = letters[i]; !slices.Contains(f.letters, c) {
				break
			}
		}
	}
	f.list = append(f.list, a)
	f.letters = append(f.letters, c)
	return c
}

// rule spells a rule from the axes of operands to those of the result.
func rule(out axes, in ...axes) ir.Rule {
	var f factors
	terms := make([]string, len(in))
	for i, l := range in {
		terms[i] = f.term(l)
	}
	return ir.MustRule(strings.Join(terms, ",") + "->" + f.term(out))
}

package mapping

import (
	"fmt"
	"maps"
	"math"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/weights"
)

// span is positions [from, to) of an axis.
type span struct{ from, to int }

// reach is what a leaf takes of one tensor: all of it, but for the axes that it cuts.
type reach struct {
	leaf *Filled
	cut  map[string]span
}

// twice reports two leaves that share some numbers of a tensor but not all that they read of it. A
// tensor that leaves divide among them (queries, keys and values; a class token's position and the
// others) is divided wrongly then, although every size fits. Leaves that read the same are two models
// of one file.
func twice(found []*Filled) *diag.Diagnostic {
	read := map[[2]string][]reach{}
	for _, f := range found {
		if f.Way.Value == nil {
			continue
		}
		for _, r := range reaches(f.Way.Value, nil) {
			for _, name := range r.load.Names {
				key := [2]string{r.load.File, name}
				for _, other := range read[key] {
					if other.leaf != f && overlap(other.cut, r.cut) && !maps.Equal(other.cut, r.cut) {
						return divided(other.leaf, f, name)
					}
				}
				read[key] = append(read[key], reach{f, r.cut})
			}
		}
	}
	return nil
}

// part is a load with what the ops around it cut from it.
type part struct {
	load *ir.Weight
	cut  map[string]span
}

// reaches lists the loads of an expression. Only cuts of the tensor's own axes count: what is renamed,
// split or merged first is taken for all of it.
func reaches(w *ir.Weight, cut map[string]span) []part {
	switch w.Op {
	case ir.WeightLoad:
		return []part{{w, cut}}
	case ir.WeightIndex:
		return reaches(w.In[0], with(cut, w.Axis, span{w.From, w.From + 1}))
	case ir.WeightSlice:
		to := w.To
		if to == 0 {
			to = math.MaxInt
		}
		return reaches(w.In[0], with(cut, w.Axis, span{w.From, to}))
	}
	var out []part
	for _, in := range w.In {
		out = append(out, reaches(in, nil)...)
	}
	return out
}

func with(cut map[string]span, axis string, s span) map[string]span {
	out := map[string]span{axis: s}
	for a, s := range cut {
		if a != axis {
			out[a] = s
		}
	}
	return out
}

// overlap reports whether two reaches have numbers in common: along no axis do both cut, apart.
func overlap(x, y map[string]span) bool {
	for axis, s := range x {
		if t, both := y[axis]; both && (s.to <= t.from || t.to <= s.from) {
			return false
		}
	}
	return true
}

func divided(first, second *Filled, tensor string) *diag.Diagnostic {
	return &diag.Diagnostic{Code: CodeFit, Pos: second.Way.Pos,
		Msg:   fmt.Sprintf("`%s` and `%s` both read some numbers of %s", first.Leaf, second.Leaf, weights.Quote(tensor)),
		Label: "each number of a tensor that is divided belongs to one leaf",
		Notes: []diag.Note{{Pos: first.Way.Pos, Text: "the other line that reads it"}},
		Fix:   "another argument of the import block that divides it otherwise, such as timm's `embed_class: false`",
	}
}

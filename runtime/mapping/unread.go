package mapping

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/weights"
)

// maxListed is how many tensors a message lists.
const maxListed = 8

// Unread lists the tensors of a file that nothing reads, or not all of: neither what has been found, nor
// spare, by their names, nor unused, by patterns in which `*` is any run of characters.
func Unread(f weights.File, found []*Filled, spare, unused []string) []weights.Info {
	read := map[string]bool{}
	half := partly(f, found)
	for _, x := range found {
		for _, name := range x.Read {
			read[name] = !half[name]
		}
	}
	for _, name := range spare {
		read[name] = true
	}
	var out []weights.Info
	for _, t := range f.Tensors() {
		if !read[t.Name] && !slices.ContainsFunc(unused, func(p string) bool { return ir.MatchName(p, t.Name) }) {
			out = append(out, t)
		}
	}
	return out
}

// Leftover reports tensors that nothing reads, nil where there are none: a model that leaves some of
// a file's numbers out is not the model that they were trained in.
func Leftover(f weights.File, left []weights.Info, pos diag.Pos) *diag.Diagnostic {
	if len(left) == 0 {
		return nil
	}
	d := &diag.Diagnostic{Code: CodeUnread, Pos: pos, Msg: fmt.Sprintf("nothing reads %d of the %d tensors of %s, or but a part", len(left), len(f.Tensors()), f.Name()),
		Fix: "a model that has these parts, lines of the import block for them, or their names in its list `unused`"}
	for i, t := range left {
		if i == maxListed {
			d.Notes = append(d.Notes, diag.Note{Text: fmt.Sprintf("and %d more", len(left)-maxListed)})
			break
		}
		d.Notes = append(d.Notes, diag.Note{Text: fmt.Sprintf("%s is %s", weights.Quote(t.Name), t)})
	}
	return d
}

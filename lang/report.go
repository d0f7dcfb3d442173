package lang

import (
	"vitc/ir/diag"
)

// reporter collects the diagnostics of one file. A lexical error damages the item that it
// stands in: the parser then says nothing more about that item.
type reporter struct {
	list    diag.List
	damaged map[int]bool // offsets
}

func (r *reporter) add(d *diag.Diagnostic) {
	if len(r.list) < maxErrors {
		r.list.Add(d)
	}
}

// lexical reports an error at an offset and damages the item there.
func (r *reporter) lexical(d *diag.Diagnostic, offset int) {
	r.add(d)
	r.damage(offset)
}

func (r *reporter) damage(offset int) {
	if r.damaged == nil {
		r.damaged = map[int]bool{}
	}
	r.damaged[offset] = true
}

package driver

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"vitc/ir"
)

// planned is a value that has a place of its own in a function's arena.
type planned struct {
	value *ir.Value
	where string // the line of the program, "" where it is not known
}

// planText shows where a scheduled module keeps its values: for each function the bytes of
// its arguments and of the arena, then the arena's values by place. Values that share a
// place, or parts of it, are not needed at the same time.
func planText(m *ir.Module) []byte {
	var b bytes.Buffer
	for i, f := range m.Funcs {
		if i > 0 {
			b.WriteByte('\n')
		}
		state, inputs := 0, 0
		for j, p := range f.Body.Params {
			if f.Args[j].Role == ir.RoleState || f.Args[j].Role == ir.RoleAcc {
				state += p.Type.Bytes()
			} else {
				inputs += p.Type.Bytes()
			}
		}
		fmt.Fprintf(&b, "@%s: state %d bytes, inputs %d, arena %d\n", f.Name, state, inputs, f.Arena)
		for _, p := range inArena(f.Body) {
			fmt.Fprintf(&b, "%12d %12d  %-20s %s%s\n", p.value.Mem.Offset, p.value.Mem.Bytes, label(p.value), p.value.Type, p.where)
		}
	}
	return b.Bytes()
}

func label(v *ir.Value) string {
	if v.Name == "" {
		return "%_"
	}
	return "%" + v.Name
}

// inArena collects the values with places in the arena, by offset, in the order they are
// made where they share one.
func inArena(r *ir.Region) []planned {
	var list []planned
	r.Walk(func(op *ir.Op) {
		for _, v := range op.Out {
			if v.Mem == nil || v.Mem.Space != "arena" {
				continue
			}
			where := ""
			if v.Pos != nil && v.Pos.Valid() {
				where = "  " + v.Pos.Pos.String()
			} else if op.Pos != nil && op.Pos.Valid() {
				where = "  " + op.Pos.Pos.String()
			}
			list = append(list, planned{v, where})
		}
	})
	slices.SortStableFunc(list, func(a, b planned) int { return cmp.Compare(a.value.Mem.Offset, b.value.Mem.Offset) })
	return list
}

package passes

import (
	"slices"

	"vitc/ir"
)

// What a region holds outside of kernels, roughly: values lie from where they are made to where they
// are last read, views in what they look at. Parameters are held by whatever is around.

// lives follows the values of a region.
type lives struct {
	base map[*ir.Value]*ir.Value // of views
	left map[*ir.Value]int       // ops that are still to read a value, or a view of it
	live int64
}

func livesIn(r *ir.Region) *lives {
	l := &lives{base: map[*ir.Value]*ir.Value{}, left: map[*ir.Value]int{}}
	for _, op := range r.Ops {
		if isView(op) {
			l.base[op.Out[0]] = l.in(op.In[0])
			continue
		}
		for _, v := range l.read(op.In) {
			l.left[v]++
		}
	}
	for _, v := range l.read(slices.Concat(r.Yield, r.Stack)) {
		l.left[v]++ // for good
	}
	return l
}

// in is the value that another one lies in.
func (l *lives) in(v *ir.Value) *ir.Value {
	if b := l.base[v]; b != nil {
		return b
	}
	return v
}

// read lists the values that others lie in, each once.
func (l *lives) read(vs []*ir.Value) []*ir.Value {
	var list []*ir.Value
	for _, v := range vs {
		if b := l.in(v); b.Lit == nil && !slices.Contains(list, b) {
			list = append(list, b)
		}
	}
	return list
}

// makes is the bytes that an op's results take, those of a view nothing.
func makes(op *ir.Op) (bytes int64) {
	for _, v := range op.Out {
		if !isView(op) {
			bytes += int64(v.Type.Bytes())
		}
	}
	return bytes
}

// leave lets an op's operands go that nothing else will read, and its results that nothing will.
func (l *lives) leave(op *ir.Op) {
	if isView(op) {
		return
	}
	for _, v := range l.read(op.In) {
		if l.left[v]--; l.left[v] == 0 && v.Def != nil {
			l.live -= int64(v.Type.Bytes())
		}
	}
	for _, v := range op.Out {
		if l.left[v] == 0 {
			l.live -= int64(v.Type.Bytes())
		}
	}
}

// holds is what a region holds at each op in the order that it has.
func holds(r *ir.Region) []int64 {
	l := livesIn(r)
	at := make([]int64, len(r.Ops))
	for i, op := range r.Ops {
		l.live += makes(op)
		at[i] = l.live
		l.leave(op)
	}
	return at
}

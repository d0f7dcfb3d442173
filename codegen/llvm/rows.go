package llvm

import (
	"slices"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// row emits a point whose vector axis is summed over.
func (k *loopNest) row(c cursor) {
	if k.held {
		k.heldRow(c)
		return
	}
	c = k.inner(c)
	for i, p := range k.passes {
		k.rowPass(c, i, p)
	}
	k.finish([]cursor{c})
}

// heldRow emits a row all of whose vectors are values at once: passes share what they compute.
func (k *loopNest) heldRow(c cursor) {
	c = k.inner(c)
	var cs []cursor
	for _, p := range pieces(k.axes[k.vec].size, k.width, k.b.ISA()) {
		cs = append(cs, k.enterLanes(c, emit.Int(0), p))
	}
	for _, p := range k.passes {
		k.hoist(c, k.needed(c, p))
		for _, op := range p.reduces {
			var terms []value.Value
			for _, l := range cs {
				terms = append(terms, k.term(l, op))
			}
			k.remember(c, op, k.total(op, terms))
		}
		k.storeAll(cs, p.stores)
	}
	k.finish([]cursor{c})
}

// total combines the terms of a reduce: vectors of one length pairwise, then their lanes, then
// the results of each length, longest first.
func (k *loopNest) total(op *ir.Op, terms []value.Value) value.Value {
	b := k.b
	add := func(x, y value.Value) value.Value { return combine(b, op, x, y) }
	var sum value.Value
	for len(terms) > 0 {
		n := emit.Lanes(terms[0].Type())
		same := terms
		if i := slices.IndexFunc(terms, func(x value.Value) bool { return emit.Lanes(x.Type()) != n }); i >= 0 {
			same = terms[:i]
		}
		terms = terms[len(same):]
		for len(same) > 1 {
			var half []value.Value
			for i := 0; i+1 < len(same); i += 2 {
				half = append(half, add(same[i], same[i+1]))
			}
			if len(same)%2 == 1 {
				half = append(half, same[len(same)-1])
			}
			same = half
		}
		x := b.Reduce(same[0], add)
		if sum == nil {
			sum = x
		} else {
			sum = add(sum, x)
		}
	}
	return sum
}

// keptRow is a value of a row that later passes read back from scratch memory.
type keptRow struct {
	value  *ir.Value
	pass   int
	memory *buffer
	filled bool
}

// Values kept in scratch memory are worth a load and a store each.
const (
	keptFlops   = 8
	maxKeptRows = 128 << 10 // bytes of scratch
)

// keepRows chooses what is kept in scratch memory and returns its bytes.
func (k *loopNest) keepRows(scratch value.Value) int {
	if !k.byRow || k.held {
		return 0
	}
	form := make(form, len(k.axes))
	n := 1
	sums := k.summed()
	for i := len(sums) - 1; i >= 0; i-- {
		form[sums[i]] = n
		n *= k.axes[sums[i]].size
	}
	bytes := 0
	for _, op := range k.body.Ops {
		v := op.Out[0]
		size := (n*4 + 63) &^ 63
		if !k.wide(v) || k.cost(v) < keptFlops || !k.usedLater(v) || bytes+size > maxKeptRows {
			continue
		}
		d := wideDType(v.Type.DType)
		k.kept = append(k.kept, &keptRow{v, k.level[v], &buffer{d, form, k.b.Offset(scratch, bytes)}, false})
		bytes += size
	}
	return bytes
}

// cost is the FLOPs of computing one element of a value again.
func (k *loopNest) cost(v *ir.Value) int {
	n := 0
	seen := map[*ir.Value]bool{}
	var visit func(v *ir.Value)
	visit = func(v *ir.Value) {
		if v.Def == nil || seen[v] || !k.wide(v) || k.rowOf(v) != nil {
			return
		}
		seen[v] = true
		n += v.Def.Row.Flops
		for _, in := range v.Def.In {
			visit(in)
		}
	}
	visit(v)
	return n
}

// usedLater reports whether a later pass than the one that computes v reads it.
func (k *loopNest) usedLater(v *ir.Value) bool {
	for _, op := range k.body.Ops {
		if slices.Contains(op.In, v) && !k.sums[op] && k.level[op.Out[0]] > k.level[v] && k.wide(op.Out[0]) {
			return true
		}
	}
	for i, p := range k.passes {
		if i > k.level[v] && slices.ContainsFunc(p.stores, func(y int) bool { return k.body.Yield[y] == v }) {
			return true
		}
	}
	return false
}

// rowOf is where a value is kept, nil if it is not.
func (k *nest) rowOf(v *ir.Value) *keptRow {
	for _, r := range k.kept {
		if r.value == v {
			return r
		}
	}
	return nil
}

// rowPass emits a pass over a row that is too long for registers. Each reduce has an
// accumulator for each of some vectors, and one for each shorter vector at the row's end.
func (k *loopNest) rowPass(c cursor, number int, p pass) {
	outer := c // where the sums are known
	c = k.inner(c)
	size, n := k.axes[k.vec].size, k.width
	step := k.unroll * n
	whole := size / step * step
	full, rest := pieces(step, n, k.b.ISA()), pieces(size-whole, n, k.b.ISA())
	slots := k.slots(full, rest)
	accs := k.identities(p, slots)
	around := slices.DeleteFunc(k.summed(), func(a int) bool { return a == k.vec })
	need := k.needed(c, p)
	accs = k.sumLoops(c, nil, around, need, accs, func(c cursor, _ []cursor, accs []value.Value) []value.Value {
		if whole > 0 {
			accs = k.wholeVectors(c, number, whole, full, slots, accs)
		}
		end := func() []value.Value {
			return k.vectors(k.inner(c), number, emit.Int(whole), rest, k.restSlots(rest), slots, accs)
		}
		switch {
		case len(rest) == 0:
			return accs
		case k.chunk == k.vec:
			last := k.b.ICmp(enum.IPredEQ, k.chunkAt, emit.Int(k.chunks-1))
			return k.b.If(last, end, func() []value.Value { return accs })
		}
		return end()
	})
	for i, op := range p.reduces {
		k.remember(outer, op, k.total(op, accs[i*len(slots):(i+1)*len(slots)]))
	}
	for _, r := range k.kept {
		r.filled = r.filled || r.pass == number
	}
}

// slots are stand-ins for the cursors whose accumulators a pass has.
func (k *loopNest) slots(full, rest []piece) []cursor {
	var cs []cursor
	for _, p := range append(slices.Clone(full), rest...) {
		if len(cs) < len(full) || p.lanes < k.width {
			cs = append(cs, cursor{piece: p})
		}
	}
	return cs
}

// restSlots gives each piece of the rest its slot: whole vectors share those of the loop.
func (k *loopNest) restSlots(rest []piece) []int {
	var at []int
	narrow := k.unroll
	for i, p := range rest {
		if p.lanes == k.width {
			at = append(at, i)
		} else {
			at = append(at, narrow)
			narrow++
		}
	}
	return at
}

// wholeVectors emits the loop over whole groups of vectors.
func (k *loopNest) wholeVectors(c cursor, number, whole int, full []piece, slots []cursor, accs []value.Value) []value.Value {
	lo, hi := k.bounds(k.vec)
	hi = k.b.SMin(hi, emit.Int(whole))
	at := make([]int, len(full))
	for i := range at {
		at[i] = i
	}
	step := emit.Int(k.unroll * k.width)
	return k.b.Loop("row", lo, hi, step, accs, func(i value.Value, accs []value.Value) []value.Value {
		return k.vectors(k.inner(c), number, i, full, at, slots, accs)
	})
}

// vectors emits a pass for some vectors from position i.
func (k *loopNest) vectors(c cursor, number int, i value.Value, ps []piece, at []int, slots []cursor, accs []value.Value) []value.Value {
	p := k.passes[number]
	out := slices.Clone(accs)
	var cs []cursor
	for j, ps := range ps {
		l := k.enterLanes(c, i, ps)
		cs = append(cs, l)
		for r, op := range p.reduces {
			slot := r*len(slots) + at[j]
			out[slot] = combine(k.b, op, out[slot], k.term(l, op))
		}
		for _, r := range k.kept {
			if r.pass == number {
				k.store(l, r.memory, k.eval(l, r.value))
			}
		}
	}
	k.storeAll(cs, p.stores)
	return out
}

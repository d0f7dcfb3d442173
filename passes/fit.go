package passes

import (
	"cmp"
	"math/bits"
	"slices"

	"vitc/ir"
)

// Under the policy fit a backward turn computes its products again unless memory can hold them.
// Which ones it holds is a knapsack: each has the bytes that keeping it adds and the seconds it
// saves, less those that keeping takes: the scores of attention, large and of few operations each,
// are better computed again however much memory is free. A turn has about ten products, so every
// subset is weighed by the sums of both, and the best one that also fits when its cut is solved is
// taken: what two products share, sums do not know.

// mostCandidates bounds the subsets weighed; of more products the best by seconds a byte stay.
const mostCandidates = 14

// candidate is a product that could be kept.
type candidate struct {
	value   *ir.Value
	bytes   int64   // of all turns, on a device
	seconds float64 // saved
}

// keptPasses is how often what is kept goes through memory: it is written to its stack, and read
// and written again where the backward turn takes it from there.
const keptPasses = 3

// candidates are the products under fit that a cut computes again.
func (k *keeper) candidates(v *reverse, c *cut) []candidate {
	var list []candidate
	for _, op := range v.op.Body.Ops {
		if op.ProductFlops() > 0 && c.again[op.Out[0]] && k.policy(op) == ir.RematFit {
			list = append(list, candidate{value: op.Out[0]})
		}
	}
	return list
}

// fit keeps the products that save most within the bytes that are free beside what the cut
// without any of them keeps.
func (k *keeper) fit(v *reverse, without *cut, list []candidate, free int64) *cut {
	least := k.account(v, without)
	for i := range list {
		with := k.account(v, k.keeping(without, list[i].value))
		list[i].bytes = with.Bytes - least.Bytes
		list[i].seconds = least.Seconds - with.Seconds - k.model.Pass(keptPasses*float64(list[i].bytes))
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Compare(b.seconds/float64(max(b.bytes, 1)), a.seconds/float64(max(a.bytes, 1)))
	})
	list = list[:min(len(list), mostCandidates)]
	for _, set := range bestSets(list, free-least.Bytes) {
		var values []*ir.Value
		for i := range list {
			if set&(1<<i) != 0 {
				values = append(values, list[i].value)
			}
		}
		c := k.keeping(without, values...)
		if k.account(v, c).Bytes <= free {
			for _, x := range values {
				k.kept[x] = true
			}
			return c
		}
	}
	return without
}

// keeping solves a cut anew with some products kept.
func (k *keeper) keeping(c *cut, values ...*ir.Value) *cut {
	for _, x := range values {
		k.kept[x] = true
	}
	again := c.problem.solve()
	for _, x := range values {
		delete(k.kept, x)
	}
	return again
}

// bestSets lists, as bits, the sets of candidates whose bytes stay within room, those that save
// most first; of equals the one of fewer candidates.
func bestSets(list []candidate, room int64) []uint {
	type weighed struct {
		set     uint
		seconds float64
	}
	var sets []weighed
	for set := uint(1); set < 1<<len(list); set++ {
		w, n := weighed{set: set}, int64(0)
		for i, c := range list {
			if set&(1<<i) != 0 {
				w.seconds += c.seconds
				n += c.bytes
			}
		}
		if n <= room && w.seconds > 0 {
			sets = append(sets, w)
		}
	}
	slices.SortStableFunc(sets, func(a, b weighed) int {
		if c := cmp.Compare(b.seconds, a.seconds); c != 0 {
			return c
		}
		return cmp.Compare(bits.OnesCount(a.set), bits.OnesCount(b.set))
	})
	out := make([]uint, len(sets))
	for i, w := range sets {
		out[i] = w.set
	}
	return out
}

// working estimates what a device needs beside what is kept while a backward turn runs: the
// weights of this turn and of the next, whole, and the most that its products' operands and
// results take at one time.
func (k *keeper) working(v *reverse, c *cut) int64 {
	weights := int64(0)
	for i, p := range v.op.Body.Params[v.attr.Carry:] {
		if i < v.attr.Each {
			weights += k.bytes(p.Type.As(ir.Real))
		}
	}
	var ops []*ir.Op
	for _, op := range v.op.Body.Ops {
		if len(op.Out) == 1 && c.again[op.Out[0]] {
			ops = append(ops, op)
		}
	}
	return 2*weights + k.peak(append(ops, v.body.Ops...))
}

// peak is the most that the values which products read or give take at one time, op by op. What
// lies between products is inside kernels.
func (k *keeper) peak(ops []*ir.Op) int64 {
	stored, last := map[*ir.Value]bool{}, map[*ir.Value]int{}
	for i, op := range ops {
		product := op.ProductFlops() > 0
		for _, x := range op.In {
			last[x] = i
			stored[x] = stored[x] || product && x.Def != nil
		}
		for _, x := range op.Out {
			stored[x] = product
		}
	}
	now, most := int64(0), int64(0)
	for i, op := range ops {
		for _, x := range op.Out {
			if stored[x] {
				now += k.bytes(x.Type)
			}
		}
		most = max(most, now)
		for _, x := range slices.Compact(slices.Clone(op.In)) {
			if stored[x] && last[x] == i {
				now -= k.bytes(x.Type)
			}
		}
		for _, x := range op.Out {
			if _, used := last[x]; stored[x] && !used { // written to its place, a stack or a carry
				now -= k.bytes(x.Type)
			}
		}
	}
	return most
}

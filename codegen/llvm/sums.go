package llvm

import (
	"math"
	"slices"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// sumLoops emits loops over summed axes that carry the accumulators.
func (k *loopNest) sumLoops(c cursor, cs []cursor, axes []int, need []*ir.Value, accs []value.Value,
	body func(c cursor, cs []cursor, accs []value.Value) []value.Value) []value.Value {
	k.hoist(c, need)
	for _, l := range cs {
		k.hoist(l, need)
	}
	if len(axes) == 0 {
		return body(c, cs, accs)
	}
	lo, hi := k.bounds(axes[0])
	return k.b.Loop("sum", lo, hi, emit.Int(1), accs, func(i value.Value, accs []value.Value) []value.Value {
		in := k.enter(c, axes[0], i)
		ls := make([]cursor, len(cs))
		for j, l := range cs {
			l.at, l.shared, l.lane = in.at, in.shared, l.lane.push()
			if k.vec >= 0 {
				l.at = append([]value.Value(nil), in.at...)
				l.at[k.vec] = cs[j].at[k.vec]
			}
			ls[j] = l
		}
		return k.sumLoops(in, ls, axes[1:], need, accs, body)
	})
}

// bounds are the positions of a summed axis that a point does.
func (k *loopNest) bounds(a int) (lo, hi value.Value) {
	size := emit.Int(k.axes[a].size)
	if a != k.chunk {
		return emit.Int(0), size
	}
	lo = k.b.Mul(k.chunkAt, emit.Int(k.length))
	return lo, k.b.SMin(k.b.Add(lo, emit.Int(k.length)), size)
}

// identities are the accumulators before the first term, by reduce and cursor.
func (k *loopNest) identities(p pass, cs []cursor) []value.Value {
	var accs []value.Value
	for _, op := range p.reduces {
		for _, c := range cs {
			accs = append(accs, emit.SplatConst(identity(op), k.accLanes(op, c)))
		}
	}
	return accs
}

// accLanes is how many lanes the accumulator of a reduce has: one for each position of the
// vector axis, whether that is kept or not.
func (k *loopNest) accLanes(op *ir.Op, c cursor) int {
	if k.vec >= 0 && k.spans[op.In[0]].has(k.vec) {
		return c.lanes
	}
	return 1
}

// accumulate adds the terms at the cursors to their accumulators.
func (k *loopNest) accumulate(p pass, cs []cursor, accs []value.Value) []value.Value {
	out := slices.Clone(accs)
	for i, op := range p.reduces {
		for j, c := range cs {
			at := i*len(cs) + j
			out[at] = combine(k.b, op, accs[at], k.term(c, op))
		}
	}
	return out
}

// term is what a reduce adds at a cursor, the identity in lanes that do not exist.
func (k *loopNest) term(c cursor, op *ir.Op) value.Value {
	x := k.eval(c, op.In[0])
	n := k.accLanes(op, c)
	if emit.Lanes(x.Type()) < n {
		x = k.b.Splat(x, n)
	}
	if mask := c.mask(); mask != nil && n > 1 && k.byRow {
		x = k.b.Select(mask, x, emit.SplatConst(identity(op), n))
	}
	return x
}

// remember gives a reduce its finished sum; that of a chunk is not rounded yet.
func (k *loopNest) remember(c cursor, op *ir.Op, x value.Value) {
	v := op.Out[0]
	if k.partial == nil {
		x = rounded(k.b, v.Type.DType, x)
	}
	if k.wide(v) {
		c.lane.vals[v] = x
		return
	}
	c.shared.vals[v] = x
}

// combine is one step of a reduce.
func combine(b *emit.Builder, op *ir.Op, x, y value.Value) value.Value {
	d := op.In[0].Type.DType
	xs := []value.Value{x, y}
	switch op.Attrs.(*ir.ReduceAttrs).Kind {
	case "sum":
		if d.Float() {
			return b.FAdd(x, y)
		}
		return b.AddWrap(x, y)
	case "max":
		return emitMax(b, op, xs)
	case "min":
		return emitMin(b, op, xs)
	}
	failf(op, "reduce of kind %q has no CPU code", op.Attrs.(*ir.ReduceAttrs).Kind)
	return nil
}

// identity is what a reduce starts with.
func identity(op *ir.Op) constant.Constant {
	d, kind := op.In[0].Type.DType, op.Attrs.(*ir.ReduceAttrs).Kind
	if d.Float() {
		return emit.Float(map[string]float64{"sum": 0, "max": math.Inf(-1), "min": math.Inf(1)}[kind])
	}
	least, most := int64(0), int64(-1) // unsigned: all bits
	if d == ir.I32 {
		least, most = math.MinInt32, math.MaxInt32
	}
	t, ok := registerType(d).(*types.IntType)
	if !ok {
		failf(op, "reduce of %v", d)
	}
	return constant.NewInt(t, map[string]int64{"sum": 0, "max": least, "min": most}[kind])
}

// wideDType is the dtype that sums are kept in.
func wideDType(d ir.DType) ir.DType {
	if d.Float() {
		return ir.F32
	}
	return d
}

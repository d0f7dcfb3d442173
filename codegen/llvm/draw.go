package llvm

import (
	"math"

	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
	"vitc/ir/threefry"
)

// draw emits rng_bits: the first word of Threefry-2x32 of the counter (low word of p, high
// word of p + at), p the position that the op's form gives.
func (k *nest) draw(c cursor, op *ir.Op) value.Value {
	b, f := k.b, k.reads[op.Out[0]]
	n := 1
	if k.wide(op.Out[0]) {
		n = c.lanes
	}
	spread := func(x value.Value) value.Value { return b.Splat(x, n) }
	p := k.apart[op.In[0]]
	if p == nil {
		failf(op, "its key is computed in the same kernel")
	}
	key := [2]value.Value{loadLane(b, ir.U32, p, emit.Int(0)), loadLane(b, ir.U32, p, emit.Int(1))}
	low, high := k.counter(c, f, n, k.drawn(c, op))
	high = b.AddWrap(high, spread(k.eval(c, op.In[1])))
	return k.threefry([2]value.Value{low, high}, [2]value.Value{spread(key[0]), spread(key[1])})
}

// drawn is the counter at which what an op draws begins, nil where that is 0.
func (k *nest) drawn(c cursor, op *ir.Op) value.Value {
	var base value.Value
	for d, from := range ir.Drawn(op) {
		p := k.b.Mul(k.b.ZExt(k.eval(c, from), emit.I64), emit.Int(op.Attrs.(*ir.RngAttrs).Strides[d]))
		if base != nil {
			p = k.b.Add(base, p)
		}
		base = p
	}
	return base
}

// counter is the low and the high word of a form's number in n lanes, counted from a base.
func (k *nest) counter(c cursor, f form, n int, base value.Value) (low, high value.Value) {
	b := k.b
	most := 0
	for a, coef := range f {
		most += coef * (k.axes[a].size - 1)
	}
	if most <= math.MaxUint32 && base == nil {
		return k.position(c, f), emit.Zero(emit.Vec(emit.I32, n))
	}
	first := k.index(c, f)
	if base != nil {
		first = b.Add(first, base)
	}
	p := b.Splat(first, n)
	if n > 1 {
		p = b.AddWrap(p, laneSteps(emit.I64, n, f[k.vec]))
	}
	return b.Trunc(p, emit.I32), b.Trunc(b.LShr(p, emit.SplatConst(emit.Int(32), n)), emit.I32)
}

// threefry emits threefry.Block's first word.
func (k *nest) threefry(x, key [2]value.Value) value.Value {
	b := k.b
	schedule := [3]value.Value{key[0], key[1], b.Xor(b.Xor(key[0], key[1]), integers(key[0], threefry.Parity))}
	a, z := b.AddWrap(x[0], schedule[0]), b.AddWrap(x[1], schedule[1])
	for group := range threefry.Groups {
		for round := range 4 {
			a = b.AddWrap(a, z)
			by := int64(threefry.Rotations[(4*group+round)%len(threefry.Rotations)])
			turned := b.Or(b.Shl(z, integers(z, by)), b.LShr(z, integers(z, 32-by)))
			z = b.Xor(turned, a)
		}
		a = b.AddWrap(a, schedule[(group+1)%3])
		z = b.AddWrap(b.AddWrap(z, schedule[(group+2)%3]), integers(z, int64(group+1)))
	}
	return a
}

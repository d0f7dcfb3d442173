package emit

import (
	"fmt"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/value"
)

// Splat returns n lanes of a scalar.
func (b *Builder) Splat(v value.Value, n int) value.Value {
	if n == 1 {
		return v
	}
	if c, ok := v.(constant.Constant); ok {
		return SplatConst(c, n)
	}
	t := Vec(v.Type(), n)
	one := b.cur.NewInsertElement(Poison(t), v, Int32(0))
	return b.cur.NewShuffleVector(one, Poison(t), Zero(Vec(I32, n)))
}

// Shuffle picks lanes: index i < n of x, else of y, both of n lanes.
func (b *Builder) Shuffle(x, y value.Value, idx []int) value.Value {
	return b.cur.NewShuffleVector(x, y, shuffleMask(idx))
}

// Extract returns lane i.
func (b *Builder) Extract(x value.Value, i int) value.Value {
	if Lanes(x.Type()) == 1 {
		return x
	}
	return b.cur.NewExtractElement(x, Int32(int32(i)))
}

// Insert replaces lane i.
func (b *Builder) Insert(x, v value.Value, i int) value.Value {
	if Lanes(x.Type()) == 1 {
		return v
	}
	return b.cur.NewInsertElement(x, v, Int32(int32(i)))
}

// Reduce combines the lanes of x, whose number is a power of two, by f: the upper half
// with the lower, until one is left. The order is fixed, so sums are the same on every
// machine of a level.
func (b *Builder) Reduce(x value.Value, f func(x, y value.Value) value.Value) value.Value {
	n := Lanes(x.Type())
	if n&(n-1) != 0 {
		panic(fmt.Sprintf("emit: reduction of %d lanes, not a power of two", n))
	}
	for n > 1 {
		n /= 2
		lo, hi := make([]int, n), make([]int, n)
		for i := range n {
			lo[i], hi[i] = i, n+i
		}
		none := Poison(x.Type())
		x = f(b.Shuffle(x, none, lo), b.Shuffle(x, none, hi))
		if n == 1 {
			x = b.cur.NewExtractElement(x, Int32(0))
		}
	}
	return x
}

// ReduceAdd sums the lanes.
func (b *Builder) ReduceAdd(x value.Value) value.Value { return b.Reduce(x, b.FAdd) }

// ReduceMax returns the greatest lane, NaN if any is.
func (b *Builder) ReduceMax(x value.Value) value.Value { return b.Reduce(x, b.FMax) }

// ReduceMin returns the least lane, NaN if any is.
func (b *Builder) ReduceMin(x value.Value) value.Value { return b.Reduce(x, b.FMin) }

// Transpose returns the columns of the square matrix whose rows are given: n vectors of
// n lanes, n a power of two.
func (b *Builder) Transpose(rows []value.Value) []value.Value {
	n := len(rows)
	rows = append([]value.Value(nil), rows...)
	// Step s exchanges, in each pair of rows s apart, the blocks of s lanes that lie off
	// the diagonal of 2s x 2s squares.
	for s := 1; s < n; s *= 2 {
		lo, hi := make([]int, n), make([]int, n)
		for i := range n {
			if i&s == 0 {
				lo[i], hi[i] = i, i+s
			} else {
				lo[i], hi[i] = n+i-s, n+i
			}
		}
		for i := range n {
			if i&s == 0 {
				x, y := rows[i], rows[i+s]
				rows[i], rows[i+s] = b.Shuffle(x, y, lo), b.Shuffle(x, y, hi)
			}
		}
	}
	return rows
}

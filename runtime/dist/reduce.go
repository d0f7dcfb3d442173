package dist

import (
	"encoding/binary"
	"math"

	"vitc/ir"
)

var le = binary.LittleEndian

// joiner joins the elements of y to those of x, in x.
type joiner func(x, y []byte)

// joinerOf is how two values of a dtype are joined under a kind of reduction: a result is rounded
// to the dtype, integers wrap. It is what package interp computes.
func joinerOf(kind string, d ir.DType) joiner {
	switch {
	case kind == "max":
		return each(d, math.Max)
	case kind == "min":
		return each(d, math.Min)
	case d == ir.F32 || d == ir.Real:
		return addF32
	case d == ir.I32 || d == ir.U32:
		return addInt32 // signed and unsigned wrap alike
	case d.Float():
		return each(d, func(a, b float64) float64 { return d.Round(a + b) })
	}
	return each(d, func(a, b float64) float64 { return d.Wrap(int64(a) + int64(b)) })
}

func addF32(x, y []byte) {
	for i := 0; i+4 <= len(x) && i+4 <= len(y); i += 4 {
		a, b := math.Float32frombits(le.Uint32(x[i:])), math.Float32frombits(le.Uint32(y[i:]))
		le.PutUint32(x[i:], math.Float32bits(a+b))
	}
}

func addInt32(x, y []byte) {
	for i := 0; i+4 <= len(x) && i+4 <= len(y); i += 4 {
		le.PutUint32(x[i:], le.Uint32(x[i:])+le.Uint32(y[i:]))
	}
}

// each joins element by element, in float64.
func each(d ir.DType, f func(a, b float64) float64) joiner {
	size := d.Bytes()
	return func(x, y []byte) {
		for i := 0; i < len(x); i += size {
			d.Put(x[i:], f(d.Get(x[i:]), d.Get(y[i:])))
		}
	}
}

// slab is how many bytes of each operand are joined at a time: eight of them stay in a first-level
// cache of 32 KiB.
const slab = 4096

// joinPairs joins neighbours, then pairs of neighbours, and so on, as ir.ReduceOverAttrs says;
// the result is in rows[0], and the others are used up.
func joinPairs(join joiner, rows [][]byte) {
	for from := 0; from < len(rows[0]); from += slab {
		to := min(from+slab, len(rows[0]))
		for step := 1; step < len(rows); step *= 2 {
			for i := 0; i+step < len(rows); i += 2 * step {
				join(rows[i][from:to], rows[i+step][from:to])
			}
		}
	}
}

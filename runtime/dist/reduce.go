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
	if d == ir.F32 || d == ir.Real {
		if kind == "sum" {
			return addF32
		}
		return eachF32(scalar(kind, d))
	}
	if d.Bytes() == 4 && kind == "sum" {
		return addInt32 // signed and unsigned wrap alike
	}
	if d == ir.BF16 {
		return eachBF16(scalar(kind, d))
	}
	if d == ir.F16 {
		return eachF16(scalar(kind, d))
	}
	return eachInt(scalar(kind, d), d)
}

// scalar joins two values; every value of every dtype is exact in float64.
func scalar(kind string, d ir.DType) func(a, b float64) float64 {
	switch {
	case kind == "max":
		return math.Max
	case kind == "min":
		return math.Min
	case d.Float():
		return func(a, b float64) float64 { return d.Round(a + b) }
	}
	return func(a, b float64) float64 { return d.Wrap(int64(a) + int64(b)) }
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

func eachF32(f func(a, b float64) float64) joiner {
	read := func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }
	return func(x, y []byte) {
		for i := 0; i < len(x); i += 4 {
			le.PutUint32(x[i:], math.Float32bits(float32(f(read(x[i:]), read(y[i:])))))
		}
	}
}

func eachBF16(f func(a, b float64) float64) joiner {
	read := func(b []byte) float64 { return float64(math.Float32frombits(uint32(le.Uint16(b)) << 16)) }
	return func(x, y []byte) {
		for i := 0; i < len(x); i += 2 {
			le.PutUint16(x[i:], uint16(math.Float32bits(float32(f(read(x[i:]), read(y[i:]))))>>16))
		}
	}
}

func eachF16(f func(a, b float64) float64) joiner {
	return func(x, y []byte) {
		for i := 0; i < len(x); i += 2 {
			le.PutUint16(x[i:], halfBits(f(halfValue(le.Uint16(x[i:])), halfValue(le.Uint16(y[i:])))))
		}
	}
}

// eachInt joins integers and bools.
func eachInt(f func(a, b float64) float64, d ir.DType) joiner {
	if d.Bytes() == 1 {
		return func(x, y []byte) {
			for i := range x {
				x[i] = byte(f(d.Wrap(int64(x[i])), d.Wrap(int64(y[i]))))
			}
		}
	}
	return func(x, y []byte) {
		for i := 0; i < len(x); i += 4 {
			a, b := d.Wrap(int64(le.Uint32(x[i:]))), d.Wrap(int64(le.Uint32(y[i:])))
			le.PutUint32(x[i:], uint32(int64(f(a, b))))
		}
	}
}

// halfValue reads IEEE 754 binary16: 1 sign bit, 5 of exponent, 10 of fraction.
func halfValue(h uint16) float64 {
	sign := 1 - 2*float64(h>>15)
	exponent, fraction := int(h>>10&31), float64(h&1023)
	switch {
	case exponent == 31 && fraction != 0:
		return math.NaN()
	case exponent == 31:
		return math.Inf(int(sign))
	case exponent == 0:
		return math.Copysign(math.Ldexp(fraction, -24), sign)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// halfBits writes a value that is exact in binary16.
func halfBits(x float64) uint16 {
	sign := uint16(math.Float64bits(x) >> 63 << 15)
	size := math.Abs(x)
	switch {
	case x != x:
		return sign | 0x7e00
	case math.IsInf(x, 0):
		return sign | 31<<10
	case size < 0x1p-14:
		return sign | uint16(math.Ldexp(size, 24))
	}
	_, e := math.Frexp(size) // size is in [2^(e-1), 2^e)
	return sign | uint16(e+14)<<10 | uint16(math.Ldexp(size, 11-e))&1023
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

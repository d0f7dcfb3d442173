package ir

import (
	"encoding/binary"
	"math"
)

// Elements in memory are little-endian. Every value of every dtype is exact in float64.

// Get reads the element that b begins with. Real is read as f32, and any byte of a bool but 0 as
// true.
func (d DType) Get(b []byte) float64 {
	le := binary.LittleEndian
	switch d {
	case F32, Real:
		return float64(math.Float32frombits(le.Uint32(b)))
	case BF16:
		return float64(math.Float32frombits(uint32(le.Uint16(b)) << 16))
	case F16:
		return halfValue(le.Uint16(b))
	case I32:
		return float64(int32(le.Uint32(b)))
	case U32:
		return float64(le.Uint32(b))
	}
	return d.Wrap(int64(b[0])) // u8, bool
}

// Put writes a value of the dtype to where b begins.
func (d DType) Put(b []byte, x float64) {
	le := binary.LittleEndian
	switch d {
	case F32, Real:
		le.PutUint32(b, math.Float32bits(float32(x)))
	case BF16:
		le.PutUint16(b, uint16(math.Float32bits(float32(x))>>16))
	case F16:
		le.PutUint16(b, halfBits(x))
	case I32:
		le.PutUint32(b, uint32(int32(x)))
	case U32:
		le.PutUint32(b, uint32(x))
	default: // u8, bool
		b[0] = byte(x)
	}
}

// halfValue reads IEEE 754 binary16: 1 sign bit, 5 of exponent, 10 of fraction.
func halfValue(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var x float64
	switch exponent {
	case 0:
		x = math.Ldexp(fraction, -24)
	case 31:
		x = math.Inf(1)
		if fraction != 0 {
			x = math.NaN()
		}
	default:
		x = math.Ldexp(1024+fraction, exponent-25)
	}
	if h>>15 == 1 {
		x = -x
	}
	return x
}

// halfBits writes a value that is exact in binary16.
func halfBits(x float64) uint16 {
	var sign uint16
	if math.Signbit(x) {
		sign, x = 1<<15, -x
	}
	switch {
	case x != x:
		return sign | 0x7e00
	case math.IsInf(x, 1):
		return sign | 31<<10
	case x < 0x1p-14:
		return sign | uint16(math.Ldexp(x, 24))
	}
	_, e := math.Frexp(x)
	return sign | uint16(e+14)<<10 | uint16(math.Ldexp(x, 11-e))&1023
}

package interp

import (
	"encoding/binary"
	"fmt"
	"math"

	"vitc/ir"
)

// FromBytes reads a dense, row-major, little-endian buffer of the type. Real is read as f32,
// and any byte of a bool but 0 as true.
func FromBytes(t ir.Type, b []byte) (*Tensor, error) {
	if len(b) != t.Bytes() {
		return nil, fmt.Errorf("%s is %d bytes, found %d", t, t.Bytes(), len(b))
	}
	x := New(t)
	size, read := t.DType.Bytes(), decoders[t.DType]
	if read == nil {
		return nil, fmt.Errorf("dtype %s has no bytes", t.DType)
	}
	for i := range x.F {
		x.F[i] = read(b[i*size:])
	}
	return x, nil
}

// Bytes is the inverse of FromBytes; elements that are not exact in the dtype are rounded.
func (t *Tensor) Bytes() []byte {
	d := t.Type.DType
	size, write := d.Bytes(), encoders[d]
	b := make([]byte, len(t.F)*size)
	for i, x := range t.F {
		write(b[i*size:], d.Round(x))
	}
	return b
}

var le = binary.LittleEndian

var decoders = map[ir.DType]func(b []byte) float64{
	ir.F32:  func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) },
	ir.Real: func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) },
	ir.BF16: func(b []byte) float64 { return float64(math.Float32frombits(uint32(le.Uint16(b)) << 16)) },
	ir.F16:  func(b []byte) float64 { return halfValue(le.Uint16(b)) },
	ir.I32:  func(b []byte) float64 { return float64(int32(le.Uint32(b))) },
	ir.U32:  func(b []byte) float64 { return float64(le.Uint32(b)) },
	ir.U8:   func(b []byte) float64 { return float64(b[0]) },
	ir.Bool: func(b []byte) float64 { return ir.Bool.Round(float64(b[0])) },
}

var encoders = map[ir.DType]func(b []byte, x float64){
	ir.F32:  func(b []byte, x float64) { le.PutUint32(b, math.Float32bits(float32(x))) },
	ir.Real: func(b []byte, x float64) { le.PutUint32(b, math.Float32bits(float32(x))) },
	ir.BF16: func(b []byte, x float64) { le.PutUint16(b, uint16(math.Float32bits(float32(x))>>16)) },
	ir.F16:  func(b []byte, x float64) { le.PutUint16(b, halfBits(x)) },
	ir.I32:  func(b []byte, x float64) { le.PutUint32(b, uint32(int32(x))) },
	ir.U32:  func(b []byte, x float64) { le.PutUint32(b, uint32(x)) },
	ir.U8:   func(b []byte, x float64) { b[0] = byte(x) },
	ir.Bool: func(b []byte, x float64) { b[0] = byte(x) },
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

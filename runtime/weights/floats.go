package weights

import (
	"encoding/binary"
	"math"

	"vitc/runtime/safetensors"
)

// Floats reads a tensor of a floating type as f32. F16 and BF16 become f32 exactly, F64 is
// rounded to the nearest. Integers and bools are refused: they are no weights.
func Floats(f File, info Info) ([]float32, error) {
	if !IsFloat(info.DType) {
		return nil, (&table{name: f.Name()}).fault(info.Name, "not of a floating type", "F32, F16, BF16 or F64", info.String())
	}
	data, err := f.Read(info.Name)
	if err != nil {
		return nil, err
	}
	return Convert(info.DType, data), nil
}

// Convert reads the elements of a floating type, as Floats does.
func Convert(d safetensors.DType, data []byte) []float32 {
	convert, size := floats[d], d.Size()
	out := make([]float32, len(data)/size)
	for i := range out {
		out[i] = convert(data[i*size:])
	}
	return out
}

// IsFloat reports whether Floats and Convert read tensors of a type.
func IsFloat(d safetensors.DType) bool { return floats[d] != nil }

var floats = map[safetensors.DType]func([]byte) float32{
	safetensors.F32:  func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) },
	safetensors.F64:  func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) },
	safetensors.F16:  func(b []byte) float32 { return half(binary.LittleEndian.Uint16(b)) },
	safetensors.BF16: func(b []byte) float32 { return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16) },
}

// half converts an IEEE 754 binary16 to f32, exactly.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0x1f: // infinities and NaNs
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case 0: // zeros and subnormals: frac · 2^-24
		x := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(x) | sign)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

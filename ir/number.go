package ir

import "math"

// Numbers: what the values of each dtype are. Every value of every dtype is exact in float64,
// so that float64 carries them all in constant folding and in the interpreter.

// format is a binary floating-point format narrower than f32.
type format struct {
	precision int     // significant bits, the hidden one included
	emin      int     // exponent of the smallest normal number
	min, max  float64 // the smallest normal number, the largest finite one
}

var (
	bfloat = format{8, -126, 0x1p-126, 0x1.fep127}
	half   = format{11, -14, 0x1p-14, 65504}
)

// round is x in the format, to nearest, ties to even; too large becomes infinite. Where x is a
// normal number of the format, its last bits are rounded away as an integer, the carry running
// into the exponent as it should.
func (f format) round(x float64) float64 {
	if size := math.Abs(x); size >= f.min && size <= f.max {
		drop := 53 - f.precision
		b := math.Float64bits(x)
		b += 1<<(drop-1) - 1 + b>>drop&1
		return math.Float64frombits(b &^ (1<<drop - 1))
	}
	return f.roundAny(x)
}

// roundAny also rounds what is too small to be normal, too large, or no number.
func (f format) roundAny(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	_, e := math.Frexp(x) // |x| is in [2^(e-1), 2^e)
	unit := max(e, f.emin+1) - f.precision
	y := math.Ldexp(math.RoundToEven(math.Ldexp(x, -unit)), unit)
	if math.Abs(y) > f.max {
		return math.Inf(int(math.Copysign(1, x)))
	}
	return y
}

// Round is the value of dtype d that an operation in d gives for the exact result x: floats
// round to nearest with ties to even, integers wrap (x must be whole), bool is x != 0. Real
// rounds as F32.
func (d DType) Round(x float64) float64 {
	switch d {
	case F32, Real:
		return float64(float32(x))
	case BF16:
		return bfloat.round(x)
	case F16:
		return half.round(x)
	case Bool:
		if x != 0 {
			return 1
		}
		return 0
	}
	return d.Wrap(int64(x))
}

// Wrap is the value of the integer dtype d that agrees with x in d's bits; bool is x != 0.
func (d DType) Wrap(x int64) float64 {
	switch d {
	case I32:
		return float64(int32(x))
	case U32:
		return float64(uint32(x))
	case U8:
		return float64(uint8(x))
	case Bool:
		if x == 0 {
			return 0
		}
	}
	return 1
}

// Convert casts a value of one dtype to another: floats to integers truncate towards zero and
// saturate, with NaN giving 0; integers to integers wrap; all else rounds.
func Convert(x float64, from, to DType) float64 {
	if !from.Float() {
		return to.Round(x)
	}
	switch to {
	case I32:
		return saturate(x, math.MinInt32, math.MaxInt32)
	case U32:
		return saturate(x, 0, math.MaxUint32)
	case U8:
		return saturate(x, 0, math.MaxUint8)
	}
	return to.Round(x)
}

func saturate(x, least, largest float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return math.Trunc(min(max(x, least), largest))
}

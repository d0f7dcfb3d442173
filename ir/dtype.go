package ir

import "fmt"

// DType is the type of a tensor's elements.
type DType uint8

// The dtypes. Real is the language's opaque working precision; the precision pass turns it
// into F32 or BF16, and until then it behaves as F32.
const (
	Invalid DType = iota
	F32
	BF16
	F16
	Real
	I32
	U32
	U8
	Bool
)

var dtypes = [...]struct {
	name  string
	bytes int
	float bool
}{
	Invalid: {"invalid", 0, false},
	F32:     {"f32", 4, true},
	BF16:    {"bf16", 2, true},
	F16:     {"f16", 2, true},
	Real:    {"real", 4, true},
	I32:     {"i32", 4, false},
	U32:     {"u32", 4, false},
	U8:      {"u8", 1, false},
	Bool:    {"bool", 1, false},
}

func (d DType) String() string { return dtypes[d].name }

// Bytes is the size of one element.
func (d DType) Bytes() int { return dtypes[d].bytes }

// Float reports whether d is a floating dtype, Real included.
func (d DType) Float() bool { return dtypes[d].float }

// ParseDType is the inverse of String.
func ParseDType(s string) (DType, bool) {
	for d, row := range dtypes {
		if d != int(Invalid) && row.name == s {
			return DType(d), true
		}
	}
	return Invalid, false
}

// MarshalText writes the dtype's name.
func (d DType) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a dtype's name.
func (d *DType) UnmarshalText(b []byte) error {
	p, ok := ParseDType(string(b))
	if !ok {
		return fmt.Errorf("there is no dtype %q", b)
	}
	*d = p
	return nil
}

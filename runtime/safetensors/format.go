// Package safetensors reads and writes the safetensors format: eight bytes with the
// little-endian length of a JSON header, the header, and the tensors' bytes back to
// back, row-major and little-endian.
// (https://huggingface.co/docs/safetensors, "Format".)
package safetensors

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// DType is an element type under the format's name for it.
type DType string

// The element types of a multiple of eight bits.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U64  DType = "U64"
	U32  DType = "U32"
	U16  DType = "U16"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// dtypes gives the size of an element in bytes, in the order that messages list them.
var dtypes = []struct {
	dtype DType
	size  int
}{
	{F64, 8}, {F32, 4}, {F16, 2}, {BF16, 2},
	{I64, 8}, {I32, 4}, {I16, 2}, {I8, 1},
	{U64, 8}, {U32, 4}, {U16, 2}, {U8, 1}, {Bool, 1},
}

// Size is the size of an element in bytes, 0 for a type this package does not know.
func (d DType) Size() int {
	for _, row := range dtypes {
		if row.dtype == d {
			return row.size
		}
	}
	return 0
}

// dtypeNames lists the known types for messages.
func dtypeNames() string {
	names := make([]string, len(dtypes))
	for i, row := range dtypes {
		names[i] = string(row.dtype)
	}
	return strings.Join(names, " ")
}

// The limits of the reference implementation: a longer header is an attack or a mistake.
const (
	lengthBytes     = 8
	maxHeaderBytes  = 100_000_000
	headerAlignment = 8
	metadataKey     = "__metadata__"
)

// Info describes one tensor of a file.
type Info struct {
	Name   string
	DType  DType
	Shape  []int // empty: a scalar
	Offset int64 // of its first byte, from the end of the header
	Bytes  int64
}

// String prints the type as "F32[2 3]".
func (t Info) String() string { return TypeString(t.DType, t.Shape) }

// TypeString prints a dtype and a shape as "F32[2 3]".
func TypeString(d DType, shape []int) string { return fmt.Sprintf("%s%v", d, shape) }

// ByteSize is the number of bytes of a tensor, or false where the type is unknown, a
// size negative, or the product beyond 63 bits.
func ByteSize(d DType, shape []int) (int64, bool) {
	n := uint64(d.Size())
	if n == 0 {
		return 0, false
	}
	if slices.Min(append([]int{1}, shape...)) < 0 {
		return 0, false
	}
	if slices.Contains(shape, 0) {
		return 0, true // however large the others are
	}
	for _, size := range shape {
		hi, lo := bits.Mul64(n, uint64(size))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, false
		}
		n = lo
	}
	return int64(n), true
}

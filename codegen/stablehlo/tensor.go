package stablehlo

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
)

// elem is an element type, by its name in MLIR.
type elem string

// The element types; u64 is for the counters of long draws only.
const (
	f32  elem = "f32"
	bf16 elem = "bf16"
	f16  elem = "f16"
	i32  elem = "i32"
	u32  elem = "ui32"
	u64  elem = "ui64"
	u8   elem = "ui8"
	i1   elem = "i1"
)

var elems = map[ir.DType]elem{ir.F32: f32, ir.BF16: bf16, ir.F16: f16, ir.I32: i32, ir.U32: u32, ir.U8: u8, ir.Bool: i1}

func (t elem) float() bool { return t == f32 || t == bf16 || t == f16 }

// narrow floats sum in f32.
func (t elem) narrow() bool { return t == bf16 || t == f16 }

// comparison is how values of the type compare.
func (t elem) comparison() string {
	switch {
	case t.float():
		return "FLOAT"
	case t == i32:
		return "SIGNED"
	}
	return "UNSIGNED"
}

// tensor is a type.
type tensor struct {
	shape []int
	elem  elem
}

// typeOf is the type of a value of the IR.
func typeOf(t ir.Type) tensor { return tensor{t.Shape(), elems[t.DType]} }

func (t tensor) as(e elem) tensor { return tensor{t.shape, e} }

func (t tensor) String() string {
	var b strings.Builder
	b.WriteString("tensor<")
	for _, n := range t.shape {
		b.WriteString(strconv.Itoa(n))
		b.WriteByte('x')
	}
	b.WriteString(string(t.elem))
	b.WriteByte('>')
	return b.String()
}

// value is a value of the text.
type value struct {
	id string // %12, %12#1
	tensor
}

// types lists values' types.
func types(vs []value) string {
	ts := make([]string, len(vs))
	for i, v := range vs {
		ts[i] = v.tensor.String()
	}
	return strings.Join(ts, ", ")
}

// names lists values' names.
func names(vs []value) string {
	ids := make([]string, len(vs))
	for i, v := range vs {
		ids[i] = v.id
	}
	return strings.Join(ids, ", ")
}

// list writes numbers as 1, 2, 3.
func list(ns []int) string {
	s := make([]string, len(ns))
	for i, n := range ns {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ", ")
}

// number writes a literal: decimal digits that read back as the very same float32, which
// narrower floats are exact in, or an integer.
func number(t elem, x float64) string {
	switch {
	case t == i1:
		return strconv.FormatBool(x != 0)
	case !t.float():
		return strconv.FormatInt(int64(x), 10)
	case math.IsNaN(x) || math.IsInf(x, 0):
		return special(t, x)
	}
	s := strconv.FormatFloat(x, 'g', -1, 32)
	if digits, exponent, ok := strings.Cut(s, "e"); !strings.Contains(digits, ".") {
		s = digits + ".0"
		if ok {
			s += "e" + exponent
		}
	}
	return s
}

// special writes infinities and NaN, which MLIR has no decimal form for, as bits.
func special(t elem, x float64) string {
	bits := math.Float32bits(float32(x))
	switch {
	case t == bf16:
		return fmt.Sprintf("0x%04X", bits>>16)
	case t == f16 && math.IsNaN(x):
		return "0x7E00"
	case t == f16:
		return fmt.Sprintf("0x%04X", bits>>16&0x8000|0x7C00)
	}
	return fmt.Sprintf("0x%08X", bits)
}

// lowest is the identity of a maximum, and highest that of a minimum.
func lowest(t elem) float64 {
	switch {
	case t.float():
		return math.Inf(-1)
	case t == i32:
		return math.MinInt32
	}
	return 0
}

func highest(t elem) float64 {
	switch t {
	case i32:
		return math.MaxInt32
	case u32:
		return math.MaxUint32
	case u8:
		return math.MaxUint8
	}
	return math.Inf(1)
}

// without is a shape without some of its dims.
func without(shape, dims []int) []int {
	out := []int{}
	for i, n := range shape {
		if !slices.Contains(dims, i) {
			out = append(out, n)
		}
	}
	return out
}

// with is a copy of a list with one element changed.
func with(list []int, at, n int) []int {
	out := slices.Clone(list)
	out[at] = n
	return out
}

// split is a shape with one dim replaced by several.
func split(shape []int, at int, by ...int) []int {
	out := append([]int{}, shape[:at]...)
	return append(append(out, by...), shape[at+1:]...)
}

// ascending is 0, 1, .. n-1.
func ascending(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

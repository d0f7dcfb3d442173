package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Dim is one dimension: Label serves people, plans and messages, and no rule reads it.
type Dim struct {
	Label string `json:"label"`
	Size  int    `json:"size"`
}

// Type is a tensor's dtype and its dims in memory order, major first.
type Type struct {
	DType DType `json:"dtype"`
	Dims  []Dim `json:"dims"`
}

// T makes a type.
func T(d DType, dims ...Dim) Type { return Type{d, dims} }

// Rank is the number of dims.
func (t Type) Rank() int { return len(t.Dims) }

// Size is the number of elements.
func (t Type) Size() int {
	n := 1
	for _, d := range t.Dims {
		n *= d.Size
	}
	return n
}

// Bytes is the size of a dense row-major buffer of the type.
func (t Type) Bytes() int { return t.Size() * t.DType.Bytes() }

// Shape lists the sizes.
func (t Type) Shape() []int {
	s := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		s[i] = d.Size
	}
	return s
}

// Strides are the row-major strides, in elements.
func (t Type) Strides() []int {
	s := make([]int, len(t.Dims))
	n := 1
	for i := len(t.Dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= t.Dims[i].Size
	}
	return s
}

// As is the type with another dtype.
func (t Type) As(d DType) Type { return Type{d, t.Dims} }

// Same reports whether dtype and sizes agree; labels may differ.
func (t Type) Same(u Type) bool { return t.DType == u.DType && t.SameShape(u) }

// SameShape reports whether the sizes agree.
func (t Type) SameShape(u Type) bool {
	return slices.EqualFunc(t.Dims, u.Dims, func(a, b Dim) bool { return a.Size == b.Size })
}

// String prints the type as in the text form: f32[batch:64, width:32].
func (t Type) String() string {
	var b strings.Builder
	b.WriteString(t.DType.String())
	b.WriteByte('[')
	for i, d := range t.Dims {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s:%d", d.Label, d.Size)
	}
	b.WriteByte(']')
	return b.String()
}

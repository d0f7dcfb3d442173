package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Dim is one dimension: Label serves people, plans and messages, and no rule reads it. Once a
// module is partitioned, Size is what one device holds, and Global, where it is not 0, is the
// size of the whole dim without the padding that made it divide; 0 says that nothing was padded.
type Dim struct {
	Label  string `json:"label"`
	Size   int    `json:"size"`
	Global int    `json:"global,omitempty"`
}

// Type is a tensor's dtype and its dims in memory order, major first. Shard says how the devices
// of the module's mesh hold it; nil: each device holds all of it. A sharding belongs to all the
// types that point to it, and is never written to.
type Type struct {
	DType  DType     `json:"dtype"`
	Flight bool      `json:"-"` // a collective that has been started gives it once it is done
	Dims   []Dim     `json:"dims"`
	Shard  *Sharding `json:"shard,omitempty"`
}

// T makes a type.
func T(d DType, dims ...Dim) Type { return Type{DType: d, Dims: dims} }

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
func (t Type) As(d DType) Type {
	t.DType = d
	return t
}

// Same reports whether dtype and sizes agree; labels and sharding may differ.
func (t Type) Same(u Type) bool { return t.DType == u.DType && t.Flight == u.Flight && t.SameShape(u) }

// SameShape reports whether the sizes agree.
func (t Type) SameShape(u Type) bool {
	return slices.EqualFunc(t.Dims, u.Dims, func(a, b Dim) bool { return a.Size == b.Size })
}

// String prints the type as in the text form: f32[batch:64, width:32]{batch@data}.
func (t Type) String() string {
	var b strings.Builder
	if t.Flight {
		b.WriteByte('~')
	}
	b.WriteString(t.DType.String())
	b.WriteByte('[')
	for i, d := range t.Dims {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s:%d", d.Label, d.Size)
		if d.Global != 0 {
			fmt.Fprintf(&b, "/%d", d.Global)
		}
	}
	b.WriteByte(']')
	b.WriteString(t.shardText())
	return b.String()
}

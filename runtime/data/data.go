// Package data reads examples, augments them on the host and groups them into batches.
//
// Everything random is a function of (seed, pass, example): the batch of a step is the
// same whatever the number of workers, whether the run began at step 0 or was resumed
// there.
package data

import (
	"fmt"
	"strings"
)

// DType is an element type, by the language's name.
type DType string

// The element types that sources give.
const (
	U8  DType = "u8"
	I32 DType = "i32"
)

// Size is the size of an element in bytes, 0 for a type that no source gives.
func (d DType) Size() int {
	switch d {
	case U8:
		return 1
	case I32:
		return 4
	}
	return 0
}

// Dim is a named, sized axis.
type Dim struct {
	Label string
	Size  int
}

// Field is what a data block declares under one name. Batches hold it as [batch, Dims...],
// row-major, little-endian.
type Field struct {
	Name  string
	DType DType
	Dims  []Dim
}

// Bytes is the size of one example of the field.
func (f Field) Bytes() int {
	n := f.DType.Size()
	for _, d := range f.Dims {
		n *= d.Size
	}
	return n
}

// String prints the field as "image: u8[row:28, col:28, channel:1]".
func (f Field) String() string {
	dims := make([]string, len(f.Dims))
	for i, d := range f.Dims {
		dims[i] = fmt.Sprintf("%s:%d", d.Label, d.Size)
	}
	return fmt.Sprintf("%s: %s[%s]", f.Name, f.DType, strings.Join(dims, ", "))
}

// Arg is an argument of a source or stage: by name, or by position where Name is empty.
// Value is an int, int64, float64, string or bool.
type Arg struct {
	Name  string
	Value any
}

// Call is a source or stage as a program writes it: shift(2), idx(images: "a", labels: "b").
type Call struct {
	Name string
	Args []Arg
}

// Shuffle says how a training pass orders its examples: ShuffleNone, ShuffleAll, or the
// number n of examples within which they are mixed (see order).
type Shuffle int

// The two orders that are not a number.
const (
	ShuffleNone Shuffle = 0
	ShuffleAll  Shuffle = -1
)

// Decl is a data block with its parameters filled in.
type Decl struct {
	Name    string
	Fields  []Field
	Source  Call
	Stages  []Call
	Shuffle Shuffle
}

// Options is what opening a data set needs beside its declaration. The zero value works.
type Options struct {
	Dir        string   // the program's folder, where relative paths are looked up first; "": the working folder
	Search     []string // folders looked up next; nil: DefaultSearch
	Seed       uint64   // of shuffling and stages
	Classes    int      // labels must be below it; 0: any
	ClassNames []string // numbers classes known by name, where all of the source's are among them
	CacheBytes int64    // of decoded pictures kept in memory; 0: DefaultCacheBytes, below 0: none
}

// DefaultCacheBytes holds 1,600 colour pictures of 224 pixels.
const DefaultCacheBytes = 256 << 20

// DefaultSearch is where operating systems put data sets.
var DefaultSearch = []string{"/usr/share/datasets/fashion-mnist"}

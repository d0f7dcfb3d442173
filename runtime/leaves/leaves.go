// Package leaves reads the values of a model's parameters and states from a safetensors file:
// a run's checkpoint, or one that holds a model alone.
package leaves

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/checkpoint"
	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// KeyClasses is the metadata of a checkpoint that names its classes: a JSON list.
const KeyClasses = "classes"

// File is an open file of weights.
type File struct {
	*safetensors.File
	Classes []string // names of the classes by number, nil where the file does not say
	root    string   // what the names of the file's only model begin with, "" where there are several
}

// Open opens a file, or the latest whole checkpoint of a folder. The caller closes it.
func Open(path string) (*File, error) {
	st, err := checkpoint.OpenTensors(path)
	if err != nil {
		return nil, err
	}
	f := &File{File: st}
	f.root = commonRoot(st.Tensors())
	if text, ok := st.Metadata()[KeyClasses]; ok && json.Unmarshal([]byte(text), &f.Classes) != nil {
		st.Close()
		return nil, &fault.Error{Where: path + ": metadata " + KeyClasses, Msg: "not the names of classes", Expected: "a JSON list of strings"}
	}
	return f, nil
}

// commonRoot is the first part, with its point, of the names of all that is a model's: neither a
// counter nor an optimizer's or an average. It is empty where there are several.
func commonRoot(list []safetensors.Info) string {
	root := ""
	for _, t := range list {
		first, _, ok := strings.Cut(t.Name, ".")
		switch {
		case !ok || first == "opt" || first == "ema" || first+"." == root:
		case root != "":
			return ""
		default:
			root = first + "."
		}
	}
	return root
}

// Named finds the tensor of a leaf: under the leaf's name, or, as a model's name is its
// program's choice, under that of the file's only model, or none, in its place.
func (f *File) Named(leaf string) (safetensors.Info, bool) {
	if t, ok := f.Lookup(leaf); ok {
		return t, true
	}
	if _, rest, ok := strings.Cut(leaf, "."); ok {
		return f.Lookup(f.root + rest)
	}
	return safetensors.Info{}, false
}

// Read returns the bytes of a leaf in the leaf's own dtype: of floating dtypes the file's is
// converted. Axes must agree in order and size.
func (f *File) Read(leaf ir.Leaf) ([]byte, error) {
	t, ok := f.Named(leaf.Name)
	if !ok {
		return nil, f.missing(leaf)
	}
	if !slices.Equal(t.Shape, leaf.Type.Shape()) {
		return nil, &fault.Error{Where: f.Name() + ": tensor " + t.Name, Msg: fmt.Sprintf("does not fit %s", leaf.Name),
			Expected: leaf.Type.String(), Found: t.String()}
	}
	data, err := f.File.Read(t.Name)
	if err != nil {
		return nil, err
	}
	out, ok := converted(data, t.DType, leaf.Type.DType)
	if !ok {
		return nil, &fault.Error{Where: f.Name() + ": tensor " + t.Name, Msg: "another type of elements", Expected: leaf.Type.DType.String(), Found: string(t.DType)}
	}
	return out, nil
}

func (f *File) missing(leaf ir.Leaf) error {
	var names []string
	for _, t := range f.Tensors() {
		names = append(names, t.Name)
	}
	e := &fault.Error{Where: f.Name(), Msg: "no tensor for " + leaf.Name, Expected: leaf.Type.String(), Found: fmt.Sprintf("%d others", len(names))}
	if near := diag.Nearest(leaf.Name, names); near != "" {
		e.Found += ", the nearest " + near
	}
	e.Fix = "the checkpoint of this program; vitc import brings weights of other libraries in"
	return e
}

// converted brings the elements of a tensor to a leaf's dtype.
func converted(data []byte, from safetensors.DType, to ir.DType) ([]byte, bool) {
	if to == ir.Real {
		to = ir.F32
	}
	if strings.EqualFold(string(from), to.String()) {
		return data, true
	}
	widen := map[safetensors.DType]func(uint16) float32{
		safetensors.BF16: func(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) },
		safetensors.F16:  half,
	}[from]
	if widen == nil || to != ir.F32 {
		return nil, false
	}
	out := make([]byte, 0, 2*len(data))
	for ; len(data) > 0; data = data[2:] {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(widen(binary.LittleEndian.Uint16(data))))
	}
	return out, true
}

// half is the value of an IEEE 754 binary16.
func half(x uint16) float32 {
	sign, exponent, mantissa := uint32(x>>15)<<31, int(x>>10&31), uint32(x&1023)
	switch exponent {
	case 0: // zero, subnormal: exact in f32
		return math.Float32frombits(sign | math.Float32bits(float32(mantissa)*0x1p-24))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | mantissa<<13)
	}
	return math.Float32frombits(sign | uint32(exponent+127-15)<<23 | mantissa<<13)
}

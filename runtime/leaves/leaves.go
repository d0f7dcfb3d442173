// Package leaves finds a program's own leaves, by their names, in a safetensors file: a run's checkpoint,
// or one that holds a model alone. Files of others are read by package mapping, through an import
// block; both read numbers by package weights.
package leaves

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/checkpoint"
	"vitc/runtime/fault"
	"vitc/runtime/mapping"
	"vitc/runtime/safetensors"
	"vitc/runtime/weights"
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
	if to != ir.F32 || !weights.IsFloat(from) {
		return nil, false
	}
	out, err := mapping.Bytes(to, weights.Convert(from, data))
	return out, err == nil
}

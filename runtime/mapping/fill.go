package mapping

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/fault"
	"vitc/runtime/weights"
)

// Codes of the diagnostics.
const (
	CodeFit     = "V0304" // a tensor of a file and a leaf do not fit together
	CodeMissing = "V0411" // a file has no tensor for a leaf
	CodeUnread  = "V0412" // a file has tensors that nothing reads
	CodeFile    = "V0413" // a file of weights cannot be read
	CodeInverse = "V0414" // a line that cannot be turned round
)

// Files opens the files of fills, each once.
type Files struct {
	path func(file string) string
	open map[string]weights.File
}

// NewFiles opens files by the path that path gives for the name in a program.
func NewFiles(path func(file string) string) *Files {
	return &Files{path, map[string]weights.File{}}
}

// Get opens a file, or finds it open.
func (f *Files) Get(name string) (weights.File, error) {
	if file := f.open[name]; file != nil {
		return file, nil
	}
	file, err := weights.Open(f.path(name))
	if err == nil {
		f.open[name] = file
	}
	return file, err
}

// Close closes them all.
func (f *Files) Close() error {
	var errs []error
	for _, file := range f.open {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// Filled is a leaf whose value has been found in a file: what the way reads fits the leaf. A way without
// an expression leaves the leaf to its initialiser.
type Filled struct {
	ir.Fill
	Way     ir.Way
	Read    []string // the tensors that it reads, sorted
	Resized bool     // it is interpolated from another size
	Exact   bool     // all its tensors are F32
	files   *Files
}

// Find chooses the way to each leaf's value. It reads no numbers, so that what does not fit is
// said before anything is computed.
func Find(fills []ir.Fill, files *Files) ([]*Filled, diag.List) {
	var out []*Filled
	var list diag.List
	for _, fill := range fills {
		f, d := find(fill, files)
		if d != nil {
			list.Add(d)
			if d.Code == CodeFile {
				return nil, list // the same for every leaf
			}
			continue
		}
		out = append(out, f)
	}
	if d := twice(out); d != nil {
		list.Add(d)
	}
	return out, list
}

// find takes the first way that fits, or reports the first whose tensors are all there, or the
// first of all.
func find(fill ir.Fill, files *Files) (*Filled, *diag.Diagnostic) {
	var first *diag.Diagnostic
	for _, way := range fill.Ways {
		if way.Value == nil && first != nil && first.Code != CodeMissing {
			break // what does not fit is there, and would be left out
		}
		f, d := try(fill, way, files)
		if d == nil {
			return f, nil
		}
		if first == nil || first.Code == CodeMissing && d.Code == CodeFit {
			first = d
		}
	}
	if first == nil {
		first = &diag.Diagnostic{Code: CodeMissing, Pos: fill.Pos, Msg: "nothing fills " + fill.Leaf}
	}
	return nil, first
}

func try(fill ir.Fill, way ir.Way, files *Files) (*Filled, *diag.Diagnostic) {
	if way.Value == nil {
		return &Filled{Fill: fill, Way: way, Exact: true, files: files}, nil
	}
	s := &shaper{open: func(name string) (weights.File, error) {
		f, err := files.Get(name)
		if err != nil {
			return nil, &unreadable{err}
		}
		return f, nil
	}}
	axes, err := s.axes(way.Value)
	if err == nil {
		err = compare(fill, way, axes)
	}
	if err != nil {
		return nil, misfit(fill, way, err)
	}
	out := &Filled{Fill: fill, Way: way, Exact: true, files: files}
	way.Value.Walk(func(w *ir.Weight) {
		out.Read = append(out.Read, w.Names...)
		if w.Op == ir.WeightResize {
			in, _ := s.axes(w.In[0])
			to, _ := s.axes(w)
			out.Resized = out.Resized || !slices.Equal(in, to)
		}
		for _, name := range w.Names {
			f, _ := files.Get(w.File)
			info, _ := weights.Lookup(f, name)
			out.Exact = out.Exact && info.DType == "F32"
		}
	})
	slices.Sort(out.Read)
	out.Read = slices.Compact(out.Read)
	return out, nil
}

// unreadable marks an error of the file itself.
type unreadable struct{ error }

func (u *unreadable) Unwrap() error { return u.error }

// compare holds the axes of a way's value to those of the leaf, in any order.
func compare(fill ir.Fill, way ir.Way, axes []ir.Dim) error {
	want := fill.Type.Dims
	turns := 1
	for _, t := range way.Turns {
		if !slices.Contains(want, t) {
			return &fault.Error{Msg: fmt.Sprintf("the leaf has no axis %s", t.Label), Fix: "build the program again"}
		}
		turns *= t.Size
		want = replaced(want, t.Label, nil)
	}
	fits := len(want) == len(axes)
	for _, d := range axes {
		fits = fits && slices.Contains(want, d)
	}
	way.Value.Walk(func(w *ir.Weight) { fits = fits && (w.Op != ir.WeightLoad || len(w.Names) == turns) })
	if fits {
		return nil
	}
	e := &fault.Error{Expected: fill.Type.DType.String() + show(want), Found: "f32" + show(ordered(axes, want))}
	var resize []string
	for _, d := range want {
		if i := place(axes, d.Label); i >= 0 && axes[i].Size != d.Size {
			resize = append(resize, d.Label)
		}
	}
	if len(resize) > 0 && len(axes) == len(want) {
		e.Fix = fmt.Sprintf("resize(..., over: (%s)), if other sizes are meant", strings.Join(resize, ", "))
	}
	return e
}

// ordered lists axes in the order of others, where these have them.
func ordered(l, like []ir.Dim) []ir.Dim {
	out := slices.Clone(l)
	rank := func(d ir.Dim) int {
		if i := place(like, d.Label); i >= 0 {
			return i
		}
		return len(like)
	}
	slices.SortStableFunc(out, func(a, b ir.Dim) int { return rank(a) - rank(b) })
	return out
}

// misfit makes the diagnostic of a way that does not work.
func misfit(fill ir.Fill, way ir.Way, err error) *diag.Diagnostic {
	var bad *unreadable
	if errors.As(err, &bad) {
		return fault.Diagnostic(bad.error, CodeFile, way.Pos)
	}
	d := fault.Diagnostic(err, CodeFit, way.Pos)
	var none *missingError
	if errors.As(err, &none) {
		d.Code = CodeMissing
		d.Msg = fmt.Sprintf("nothing for `%s`, %s: %s", fill.Leaf, fill.Type, d.Msg)
		return d
	}
	what := d.Msg
	d.Msg = fmt.Sprintf("`%s` does not fit the loaded value", fill.Leaf)
	if what != "" {
		d.Notes = append(d.Notes, diag.Note{Text: what})
	}
	d.Notes = append(d.Notes, diag.Note{Pos: fill.Pos, Text: "the leaf is " + fill.Type.String()})
	return d
}

// missingError says that a file has no tensor of a name.
type missingError struct{ error }

// Unwrap gives the parts.
func (e *missingError) Unwrap() error { return e.error }

func missing(f weights.File, name string) error {
	names := make([]string, len(f.Tensors()))
	for i, t := range f.Tensors() {
		names[i] = t.Name
	}
	e := &fault.Error{Where: f.Name(), Msg: "the file has no tensor " + weights.Quote(name), Found: fmt.Sprintf("%d others", len(names))}
	if near := diag.Nearest(name, names); near != "" {
		info, _ := weights.Lookup(f, near)
		e.Found += fmt.Sprintf(", the nearest %s, %s", weights.Quote(near), info)
	}
	for _, have := range names {
		if root, ok := strings.CutSuffix(have, name); ok && root != "" {
			e.Fix = fmt.Sprintf("names in the file begin with %q: where the import block has a parameter `root`, give it that", root)
		} else if root, ok := strings.CutSuffix(name, have); ok && root != "" && strings.HasSuffix(root, ".") {
			e.Fix = fmt.Sprintf("names in the file lack %q: where the import block has a parameter `root`, give it \"\"", root)
		}
	}
	return &missingError{e}
}

// Value evaluates the leaf: its numbers, row-major.
func (f *Filled) Value() ([]float32, error) {
	leaf := fresh(f.Type.Dims)
	turns := 1
	for _, t := range f.Way.Turns {
		turns *= t.Size
	}
	for turn := range turns {
		e := &evaluator{load: func(w *ir.Weight) (*view, error) { return f.load(w, w.Names[turn]) }}
		v, err := e.value(f.Way.Value)
		if err != nil {
			return nil, err
		}
		slot(leaf, f.Way.Turns, turn).assign(v)
	}
	return leaf.data, nil
}

// slot is the part of a leaf that one turn fills.
func slot(leaf *view, turns []ir.Dim, turn int) *view {
	for _, t := range slices.Backward(turns) {
		leaf = leaf.index(t.Label, turn%t.Size)
		turn /= t.Size
	}
	return leaf
}

func (f *Filled) load(w *ir.Weight, name string) (*view, error) {
	file, err := f.files.Get(w.File)
	if err != nil {
		return nil, err
	}
	info, ok := weights.Lookup(file, name)
	if !ok {
		return nil, missing(file, name)
	}
	l, err := fit(file, info, w.Dims)
	if err != nil {
		return nil, err
	}
	data, err := weights.Floats(file, info)
	if err != nil {
		return nil, err
	}
	return dense(data, l), nil
}

// Bytes are a leaf's numbers in its own dtype, little-endian. Numbers are rounded to the nearest,
// ties to even, where the leaf is narrower than f32.
func Bytes(d ir.DType, data []float32) ([]byte, error) {
	switch d {
	case ir.F32, ir.Real:
		out := make([]byte, 0, 4*len(data))
		for _, x := range data {
			b := math.Float32bits(x)
			out = append(out, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
		}
		return out, nil
	case ir.BF16:
		out := make([]byte, 0, 2*len(data))
		for _, x := range data {
			b := math.Float32bits(x)
			if x == x {
				b += 0x7fff + b>>16&1
			}
			out = append(out, byte(b>>16), byte(b>>24))
		}
		return out, nil
	}
	return nil, &fault.Error{Msg: "weights are not stored as " + d.String(), Expected: "f32 or bf16"}
}

// FromBytes reads f32 numbers, little-endian.
func FromBytes(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24)
	}
	return out
}

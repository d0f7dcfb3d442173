package driver

import (
	"path/filepath"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/lang"
	"vitc/runtime/fault"
	"vitc/runtime/leaves"
	"vitc/runtime/mapping"
	"vitc/runtime/train"
	"vitc/runtime/weights"
)

// Weights names a program's model, and a file of weights beside it.
type Weights struct {
	Source
	File string // of weights
	As   string // import block, or a call of it; "": the one that fits
	Into string // path of the model where a train block has several
	Out  string // file to write, "" for none
}

// ImportReport is what `vitc import` and `vitc export` say.
type ImportReport struct {
	File    string      `json:"file"`
	Block   string      `json:"block"`
	Model   string      `json:"model"` // path of the model in the program
	Out     string      `json:"out,omitempty"`
	Leaves  []ImportRow `json:"leaves"`
	Numbers int         `json:"numbers"`
	Unused  []string    `json:"unused,omitempty"` // tensors that the block knows to be unneeded
}

// ImportRow is one leaf and where it lies.
type ImportRow struct {
	Leaf    string   `json:"leaf"`
	Type    string   `json:"type"`
	From    []string `json:"from"`
	Resized bool     `json:"resized,omitempty"`
	Rounded bool     `json:"rounded,omitempty"` // the file's numbers are of another dtype
}

// metadata of a file of imported weights.
const keyImport = "vitc.import"

// ImportWeights maps a file of another library to the leaves of a model, and writes them under
// their names here.
func ImportWeights(s *Sources, q Weights) (*ImportReport, error) {
	u, of, err := openModel(s, q.Source)
	if err != nil {
		return nil, err
	}
	files := mapping.NewFiles(func(string) string { return q.File })
	defer files.Close()
	f, err := files.Get("")
	if err != nil {
		return nil, fault.Diagnostic(err, mapping.CodeFile, diag.Pos{})
	}
	block, found, err := chooseImport(u, of, q, f, files)
	if err != nil {
		return nil, err
	}
	r := reportImport(q, block, found)
	for _, t := range f.Tensors() {
		if slices.ContainsFunc(block.Unused, func(p string) bool { return ir.MatchName(p, t.Name) }) {
			r.Unused = append(r.Unused, t.Name)
		}
	}
	if q.Out == "" {
		return r, nil
	}
	initial, err := initialValues(block)
	if err != nil {
		return nil, err
	}
	var out []weights.Tensor
	for _, x := range found {
		data := initial[x.Leaf]
		if x.Way.Value != nil {
			if data, err = x.Value(); err != nil {
				return nil, fault.Diagnostic(err, mapping.CodeFile, x.Way.Pos)
			}
		}
		out = append(out, weights.Tensor{Name: x.Leaf, Shape: x.Type.Shape(), Data: data})
	}
	meta := map[string]string{keyImport: block.Name + " of " + filepath.Base(q.File)}
	return r, written(weights.WriteFile(q.Out, meta, out))
}

// initialValues computes what leaves begin with that the file need not have, for the seed 0.
func initialValues(block *ir.Import) (map[string][]float32, error) {
	out := map[string][]float32{}
	if block.Init == nil {
		return out, nil
	}
	seed := interp.New(ir.T(ir.U32, ir.Dim{Label: "word", Size: 2}))
	values, err := interp.Run(block.Init, []*interp.Tensor{seed}, interp.Options{})
	if err != nil {
		return nil, &InternalError{Err: err}
	}
	for i, v := range values {
		data := make([]float32, len(v.F))
		for k, x := range v.F {
			data[k] = float32(x)
		}
		out[block.Init.Results[i].Name] = data
	}
	return out, nil
}

func written(err error) error {
	if err == nil {
		return nil
	}
	return fault.Diagnostic(err, train.CodeWrite, diag.Pos{})
}

// openModel reads a program and finds the train block or model that is meant.
func openModel(s *Sources, q Source) (*lang.Unit, string, error) {
	u, list, err := loadUnit(s, q)
	if err != nil {
		return nil, "", err
	}
	if err := failure(list); err != nil {
		return nil, "", err
	}
	_, name, err := chooseDescribed(u, q)
	return u, name, err
}

// chooseImport applies the block that is asked for, or the only one that fits.
func chooseImport(u *lang.Unit, of string, q Weights, f weights.File, files *mapping.Files) (*ir.Import, []*mapping.Filled, error) {
	if q.As != "" {
		return applyImport(u, of, q.As, q, f, files)
	}
	type fit struct {
		block *ir.Import
		found []*mapping.Filled
	}
	var fits []fit
	var names []string
	d := &diag.Diagnostic{Code: mapping.CodeMissing, Msg: "no import block fits the file", Pos: diag.Pos{File: q.File}, Fix: "--as NAME, for all that does not fit"}
	for _, name := range lang.Imports(u) {
		block, found, err := applyImport(u, of, name, q, f, files)
		if err == nil {
			fits, names = append(fits, fit{block, found}), append(names, name)
			continue
		}
		if why := Diagnose(err); len(why) > 0 {
			d.Notes = append(d.Notes, diag.Note{Text: name + ": " + why[0].Msg})
		}
	}
	switch len(fits) {
	case 0:
		return nil, nil, d
	case 1:
		return fits[0].block, fits[0].found, nil
	}
	return nil, nil, usagef(CodeValue, "--as "+names[0], "several import blocks fit the file: %s", strings.Join(names, ", "))
}

func applyImport(u *lang.Unit, of, as string, q Weights, f weights.File, files *mapping.Files) (*ir.Import, []*mapping.Filled, error) {
	block, list := lang.ImportBlock(u, of, as, q.Into, lang.Options{Params: q.Params})
	if err := failure(list); err != nil {
		return nil, nil, err
	}
	found, list := mapping.Find(block.Fills, files)
	if d := mapping.Leftover(f, mapping.Unread(f, found, nil, block.Unused), block.Pos); d != nil {
		list.Add(d)
	}
	return block, found, failure(list)
}

func reportImport(q Weights, block *ir.Import, found []*mapping.Filled) *ImportReport {
	r := &ImportReport{File: q.File, Block: block.Name, Model: block.Root, Out: q.Out}
	for _, x := range found {
		r.Leaves = append(r.Leaves, ImportRow{Leaf: x.Leaf, Type: x.Type.String(), From: x.Read, Resized: x.Resized, Rounded: !x.Exact})
		r.Numbers += x.Type.Size()
	}
	return r
}

// ExportWeights lays a model's leaves, as a run or ImportWeights saved them, out as the library
// of an import block has them.
func ExportWeights(s *Sources, q Weights) (*ImportReport, error) {
	u, of, err := openModel(s, q.Source)
	if err != nil {
		return nil, err
	}
	block, list := lang.ImportBlock(u, of, q.As, q.Into, lang.Options{Params: q.Params})
	if err := failure(list); err != nil {
		return nil, err
	}
	f, err := leaves.Open(q.File)
	if err != nil {
		return nil, fault.Diagnostic(err, mapping.CodeFile, diag.Pos{})
	}
	defer f.Close()
	tensors, err := mapping.Inverse(block.Fills, func(fill ir.Fill) ([]float32, error) { return readLeaf(f, fill) })
	if err != nil {
		return nil, err
	}
	r := &ImportReport{File: q.File, Block: block.Name, Model: block.Root, Out: q.Out}
	for _, fill := range block.Fills {
		row := ImportRow{Leaf: fill.Leaf, Type: fill.Type.String()}
		fill.Ways[0].Walk(func(w *ir.Weight) { row.From = append(row.From, w.Names...) })
		r.Leaves, r.Numbers = append(r.Leaves, row), r.Numbers+fill.Type.Size()
	}
	return r, written(weights.WriteFile(q.Out, map[string]string{"format": "pt"}, tensors))
}

// readLeaf reads a leaf's numbers, its average where one was kept.
func readLeaf(f *leaves.File, fill ir.Fill) ([]float32, error) {
	leaf := ir.Leaf{Name: fill.Leaf, Type: fill.Type}
	leaf.Type.DType = ir.F32
	if _, ok := f.Lookup("ema." + leaf.Name); ok {
		leaf.Name = "ema." + leaf.Name
	}
	bytes, err := f.Read(leaf)
	if err != nil {
		return nil, err
	}
	return mapping.FromBytes(bytes), nil
}

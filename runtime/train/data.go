package train

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/data"
	"vitc/runtime/fault"
)

// Codes of the diagnostics of a run.
const (
	CodeData       = "V0601" // a data set is missing, damaged or other than declared
	CodeCheckpoint = "V0602" // a checkpoint is missing, damaged or of another model
	CodeDiverged   = "V0603" // the loss or the state is no longer finite
	CodeWrite      = "V0604" // something cannot be written
	CodeResume     = "V0605" // there is nothing to resume, or something that would be lost
	CodeMachine    = "V0606" // the machine failed to run a function
	CodeRank       = "V0607" // another process of the job has failed
)

// openData opens a data block. seed drives its shuffling and stages; classes bounds the
// labels (0: any); names numbers the classes of a folder that knows no others.
func openData(d *ir.Data, seed uint64, classes int, names []string) (*data.Dataset, error) {
	decl, err := declaration(d)
	if err != nil {
		return nil, dataError(d, err)
	}
	ds, err := data.Open(decl, data.Options{Dir: d.Dir, Seed: seed, Classes: classes, ClassNames: names})
	if err != nil {
		return nil, dataError(d, err)
	}
	return ds, nil
}

// Preparer makes a data block's stages ready for pictures of any place.
func Preparer(d *ir.Data) (*data.Preparer, error) {
	decl, err := declaration(d)
	if err != nil {
		return nil, dataError(d, err)
	}
	p, err := data.NewPreparer(decl)
	if err != nil {
		return nil, dataError(d, err)
	}
	return p, nil
}

// Examples opens a data block and counts its examples.
func Examples(d *ir.Data) (int, error) {
	ds, err := openData(d, 0, 0, nil)
	if err != nil {
		return 0, err
	}
	return ds.Len(), nil
}

// CheckData reports what is wrong with a program's data blocks beside their files, which
// need not be there. What a later version will run is a warning.
func CheckData(p *ir.Program) diag.List {
	blocks := []*ir.Data{&p.Train.Data}
	for i := range p.Evals {
		blocks = append(blocks, &p.Evals[i].Data)
	}
	var list diag.List
	for _, d := range blocks {
		decl, err := declaration(d)
		if err == nil {
			err = decl.Validate()
		}
		if err == nil {
			continue
		}
		problem := dataError(d, err)
		if errors.Is(err, data.ErrLater) {
			problem = asWarning(problem)
		}
		list.Add(problem)
	}
	return list.Sorted()
}

// declaration brings a data block into the terms of the data package.
func declaration(d *ir.Data) (data.Decl, error) {
	decl := data.Decl{Name: d.Name, Source: call(d.Source)}
	for _, s := range d.Stages {
		decl.Stages = append(decl.Stages, call(s))
	}
	for _, f := range d.Fields {
		field := data.Field{Name: f.Name, DType: data.DType(f.Type.DType.String())}
		for _, dim := range f.Type.Dims {
			field.Dims = append(field.Dims, data.Dim{Label: dim.Label, Size: dim.Size})
		}
		decl.Fields = append(decl.Fields, field)
	}
	var err error
	decl.Shuffle, err = shuffle(d.Shuffle)
	return decl, err
}

func call(c ir.Call) data.Call {
	out := data.Call{Name: c.Name}
	for _, a := range c.Args {
		out.Args = append(out.Args, data.Arg{Name: a.Name, Value: argument(a.Value)})
	}
	return out
}

// argument gives whole numbers the type that the data package tells them by: the language
// has but one kind of number.
func argument(v any) any {
	if x, ok := v.(float64); ok && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return int(x)
	}
	return v
}

func shuffle(s string) (data.Shuffle, error) {
	switch s {
	case "", "none":
		return data.ShuffleNone, nil
	case "all":
		return data.ShuffleAll, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, &fault.Error{Msg: "bad shuffle", Expected: "all, none or a number of examples", Found: s}
	}
	return data.Shuffle(n), nil
}

// dataError makes an error of a data set a diagnostic at the part of the block that it is
// about: the stage or field that it names, else the source.
func dataError(d *ir.Data, err error) *diag.Diagnostic {
	pos := d.Source.Pos
	if !pos.Valid() {
		pos = d.Pos
	}
	text := err.Error()
	for _, s := range d.Stages {
		if strings.HasPrefix(text, "stage "+s.Name) {
			pos = s.Pos
		}
	}
	for _, f := range d.Fields {
		if strings.HasPrefix(text, "data "+d.Name+": field "+f.Name+":") {
			pos = f.Pos
		}
	}
	diagnostic := fault.Diagnostic(err, CodeData, pos)
	if pos.Valid() && pos != d.Pos {
		diagnostic.Notes = append(diagnostic.Notes, diag.Note{Pos: d.Pos, Text: "in data " + d.Name})
	}
	return diagnostic
}

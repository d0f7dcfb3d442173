package train

import (
	"path/filepath"

	"vitc/ir"
	"vitc/runtime/fault"
	"vitc/runtime/mapping"
)

// beginning is what a run takes from files before its first step.
type beginning struct {
	files *mapping.Files
	found []*mapping.Filled
}

// findWeights looks up what the program's `start` takes from files: that everything is there and
// fits is known before anything is computed. A resumed run has its own numbers.
func (r *Run) findWeights() error {
	start := r.p.Start
	if start == nil || r.from != nil {
		return nil
	}
	b := &beginning{files: mapping.NewFiles(func(file string) string {
		if filepath.IsAbs(file) {
			return file
		}
		return filepath.Join(start.Dir, file)
	})}
	r.begins = b
	found, list := mapping.Find(start.Fills, b.files)
	b.found = found
	if list.Errors() > 0 {
		return list.Sorted()
	}
	for _, imported := range start.Files {
		f, err := b.files.Get(imported.File)
		if err != nil {
			return fault.Diagnostic(err, mapping.CodeFile, imported.Pos)
		}
		left := mapping.Unread(f, found, imported.Spare, imported.Unused)
		if d := mapping.Leftover(f, left, imported.Pos); d != nil {
			return d
		}
	}
	return nil
}

// loadWeights gives the machine what `start` takes from files; averages of parameters begin with
// the parameters.
func (r *Run) loadWeights() error {
	if r.begins == nil {
		return nil
	}
	average := map[string]bool{}
	for _, leaf := range r.p.State {
		average[leaf.Name] = leaf.Kind == ir.LeafEMA
	}
	for _, f := range r.begins.found {
		if f.Way.Value == nil {
			continue // as init left it
		}
		numbers, err := f.Value()
		if err != nil {
			return fault.Diagnostic(err, mapping.CodeFile, f.Way.Pos)
		}
		bytes, err := mapping.Bytes(f.Type.DType, numbers)
		if err != nil {
			return fault.Diagnostic(err, mapping.CodeFit, f.Way.Pos)
		}
		for _, name := range []string{f.Leaf, "ema." + f.Leaf} {
			if name != f.Leaf && !average[name] {
				continue
			}
			if err := r.m.SetLeaf(name, bytes); err != nil {
				return machineError(name, err)
			}
		}
	}
	return r.closeWeights()
}

// closeWeights closes the files.
func (r *Run) closeWeights() error {
	if r.begins == nil {
		return nil
	}
	b := r.begins
	r.begins = nil
	return b.files.Close()
}

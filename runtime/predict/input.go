package predict

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vitc/runtime/data"
	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
	"vitc/runtime/weights"
)

// Input is one thing to predict from.
type Input struct {
	Name    string // the file, with [i] for one of several examples
	file    string
	example []byte // bytes of the field, nil for a picture that is still to be read
}

// read writes an input's example of the field.
func (in Input) read(prep *data.Preparer, dst []byte) error {
	if in.example != nil {
		copy(dst, in.example)
		return nil
	}
	return prep.Picture(in.file, dst)
}

// tensorTypes end the names of files that hold examples as they enter the model's fn, after the
// stages.
var tensorTypes = []string{".safetensors", ".npy", ".npz"}

// Find lists the inputs that files and folders stand for, in the order given; folders with all
// that is in them, by the bytes of the names. In a folder, what is no picture is passed over,
// and hidden files and folders are. The error is a *fault.Error.
func (r *Predictor) Find(paths []string) ([]Input, error) {
	var list []Input
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, &fault.Error{Where: path, Msg: "cannot open", Err: fault.Cause(err)}
		}
		switch {
		case info.IsDir():
			found, err := walk(path)
			if err != nil {
				return nil, err
			}
			list = append(list, found...)
		case slices.Contains(tensorTypes, strings.ToLower(filepath.Ext(path))):
			found, err := r.tensors(path)
			if err != nil {
				return nil, err
			}
			list = append(list, found...)
		default:
			list = append(list, Input{Name: path, file: path})
		}
	}
	return list, nil
}

func walk(dir string) ([]Input, error) {
	var list []Input
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return &fault.Error{Where: path, Msg: "cannot read", Err: fault.Cause(err)}
		case path != dir && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case !e.IsDir() && data.IsPicture(path):
			list = append(list, Input{Name: path, file: path})
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = &fault.Error{Where: dir, Msg: "no pictures in the folder", Expected: "files ending in .png, .jpg or .jpeg"}
	}
	return list, err
}

// tensors reads the examples of a file of tensors: the one of the field's name, or its only
// one, of one example or of many.
func (r *Predictor) tensors(path string) ([]Input, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, ok := weights.Lookup(f, r.field.Name)
	if all := f.Tensors(); !ok && len(all) == 1 {
		t, ok = all[0], true
	}
	if !ok {
		return nil, &fault.Error{Where: path, Msg: "no tensor " + r.field.Name, Found: fmt.Sprintf("%d others", len(f.Tensors()))}
	}
	want := make([]int, len(r.field.Dims))
	for i, d := range r.field.Dims {
		want[i] = d.Size
	}
	single := slices.Equal(t.Shape, want)
	many := len(t.Shape) == len(want)+1 && slices.Equal(t.Shape[1:], want)
	if t.DType != safetensors.U8 || !single && !many {
		return nil, &fault.Error{Where: path + ": tensor " + t.Name, Msg: "does not fit the program", Expected: r.field.String() + ", or several of them", Found: t.String()}
	}
	bytes, err := f.Read(t.Name)
	if err != nil || single {
		return []Input{{Name: path, file: path, example: bytes}}, err
	}
	n := r.field.Bytes()
	list := make([]Input, t.Shape[0])
	for i := range list {
		list[i] = Input{Name: fmt.Sprintf("%s[%d]", path, i), file: path, example: bytes[i*n : (i+1)*n]}
	}
	return list, nil
}

package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"vitc/runtime/data/fashion"
	"vitc/runtime/fault"
)

// embedded lists the folders inside the binary, found where no folder on disk has the
// file.
var embedded = []struct {
	folder string
	files  fs.FS
	about  string // for the hint of a missing file of the same name
}{
	{"fashion-subset", fashion.Files, "2,000 images of Fashion-MNIST, built in"},
}

// found is a file that was looked up.
type found struct {
	path string // for messages
	fs.File
	size int64
}

// finder looks names up in a list of folders.
type finder struct {
	dirs []string
}

func newFinder(o Options) finder {
	search := o.Search
	if search == nil {
		search = DefaultSearch
	}
	return finder{append([]string{filepath.Clean(o.Dir)}, search...)}
}

// open finds and opens a regular file. An absolute name is only itself; another is
// looked up in the folders in turn, then among the embedded files.
func (f finder) open(name string) (*found, error) {
	p, err := f.locate(name, func(i fs.FileInfo) bool { return i.Mode().IsRegular() })
	if err != nil {
		return nil, err
	}
	var file fs.File
	if p != "" {
		file, err = os.Open(p)
	} else if file = openEmbedded(name); file != nil {
		p = name
	} else {
		return nil, f.missing("file", name)
	}
	if err != nil {
		return nil, &fault.Error{Where: name, Msg: "cannot open", Err: fault.Cause(err)}
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, &fault.Error{Where: p, Msg: "cannot read", Err: fault.Cause(err)}
	}
	return &found{path: p, File: file, size: info.Size()}, nil
}

// folder finds a folder on disk.
func (f finder) folder(name string) (string, error) {
	p, err := f.locate(name, fs.FileInfo.IsDir)
	if err == nil && p == "" {
		err = f.missing("folder", name)
	}
	return p, err
}

// locate returns the first candidate that is what the caller wants, "" where none is.
// What exists but cannot be looked at is an error: the next folder's file of that name
// may be another.
func (f finder) locate(name string, wanted func(fs.FileInfo) bool) (string, error) {
	for _, p := range f.candidates(name) {
		info, err := os.Stat(p)
		switch {
		case err == nil && wanted(info):
			return p, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", &fault.Error{Where: name, Msg: "cannot look up", Err: fault.Cause(err)}
		}
	}
	return "", nil
}

func kindOf(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "a folder"
	case info.Mode().IsRegular():
		return "a file"
	}
	return "a pipe, socket or device"
}

func (f finder) candidates(name string) []string {
	if filepath.IsAbs(name) {
		return []string{name}
	}
	list := make([]string, len(f.dirs))
	for i, dir := range f.dirs {
		list[i] = filepath.Join(dir, name)
	}
	return list
}

// openEmbedded opens "folder/file" in the embedded folder of that name, or returns nil.
func openEmbedded(name string) fs.File {
	dir, base := path.Split(filepath.ToSlash(name))
	for _, e := range embedded {
		if path.Clean(dir) != e.folder {
			continue
		}
		if file, err := e.files.Open(base); err == nil {
			return file
		}
	}
	return nil
}

// missing says where a name was looked up and, where it helps, what is built in.
func (f finder) missing(what, name string) error {
	e := &fault.Error{Where: name, Msg: "no such " + what, Err: fs.ErrNotExist}
	if !filepath.IsAbs(name) {
		e.Msg += " in " + strings.Join(f.dirs, ", ")
	}
	for _, p := range f.candidates(name) {
		if info, err := os.Stat(p); err == nil { // of another kind
			e.Err, e.Expected, e.Found = nil, "a "+what, kindOf(info)
			break
		}
	}
	base := filepath.Base(name)
	for _, b := range embedded {
		if file := openEmbedded(path.Join(b.folder, base)); file != nil {
			file.Close()
			e.Fix = fmt.Sprintf("put it there, install Debian's dataset-fashion-mnist, or write %q (%s)", path.Join(b.folder, base), b.about)
			return e
		}
	}
	e.Fix = "put it there, or give its path relative to the program"
	return e
}

// Package driver wires the stages of vitc, once: source to program, program through the
// passes to a machine or a bundle, and what every command needs beside: the table of
// targets, diagnostics of any error, reproducers of crashes, facts of the machine.
package driver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vitc/ir/diag"
	"vitc/lang"
)

// Sources reads source files and remembers their text for excerpts.
type Sources struct {
	text  map[string][]byte
	units []*lang.Unit // that know the files they use
}

// NewSources has read nothing yet.
func NewSources() *Sources { return &Sources{text: map[string][]byte{}} }

// Stdin is the name that stands for the standard input.
const Stdin = "-"

// Read returns the text of a file named on the command line; the error is a UsageError
// that names files of similar names.
func (s *Sources) Read(path string, stdin io.Reader) ([]byte, error) {
	var text []byte
	var err error
	if path == Stdin {
		text, err = readText(stdin)
	} else {
		text, err = readFile(path)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	s.text[path] = text
	return text, nil
}

// maxText bounds what is read as text: a device may have no end. The IR of a large program
// has some MiB.
const maxText = 256 << 20

func readText(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err == nil && len(text) > maxText {
		return nil, fmt.Errorf("it is larger than %d MiB", maxText>>20)
	}
	return text, err
}

// readFile is os.ReadFile up to maxText.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readText(f)
}

// Text returns the text of a file that a diagnostic speaks of, nil if it cannot be had.
func (s *Sources) Text(file string) []byte {
	if text, ok := s.text[file]; ok {
		return text
	}
	for _, u := range s.units {
		if text := u.Source(file); text != nil {
			return text
		}
	}
	text, _ := readFile(file) // nil: the diagnostic is shown without an excerpt
	s.text[file] = text
	return text
}

// CheckFile returns a UsageError unless path is a file that can be opened.
func CheckFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return unreadable(path, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("is a directory")}
	}
	if err != nil {
		return unreadable(path, err)
	}
	return nil
}

// unreadable says why a file cannot be read and which was probably meant.
func unreadable(path string, err error) error {
	d := &diag.Diagnostic{Code: CodeFile, Msg: fmt.Sprintf("cannot read %s", path)}
	var cause *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.Msg = fmt.Sprintf("there is no file %s", path)
		d.Fix = similar(path)
		if d.Fix == "" {
			d.Notes = neighbours(path)
		}
	case errors.As(err, &cause):
		d.Msg += ": " + cause.Err.Error()
	default:
		d.Msg += ": " + err.Error()
	}
	return &UsageError{d}
}

// similar returns the file of path's folder that was probably meant, "" if none is near.
func similar(path string) string {
	dir, base := filepath.Split(path)
	if near := diag.Nearest(base, listed(path)); near != "" {
		return dir + near
	}
	if _, err := os.Stat(path + ".vit"); err == nil {
		return path + ".vit"
	}
	return ""
}

// maxNeighbours is how many files of the folder a message lists.
const maxNeighbours = 8

// neighbours lists the programs beside a missing file, or says that the folder is missing.
func neighbours(path string) []diag.Note {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		return []diag.Note{{Text: "the folder " + dir + " does not exist"}}
	}
	var programs []string
	for _, name := range listed(path) {
		if filepath.Ext(name) == filepath.Ext(path) && len(programs) < maxNeighbours {
			programs = append(programs, name)
		}
	}
	if len(programs) == 0 {
		return nil
	}
	return []diag.Note{{Text: "in that folder: " + strings.Join(programs, ", ")}}
}

// listed returns the names in path's folder, sorted.
func listed(path string) []string {
	entries, _ := os.ReadDir(filepath.Dir(path)) // none: there is nothing to suggest
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

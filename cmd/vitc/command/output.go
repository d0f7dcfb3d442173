package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"vitc/driver"
	"vitc/ir/diag"
	"vitc/runtime/atomicfile"
	"vitc/runtime/fault"
	"vitc/runtime/train"
)

// printJSON writes a report as indented JSON.
func (a *app) printJSON(report any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}

// printf writes to where results go; what cannot be written fails the command at its end.
func (a *app) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(a.out, format, args...); err != nil && a.lost == nil {
		a.lost = err
	}
}

// delivered is the command's error, or that of results which could not be written.
func (a *app) delivered(err error) error {
	if err == nil && a.lost != nil {
		return &diag.Diagnostic{Code: driver.CodeFile, Msg: "cannot write the results: " + a.lost.Error()}
	}
	return err
}

// emit writes text to the file of -o, whole or not at all, or to where results go.
func (a *app) emit(path string, text []byte) error {
	if path == "" || path == driver.Stdin {
		_, err := a.out.Write(text)
		return err
	}
	return writeFile(path, text)
}

// writeFolder writes files to a folder, made where it is not there, and says which.
func (a *app) writeFolder(dir string, files []driver.File) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := writeFile(path, f.Data); err != nil {
			return err
		}
		a.printf("%s\n", path)
	}
	return nil
}

// writeFile replaces a file atomically, or what a link points at; the file keeps its mode. A
// terminal, pipe or device is written to as it is.
func writeFile(path string, text []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, statErr := os.Stat(path)
	var err error
	if statErr == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = os.WriteFile(path, text, 0o666)
	} else {
		err = atomicfile.Write(path, func(w io.Writer) error {
			_, err := io.Copy(w, bytes.NewReader(text))
			return err
		})
	}
	if err == nil && statErr == nil && info.Mode().IsRegular() {
		err = os.Chmod(path, info.Mode().Perm())
	}
	if err != nil {
		return fault.Diagnostic(err, train.CodeWrite, diag.Pos{})
	}
	return nil
}

// Package atomicfile writes files that are whole or absent: whatever happens, even a
// kill or a power cut, the name holds either the old content or the new one.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"vitc/runtime/fault"
)

// suffix ends the names of files not yet complete; a killed process leaves them behind.
const suffix = ".tmp"

// bufferSize gathers small writes; larger ones pass it by.
const bufferSize = 1 << 20

// Write replaces path by what fill writes. On any error, fill's included, the old file
// is intact, no temporary file remains, and the error names path.
//
// Algorithm:
//  1. create a hidden temporary file in path's folder, so that step 4 stays within one
//     file system,
//  2. let fill write it,
//  3. fsync and close it: the content is on disk before the name is,
//  4. rename it over path,
//  5. fsync the folder, so that the rename survives a power cut.
func Write(path string, fill func(w io.Writer) error) error {
	f, err := create(path)
	if err != nil {
		return failed(path, err)
	}
	if err := fillAndClose(f, fill); err != nil {
		os.Remove(f.Name()) // there is nothing to do where this fails too: Clean may
		return failed(path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		os.Remove(f.Name())
		return failed(path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return failed(path, err)
	}
	return nil
}

// create opens a new file beside path under a hidden name that ends in suffix.
func create(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	name := filepath.Join(dir, "."+base+"."+rand.Text()[:8]+suffix)
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// fillAndClose runs fill on f through a buffer and brings the result to disk. It closes
// f in every case.
func fillAndClose(f *os.File, fill func(w io.Writer) error) error {
	w := bufio.NewWriterSize(f, bufferSize)
	err := fill(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// syncDir makes the entries of dir durable. File systems that cannot sync a folder say
// EINVAL or ENOTSUP: they order renames themselves.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// failed names the file that could not be written and what helps.
func failed(path string, err error) error {
	e := &fault.Error{Where: path, Msg: "cannot write", Err: fault.Cause(err)}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Fix = "free some space or write to another folder; what stood under this name is intact"
	case errors.Is(err, syscall.EFBIG):
		e.Fix = "raise the limit on file sizes (ulimit -f); what stood under this name is intact"
	case errors.Is(err, fs.ErrNotExist):
		e.Fix = fmt.Sprintf("create the folder %s", filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Fix = "choose a folder you may write to"
	}
	return e
}

// Clean removes the temporary files that killed writers left in dir, those whose target
// names begin with prefix. Call it only where no other process is writing such files.
func Clean(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, "."+prefix) && strings.HasSuffix(name, suffix) {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}

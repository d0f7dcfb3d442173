package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// Checkpoint is an open checkpoint whose checksums have been verified.
type Checkpoint struct {
	Info
	Path    string
	Skipped []error // why later checkpoints of the folder were passed over; worth a warning
	file    *safetensors.File
}

// Load opens a checkpoint, or the latest whole one of a folder. Where there is none the
// error is fs.ErrNotExist. The caller closes it.
//
// In a folder, damaged files are passed over and listed in Skipped. What is no damage, such
// as a newer format or a file that may not be read, is an error: falling back would lose
// work.
func Load(path string) (*Checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open the checkpoint", Err: fault.Cause(err)}
	}
	if !info.IsDir() {
		return open(path)
	}
	files, err := list(path)
	if err != nil {
		return nil, err
	}
	var skipped []error
	for _, f := range slices.Backward(files) {
		c, err := open(f.path)
		if err == nil {
			c.Skipped = skipped
			return c, nil
		}
		if hard(err) {
			return nil, err
		}
		skipped = append(skipped, err)
	}
	if len(skipped) > 0 {
		return nil, &fault.Error{Where: path, Msg: fmt.Sprintf("none of %d checkpoints is whole", len(skipped)), Err: skipped[0]}
	}
	return nil, &fault.Error{Where: path, Msg: "no checkpoint in the folder", Err: fs.ErrNotExist, Expected: "files named " + fileName(0)}
}

// hard tells a failure of the machine or a newer file from a damaged file. A file that
// vanished was pruned between listing and opening.
func hard(err error) bool {
	var errno syscall.Errno
	var newer newerError
	return errors.As(err, &newer) || errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist)
}

// open opens and verifies one file.
func open(path string) (*Checkpoint, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, file: f}
	if c.Info, err = verifiedInfo(f); err != nil {
		f.Close()
		return nil, err
	}
	return c, nil
}

// verifiedInfo checks the sums, if there are any, before it believes anything else: a
// flipped bit in the format's number must not pass for a newer format. Newer formats may
// sum in another way under another key.
func verifiedInfo(f *safetensors.File) (Info, error) {
	meta := f.Metadata()
	_, summed := meta[keySums]
	if summed {
		if err := verify(f, meta); err != nil {
			return Info{}, err
		}
	}
	info, err := parseInfo(f.Name(), meta)
	if err == nil && !summed {
		err = damaged(f.Name(), "metadata "+keySums, "none")
	}
	return info, err
}

// Tensors describes the tensors.
func (c *Checkpoint) Tensors() []safetensors.Info { return c.file.Tensors() }

// Restore fills the Data of tensors, which must be exactly those of the checkpoint in name,
// type and shape. On an error of that kind nothing has been written.
func (c *Checkpoint) Restore(into []safetensors.Tensor) error {
	if err := match(c.Path, c.Tensors(), into); err != nil {
		return err
	}
	for _, t := range into {
		if err := c.file.ReadInto(t.Name, t.Data); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.file.Close() }

// The names of checkpoint files: step-0000001000.safetensors.
const (
	filePrefix = "step-"
	fileSuffix = ".safetensors"
)

func fileName(step int64) string { return fmt.Sprintf("%s%010d%s", filePrefix, step, fileSuffix) }

// entry is a checkpoint file of a folder, whole or not.
type entry struct {
	path string
	step int64
}

// list finds the checkpoint files of a folder by their names, in the order of their steps.
func list(dir string) ([]entry, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &fault.Error{Where: dir, Msg: "cannot list the checkpoints", Err: fault.Cause(err)}
	}
	var files []entry
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), filePrefix)
		digits, ok2 := strings.CutSuffix(digits, fileSuffix)
		step, err := strconv.ParseInt(digits, 10, 64)
		if ok && ok2 && err == nil && fileName(step) == e.Name() {
			files = append(files, entry{filepath.Join(dir, e.Name()), step})
		}
	}
	slices.SortFunc(files, func(a, b entry) int { return cmp.Compare(a.step, b.step) })
	return files, nil
}

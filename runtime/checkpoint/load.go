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
	meta    map[string]string
	*shards
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

// open opens and verifies one checkpoint: a file, or a manifest and its shards.
func open(path string) (*Checkpoint, error) {
	if strings.HasSuffix(path, manifestSuffix) {
		return openManifest(path, true)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, meta: f.Metadata(), shards: single(f)}
	if c.Info, err = verifiedInfo(f); err != nil {
		f.Close()
		return nil, err
	}
	return c, nil
}

// Join opens a checkpoint that another process of the job has found whole.
func Join(path string) (*Checkpoint, error) {
	if strings.HasSuffix(path, manifestSuffix) {
		return openManifest(path, false)
	}
	return open(path)
}

func openManifest(path string, verified bool) (*Checkpoint, error) {
	m, err := readManifest(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, meta: m.Metadata}
	if c.Info, err = parseInfo(path, m.Metadata); err != nil {
		return nil, err
	}
	c.shards, err = openShards(path, m, verified)
	return c, err
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
func (c *Checkpoint) Tensors() []safetensors.Info { return c.tensors }

// Match checks that the checkpoint's tensors are exactly those given, in name, type and shape.
func (c *Checkpoint) Match(want []safetensors.Tensor) error {
	return match(c.Path, c.Tensors(), want)
}

// Restore fills the Data of tensors, which must be exactly those of the checkpoint in name,
// type and shape. On an error of that kind nothing has been written.
func (c *Checkpoint) Restore(into []safetensors.Tensor) error {
	if err := c.Match(into); err != nil {
		return err
	}
	for _, t := range into {
		size, _ := safetensors.ByteSize(t.DType, t.Shape) // it is the file's
		if int64(len(t.Data)) != size {
			return &fault.Error{Where: c.Path + ": tensor " + t.Name, Msg: "a buffer of another size", Expected: fmt.Sprintf("%d bytes", size), Found: fmt.Sprint(len(t.Data))}
		}
		if err := c.read(t.Name, box{make([]int, len(t.Shape)), t.Shape}, t.Data); err != nil {
			return err
		}
	}
	return nil
}

// ReadBlock reads a block of a tensor: its sizes by dim, from a place on.
func (c *Checkpoint) ReadBlock(name string, start, size []int) ([]byte, error) {
	for _, t := range c.tensors {
		if t.Name != name {
			continue
		}
		b, all := box{start, size}, box{make([]int, len(t.Shape)), t.Shape}
		if len(start) != len(t.Shape) || len(size) != len(t.Shape) || !b.empty() && b.meet(all).elements() != b.elements() {
			return nil, &fault.Error{Where: c.Path + ": tensor " + name, Msg: "no such block", Expected: "one of " + t.String(), Found: fmt.Sprintf("%v at %v", size, start)}
		}
		data := make([]byte, max(0, b.elements())*t.DType.Size())
		return data, c.read(name, b, data)
	}
	return nil, &fault.Error{Where: c.Path, Msg: "no tensor " + name}
}

// Close closes the files.
func (c *Checkpoint) Close() error { return c.shards.close() }

// The names of checkpoint files: step-0000001000.safetensors, or, of one in shards,
// step-0000001000.shards.json and step-0000001000.shard-1-of-4.safetensors.
const (
	filePrefix = "step-"
	fileSuffix = ".safetensors"
)

func fileName(step int64) string { return fmt.Sprintf("%s%010d%s", filePrefix, step, fileSuffix) }

// entry is a checkpoint of a folder, whole or not, by its file or manifest.
type entry struct {
	path string
	step int64
}

// list finds the checkpoints of a folder by their names, in the order of their steps.
func list(dir string) ([]entry, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &fault.Error{Where: dir, Msg: "cannot list the checkpoints", Err: fault.Cause(err)}
	}
	var files []entry
	for _, e := range entries {
		if step, ok := stepOf(e.Name()); ok {
			files = append(files, entry{filepath.Join(dir, e.Name()), step})
		}
	}
	slices.SortFunc(files, func(a, b entry) int { return cmp.Compare(a.step, b.step) })
	return files, nil
}

// stepOf reads a checkpoint's step from the name of its file or manifest.
func stepOf(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, filePrefix)
	digits, _, found := strings.Cut(digits, ".")
	step, err := strconv.ParseInt(digits, 10, 64)
	return step, ok && found && err == nil && (name == fileName(step) || name == manifestName(step))
}

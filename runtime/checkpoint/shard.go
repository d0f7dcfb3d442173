package checkpoint

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vitc/runtime/atomicfile"
	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// Piece is a block of a tensor with its bytes: Shape is the block's, Start where it begins in the
// tensor, of the shape Whole.
type Piece struct {
	safetensors.Tensor
	Start []int
	Whole []int
}

// WriteShard writes the file of one of several devices. The checkpoint is there when a Store has
// committed the shards of all.
func WriteShard(dir string, info Info, index, of int, pieces []Piece) (Written, error) {
	meta, err := info.metadata()
	if err != nil {
		return Written{}, err
	}
	w := Written{Shard: Shard{File: shardName(info.Step, index, of)}}
	var tensors []safetensors.Tensor
	for _, p := range pieces {
		tensors = append(tensors, p.Tensor)
		w.Blocks = append(w.Blocks, Block{p.Name, p.Start})
		w.Tensors = append(w.Tensors, whole{p.Name, p.DType, p.Whole})
	}
	meta[keySums] = sumsText(sumTensors(tensors), meta)
	w.Sum = lastWord(meta[keySums])
	return w, safetensors.WriteFile(filepath.Join(dir, w.File), meta, tensors)
}

// Written is a shard that has been written, for the Store that commits it.
type Written struct {
	Shard
	Tensors []whole `json:"tensors"`
}

// Commit makes a checkpoint of shards, which must be there, and removes all checkpoints but the
// last few. It returns the manifest's path.
func (s *Store) Commit(info Info, list []Written) (string, error) {
	path := filepath.Join(s.dir, manifestName(info.Step))
	m, err := s.gathered(info, list)
	if err != nil {
		return "", err
	}
	opened, err := openShards(path, m, false)
	if err != nil {
		return "", err
	}
	if err := opened.close(); err != nil {
		return "", err
	}
	text, err := m.encode()
	if err != nil {
		return "", err
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return "", err
	}
	return path, s.prune()
}

// gathered is the manifest of shards.
func (s *Store) gathered(info Info, list []Written) (*manifest, error) {
	meta, err := info.metadata()
	if err != nil {
		return nil, err
	}
	m := &manifest{Metadata: meta}
	known := map[string]bool{}
	for _, w := range list {
		if _, err := os.Stat(filepath.Join(s.dir, w.File)); err != nil {
			return nil, &fault.Error{Where: filepath.Join(s.dir, w.File), Msg: "a shard that was written is not here", Err: fault.Cause(err),
				Fix: "give the run a folder that all its machines share"}
		}
		m.Shards = append(m.Shards, w.Shard)
		for _, t := range w.Tensors {
			if !known[t.Name] {
				known[t.Name] = true
				m.Tensors = append(m.Tensors, t)
			}
		}
	}
	slices.SortFunc(m.Tensors, func(a, b whole) int { return cmp.Compare(a.Name, b.Name) })
	return m, nil
}

func manifestName(step int64) string {
	return strings.TrimSuffix(fileName(step), fileSuffix) + manifestSuffix
}

func shardName(step int64, index, of int) string {
	return fmt.Sprintf("%s%s%d-of-%d%s", strings.TrimSuffix(fileName(step), fileSuffix), shardInfix, index+1, of, fileSuffix)
}

const shardInfix = ".shard-"

// remove removes a checkpoint: a manifest before its shards, which are nothing without it.
func (e entry) remove() error {
	if err := os.Remove(e.path); err != nil {
		return err
	}
	stem, ok := strings.CutSuffix(e.path, manifestSuffix)
	if !ok {
		return nil
	}
	files, err := os.ReadDir(filepath.Dir(e.path))
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), filepath.Base(stem)+shardInfix) {
			if err := os.Remove(filepath.Join(filepath.Dir(e.path), f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeOrphans removes shards without a manifest, which a killed run left.
func (s *Store) removeOrphans() error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return &fault.Error{Where: s.dir, Msg: "cannot list the checkpoints", Err: fault.Cause(err)}
	}
	for _, f := range files {
		stem, _, ok := strings.Cut(f.Name(), shardInfix)
		if !ok || !strings.HasPrefix(stem, filePrefix) {
			continue
		}
		_, err := os.Stat(filepath.Join(s.dir, stem+manifestSuffix))
		if !os.IsNotExist(err) {
			continue
		}
		if err := os.Remove(filepath.Join(s.dir, f.Name())); err != nil {
			return &fault.Error{Where: s.dir, Msg: "cannot remove what a killed run left", Err: err}
		}
	}
	return nil
}

package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// A checkpoint of many devices is a file for each of them, its shard, and a manifest, which is
// written last: without it there is no checkpoint. A shard is in the form of a checkpoint of one
// device, with blocks in place of whole tensors. The manifest is a line of JSON and one with its
// checksum.

// manifest says what tensors there are, and which block of which each shard holds.
type manifest struct {
	Metadata map[string]string `json:"metadata"` // as a checkpoint of one file has it, without checksums
	Tensors  []whole           `json:"tensors"`
	Shards   []Shard           `json:"shards"`
}

// whole is a tensor as all shards together hold it.
type whole struct {
	Name  string            `json:"name"`
	DType safetensors.DType `json:"dtype"`
	Shape []int             `json:"shape"`
}

// Shard is a device's file of a checkpoint.
type Shard struct {
	File   string  `json:"file"` // in the manifest's folder
	Sum    string  `json:"sum"`  // of the file's checksums, names and metadata
	Blocks []Block `json:"blocks"`
}

// Block is the part of a tensor that a shard holds; its sizes are those of the shard's tensor.
type Block struct {
	Name  string `json:"name"`
	Start []int  `json:"start"`
}

const (
	manifestSuffix = ".shards.json"
	maxManifest    = 1 << 30
)

// encode gives the manifest's text.
func (m *manifest) encode() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(text, "\n%08x\n", crc32.Checksum(text, castagnoli)), nil
}

// readManifest reads one and checks its checksum.
func readManifest(path string) (*manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open", Err: fault.Cause(err)}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot read", Err: fault.Cause(err)}
	}
	text, sum, _ := bytes.Cut(text, []byte("\n"))
	if got := fmt.Sprintf("%08x\n", crc32.Checksum(text, castagnoli)); got != string(sum) {
		return nil, damaged(path, "checksum "+strings.TrimSpace(got), fmt.Sprintf("%.20q", sum))
	}
	m := &manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, damaged(path, "a manifest", err.Error())
	}
	return m, nil
}

// part is where a block of a tensor lies: in a tensor of a shard.
type part struct {
	box
	file *safetensors.File
	info safetensors.Info
}

// shards are the open files of a checkpoint: of one file, or of a manifest's.
type shards struct {
	files   []*safetensors.File
	tensors []safetensors.Info
	parts   map[string][]part
}

func (s *shards) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// single is a checkpoint of one file.
func single(f *safetensors.File) *shards {
	s := &shards{files: []*safetensors.File{f}, tensors: f.Tensors(), parts: map[string][]part{}}
	for _, t := range s.tensors {
		s.parts[t.Name] = []part{{box{make([]int, len(t.Shape)), t.Shape}, f, t}}
	}
	return s
}

// openShards opens what a manifest names, and checks that it is all of every tensor, once. With
// verified the files' own checksums are checked too.
func openShards(path string, m *manifest, verified bool) (s *shards, err error) {
	s = &shards{parts: map[string][]part{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	known := map[string]whole{}
	for _, t := range m.Tensors {
		if _, twice := known[t.Name]; twice {
			return s, damaged(path, "each tensor once", t.Name+" twice")
		}
		known[t.Name] = t
		s.tensors = append(s.tensors, safetensors.Info{Name: t.Name, DType: t.DType, Shape: t.Shape})
	}
	for _, shard := range m.Shards {
		if shard.File != filepath.Base(shard.File) || !strings.HasPrefix(shard.File, filePrefix) {
			return s, damaged(path, "names of shards", shard.File)
		}
		f, err := openShard(filepath.Join(filepath.Dir(path), shard.File), shard, verified)
		if err != nil {
			return s, err
		}
		s.files = append(s.files, f)
		for _, b := range shard.Blocks {
			t, ok := known[b.Name]
			if !ok {
				return s, damaged(path, "blocks of tensors that it names", b.Name)
			}
			if err := s.add(t, b, f); err != nil {
				return s, err
			}
		}
	}
	for _, t := range m.Tensors {
		if err := s.covers(path, t); err != nil {
			return s, err
		}
	}
	return s, nil
}

func openShard(path string, shard Shard, verified bool) (*safetensors.File, error) {
	f, err := safetensors.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(path, "a shard of the checkpoint", "no such file") // and not: no checkpoint
	}
	if err != nil {
		return nil, err
	}
	meta := f.Metadata()
	if sum := meta[keySums]; lastWord(sum) != shard.Sum {
		err = damaged(path, "the shard of checksum "+shard.Sum, lastWord(sum))
	} else if verified {
		err = verify(f, meta)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func lastWord(text string) string { return text[strings.LastIndexByte(text, ' ')+1:] }

// add takes a block in that lies in a shard.
func (s *shards) add(t whole, b Block, f *safetensors.File) error {
	info, ok := f.Lookup(b.Name)
	inside := ok && info.DType == t.DType && len(info.Shape) == len(t.Shape) && len(b.Start) == len(t.Shape)
	for i := 0; inside && i < len(t.Shape); i++ {
		inside = b.Start[i] >= 0 && b.Start[i] <= t.Shape[i] && info.Shape[i] <= t.Shape[i]-b.Start[i]
	}
	if !inside {
		return damaged(f.Name()+": tensor "+b.Name, fmt.Sprintf("a block of %s at %v", safetensors.TypeString(t.DType, t.Shape), b.Start), info.String())
	}
	s.parts[t.Name] = append(s.parts[t.Name], part{box{b.Start, info.Shape}, f, info})
	return nil
}

// covers checks that the blocks of a tensor are apart, and as many elements as it has.
func (s *shards) covers(path string, t whole) error {
	size, ok := safetensors.ByteSize(t.DType, t.Shape)
	if !ok {
		return damaged(path, "types of tensors", t.Name+" "+safetensors.TypeString(t.DType, t.Shape))
	}
	parts := s.parts[t.Name]
	for i, p := range parts {
		size -= p.info.Bytes
		for _, q := range parts[:i] {
			if !p.meet(q.box).empty() {
				return damaged(path, "blocks of "+t.Name+" that are apart", "overlapping ones")
			}
		}
	}
	if size != 0 {
		return damaged(path, "all of the tensor "+t.Name, fmt.Sprintf("%d bytes less", size))
	}
	return nil
}

// read fills dst with a block of a tensor.
func (s *shards) read(name string, want box, dst []byte) error {
	for _, p := range s.parts[name] {
		size := p.info.DType.Size()
		section := p.file.Section(p.info)
		err := runs(p.box, want, func(inPart, inWant, n int) error {
			if _, err := section.ReadAt(dst[inWant*size:(inWant+n)*size], int64(inPart*size)); err != nil {
				return &fault.Error{Where: p.file.Name() + ": tensor " + name, Msg: "cannot read", Err: fault.Cause(err)}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package checkpoint

import (
	"os"
	"slices"
	"strings"
	"sync"

	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// OpenTensors opens the tensors of a file, of a checkpoint in shards, or of the latest whole
// checkpoint of a folder. The caller closes it.
func OpenTensors(path string) (*safetensors.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open the weights", Err: fault.Cause(err)}
	}
	if !info.IsDir() && !IsManifest(path) {
		return safetensors.Open(path)
	}
	c, err := Load(path)
	if err != nil {
		return nil, err
	}
	if len(c.files) == 1 && !IsManifest(c.Path) {
		return c.files[0], nil
	}
	f, err := safetensors.Assemble(c.Path, c.meta, c.tensors, &assembler{c: c}, c.Close)
	if err != nil {
		c.Close()
	}
	return f, err
}

// IsManifest reports whether a path has the name of a checkpoint's manifest.
func IsManifest(path string) bool { return strings.HasSuffix(path, manifestSuffix) }

// assembler is the bytes of all tensors, one behind the other, as safetensors.Assemble wants them.
// It keeps the tensor read last: readers take one after the other, in pieces.
type assembler struct {
	c    *Checkpoint
	mu   sync.Mutex
	name string
	data []byte
}

// ReadAt implements io.ReaderAt. Reads stay within a tensor.
func (a *assembler) ReadAt(dst []byte, offset int64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.c.tensors, func(t safetensors.Info) bool {
		n, _ := safetensors.ByteSize(t.DType, t.Shape) // checked when it was opened
		if offset < n {
			return true
		}
		offset -= n
		return false
	})
	if i < 0 {
		return 0, nil // of a tensor without elements
	}
	t := a.c.tensors[i]
	if a.name != t.Name || a.data == nil {
		data, err := a.c.ReadBlock(t.Name, make([]int, len(t.Shape)), t.Shape)
		if err != nil {
			return 0, err
		}
		a.name, a.data = t.Name, data
	}
	return copy(dst, a.data[offset:]), nil
}

// Package weights reads tensors from the files that trained models are shared in: safetensors
// (and checkpoints of vitc's own), NumPy's .npy and .npz, and the initialisers of ONNX models.
// Whatever a file claims is checked against what it holds before anything is allocated.
package weights

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vitc/runtime/checkpoint"
	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// Info describes one tensor: its element type and its sizes, outermost first.
type Info struct {
	Name  string
	DType safetensors.DType
	Shape []int
}

// String prints the type as "F32[2 3]".
func (t Info) String() string { return safetensors.TypeString(t.DType, t.Shape) }

// File is an open file of weights, whose structure has been checked. Its methods may be called
// from several goroutines.
type File interface {
	// Name is the path that the file was opened by.
	Name() string
	// Tensors lists what the file holds, sorted by name. The caller must not change it.
	Tensors() []Info
	// Read returns a tensor's bytes, row-major and little-endian, whatever the file has.
	Read(name string) ([]byte, error)
	// Close closes the file under it.
	Close() error
}

// Lookup finds a tensor by its name.
func Lookup(f File, name string) (Info, bool) {
	i, ok := slices.BinarySearchFunc(f.Tensors(), name, func(t Info, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return Info{}, false
	}
	return f.Tensors()[i], true
}

// Open opens a file by what its first bytes say it is, a checkpoint in shards by its manifest, or the
// latest whole checkpoint of a folder. The caller closes it.
func Open(path string) (File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open the weights", Err: fault.Cause(err)}
	}
	if info.IsDir() || checkpoint.IsManifest(path) {
		return openCheckpoint(path)
	}
	if !info.Mode().IsRegular() {
		return nil, &fault.Error{Where: path, Msg: "not a file", Found: info.Mode().Type().String()}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open the weights", Err: fault.Cause(err)}
	}
	file, err := New(path, f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	return &closing{file, f}, nil
}

func openCheckpoint(path string) (File, error) {
	st, err := checkpoint.OpenTensors(path)
	if err != nil {
		return nil, err
	}
	f, err := listed(st)
	if err != nil {
		st.Close()
		return nil, err
	}
	return &closing{f, st}, nil
}

// closing closes what a reader reads from.
type closing struct {
	File
	under io.Closer
}

// Close closes the file.
func (c *closing) Close() error { return c.under.Close() }

// format is one kind of file: how it begins, and what reads it.
type format struct {
	name  string
	begin func(head []byte, path string) bool
	open  func(name string, r io.ReaderAt, size int64) (File, error)
}

// headBytes is how much of a file tells its format: safetensors has the length of its header in
// eight bytes, then a brace.
const headBytes = 9

var formats = []format{
	{"safetensors", func(h []byte, path string) bool {
		return len(h) == headBytes && h[8] == '{' || strings.EqualFold(filepath.Ext(path), ".safetensors")
	}, newSafetensors},
	{".npz", func(h []byte, path string) bool {
		return strings.HasPrefix(string(h), "PK") || strings.EqualFold(filepath.Ext(path), ".npz")
	}, newNpz},
	{".npy", func(h []byte, _ string) bool { return strings.HasPrefix(string(h), npyMagic) }, newNpy},
	{"ONNX", func(h []byte, path string) bool {
		return len(h) > 0 && h[0] == 0x08 || strings.EqualFold(filepath.Ext(path), ".onnx")
	}, newOnnx},
}

// New reads the size bytes of r; name stands in errors, and its extension tells formats apart
// where the first bytes do not.
func New(name string, r io.ReaderAt, size int64) (File, error) {
	head := make([]byte, min(size, headBytes))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return nil, &fault.Error{Where: name, Msg: "cannot read", Err: err}
	}
	names := make([]string, len(formats))
	for i, f := range formats {
		if names[i] = f.name; f.begin(head, name) {
			return f.open(name, r, size)
		}
	}
	e := &fault.Error{Where: name, Msg: "not a file of weights", Expected: "one of " + strings.Join(names, ", "), Found: fmt.Sprintf("a file that begins with %q", head)}
	if strings.EqualFold(filepath.Ext(name), ".vitb") {
		e.Fix = "a bundle holds code: load a checkpoint of its run, such as runs/NAME"
	}
	if slices.Contains([]string{".pt", ".pth", ".bin"}, strings.ToLower(filepath.Ext(name))) {
		e.Fix = "pickled files run code when they are read: convert it with safetensors.torch.save_file"
	}
	return nil, e
}

// table is what the readers share: a name, and tensors by name.
type table struct {
	name string
	list []Info
}

// Name is the path that the file was opened by.
func (t *table) Name() string { return t.name }

// Tensors lists what the file holds, sorted by name.
func (t *table) Tensors() []Info { return t.list }

// Close does nothing: Open closes the file under a reader.
func (t *table) Close() error { return nil }

// fault reports an error of one tensor.
func (t *table) fault(tensor, msg, expected, found string) error {
	return &fault.Error{Where: t.name + ": tensor " + Quote(tensor), Msg: msg, Expected: expected, Found: clip(found)}
}

// sorted puts the tensors in order, and refuses a name that stands twice.
func (t *table) sorted() error {
	slices.SortStableFunc(t.list, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(t.list); i++ {
		if t.list[i].Name == t.list[i-1].Name {
			return t.fault(t.list[i].Name, "two tensors of one name", "", "")
		}
	}
	return nil
}

// bytesOf is the size of a tensor, at most that of the memory that int counts.
func (t *table) bytesOf(info Info) (int64, error) {
	n, ok := safetensors.ByteSize(info.DType, info.Shape)
	if !ok || int64(int(n)) != n {
		return 0, t.fault(info.Name, "size overflows", "at most 2^63-1 bytes", info.String())
	}
	return n, nil
}

// Quote prints a tensor's name for a message, shortened if need be.
func Quote(name string) string { return clip(fmt.Sprintf("%q", name)) }

// clip shortens what a file says, so that no file makes a message of megabytes.
func clip(s string) string {
	const limit = 120
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// stFile adapts the safetensors reader.
type stFile struct {
	table
	under *safetensors.File
}

func newSafetensors(name string, r io.ReaderAt, size int64) (File, error) {
	f, err := safetensors.New(name, r, size)
	if err != nil {
		return nil, err
	}
	return listed(f)
}

// listed lists a file's tensors.
func listed(f *safetensors.File) (File, error) {
	out := &stFile{table{name: f.Name()}, f}
	for _, t := range f.Tensors() {
		out.list = append(out.list, Info{t.Name, t.DType, t.Shape})
	}
	return out, out.sorted()
}

// Read returns the bytes of a tensor.
func (f *stFile) Read(name string) ([]byte, error) { return f.under.Read(name) }

package safetensors

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"

	"vitc/runtime/fault"
)

// File is an open safetensors file whose header has been checked in full: every tensor
// lies inside the file, none overlap, no byte is unaccounted for. Its methods may be
// called from several goroutines.
type File struct {
	name     string
	data     io.ReaderAt
	start    int64 // of the tensors' bytes
	close    func() error
	metadata map[string]string
	tensors  []Info
	index    map[string]int
}

// Open opens and checks a file. The caller closes it.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open", Err: fault.Cause(err)}
	}
	file, err := openFile(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return file, nil
}

func openFile(path string, f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot read", Err: fault.Cause(err)}
	}
	if !info.Mode().IsRegular() {
		return nil, &fault.Error{Where: path, Msg: "not a file", Found: info.Mode().Type().String()}
	}
	file, err := New(path, f, info.Size())
	if err != nil {
		return nil, err
	}
	file.close = f.Close
	return file, nil
}

// New checks the size bytes of r as a safetensors file; name stands in errors.
func New(name string, r io.ReaderAt, size int64) (*File, error) {
	text, err := readHeader(name, r, size)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(name, text)
	if err != nil {
		return nil, err
	}
	f := &File{
		name: name, data: r, start: lengthBytes + int64(len(text)),
		close:    func() error { return nil },
		metadata: h.metadata, tensors: h.tensors, index: make(map[string]int, len(h.tensors)),
	}
	if err := f.checkLayout(size - f.start); err != nil {
		return nil, err
	}
	for i, t := range f.tensors {
		f.index[t.Name] = i
	}
	return f, nil
}

// readHeader reads the length and the text of the header, allocating no more than the
// file has bytes.
func readHeader(name string, r io.ReaderAt, size int64) ([]byte, error) {
	bad := func(expected, found string) error {
		return &fault.Error{Where: name, Msg: "not a complete safetensors file", Expected: expected, Found: found}
	}
	if size < lengthBytes {
		return nil, bad("8 bytes that give the header's length", fmt.Sprintf("a file of %d bytes", size))
	}
	var length [lengthBytes]byte
	if err := readAt(r, length[:], 0); err != nil {
		return nil, &fault.Error{Where: name, Msg: "cannot read the header's length", Err: err}
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeaderBytes {
		return nil, bad(fmt.Sprintf("a header of at most %d bytes", maxHeaderBytes), fmt.Sprintf("a length of %d", n))
	}
	if int64(n) > size-lengthBytes {
		return nil, bad(fmt.Sprintf("a header of %d bytes", n), fmt.Sprintf("%d bytes after the length", size-lengthBytes))
	}
	text := make([]byte, n)
	if err := readAt(r, text, lengthBytes); err != nil {
		return nil, &fault.Error{Where: name, Msg: "cannot read the header", Err: err}
	}
	return text, nil
}

// readAt fills dst; a short read is an error, io.EOF after the last byte is not.
func readAt(r io.ReaderAt, dst []byte, offset int64) error {
	n, err := r.ReadAt(dst, offset)
	switch {
	case n == len(dst):
		return nil
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}

// checkLayout sorts the tensors by place and proves that they tile the size bytes after
// the header: each begins where the one before ends, and has the bytes of its type.
func (f *File) checkLayout(size int64) error {
	slices.SortFunc(f.tensors, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Name, b.Name))
	})
	end := int64(0)
	for _, t := range f.tensors {
		want, ok := ByteSize(t.DType, t.Shape)
		if !ok {
			return f.fault(t.Name, "size overflows", "at most 2^63-1 bytes", clip(t.String()))
		}
		if t.Bytes != want {
			return f.fault(t.Name, "data_offsets do not fit the shape", fmt.Sprintf("%d bytes for %s", want, clip(t.String())), fmt.Sprintf("%d", t.Bytes))
		}
		if t.Offset != end {
			what := "a gap before the tensor"
			if t.Offset < end {
				what = "overlaps the tensor before"
			}
			return f.fault(t.Name, what, fmt.Sprintf("offset %d", end), fmt.Sprintf("%d", t.Offset))
		}
		if t.Bytes > size-end {
			return f.fault(t.Name, "the file is cut short", fmt.Sprintf("%d bytes from byte %d", t.Bytes, f.start+end), fmt.Sprintf("%d", size-end))
		}
		end += t.Bytes
	}
	if end != size {
		return &fault.Error{Where: f.name, Msg: "bytes after the last tensor", Expected: fmt.Sprintf("a file of %d bytes", f.start+end), Found: fmt.Sprintf("%d", f.start+size)}
	}
	return nil
}

// fault reports an error of one tensor.
func (f *File) fault(tensor, msg, expected, found string) error {
	return &fault.Error{Where: f.name + ": tensor " + clip(strconv.Quote(tensor)), Msg: msg, Expected: expected, Found: found}
}

// Name is the path or name that the file was opened by.
func (f *File) Name() string { return f.name }

// Metadata returns a copy of the header's free text entries.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Tensors lists the tensors in the order of their bytes in the file. The caller must not
// change it.
func (f *File) Tensors() []Info { return f.tensors }

// Lookup finds a tensor by name.
func (f *File) Lookup(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	return f.tensors[i], true
}

// ReadInto reads the bytes of the tensor name into dst, which must have their number.
func (f *File) ReadInto(name string, dst []byte) error {
	t, ok := f.Lookup(name)
	if !ok {
		return f.fault(name, "no such tensor", "", fmt.Sprintf("%d others", len(f.tensors)))
	}
	if int64(len(dst)) != t.Bytes {
		return f.fault(name, "buffer of another size", fmt.Sprintf("%d bytes for %s", t.Bytes, t), fmt.Sprintf("%d", len(dst)))
	}
	if err := readAt(f.data, dst, f.start+t.Offset); err != nil {
		return &fault.Error{Where: f.name + ": tensor " + strconv.Quote(name), Msg: "cannot read", Err: err}
	}
	return nil
}

// Read returns the bytes of the tensor name.
func (f *File) Read(name string) ([]byte, error) {
	t, _ := f.Lookup(name) // an unknown name is ReadInto's error
	dst := make([]byte, t.Bytes)
	return dst, f.ReadInto(name, dst)
}

// Section returns a reader of a tensor's bytes, for those who stream.
func (f *File) Section(t Info) *io.SectionReader {
	return io.NewSectionReader(f.data, f.start+t.Offset, t.Bytes)
}

// Close closes the file under it.
func (f *File) Close() error { return f.close() }

// Assemble makes a File of tensors that lie anywhere: data has their bytes, one behind the other in
// the order given, and close ends with it. Their Offset and Bytes are settled here.
func Assemble(name string, metadata map[string]string, tensors []Info, data io.ReaderAt, close func() error) (*File, error) {
	f := &File{name: name, data: data, close: close, metadata: metadata, tensors: slices.Clone(tensors), index: make(map[string]int, len(tensors))}
	size := int64(0)
	for i := range f.tensors {
		t := &f.tensors[i]
		n, ok := ByteSize(t.DType, t.Shape)
		if !ok {
			return nil, f.fault(t.Name, "no such type", "one of "+dtypeNames()+", sizes of at least 0", clip(t.String()))
		}
		if _, twice := f.index[t.Name]; twice {
			return nil, f.fault(t.Name, "two tensors of one name", "", "")
		}
		t.Offset, t.Bytes = size, n
		size += n
		f.index[t.Name] = i
	}
	return f, nil
}

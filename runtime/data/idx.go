package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"

	"vitc/runtime/fault"
)

// The IDX format: two zero bytes, an element type, the number of dimensions, their sizes
// as big-endian u32, then the elements, row-major and big-endian.
const (
	idxU8       = 0x08
	idxI32      = 0x0c
	idxMaxBytes = 4 << 30 // of one file, which is kept in memory
)

// gzipMaxRatio bounds what deflate can make of a byte: 258 bytes for two bits.
const gzipMaxRatio = 1032

// idxFile is an IDX file in memory.
type idxFile struct {
	path string
	dims []int
	elem int // bytes of an element
	data []byte
}

// readIDX reads a file, gzipped or plain (told by its first bytes, because tools that
// unpack keep names), of one of the element types and of minDims to maxDims dimensions.
func readIDX(f finder, name string, types []byte, minDims, maxDims int) (*idxFile, error) {
	in, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r := &idxReader{path: in.path, in: bufio.NewReader(in), limit: in.size}
	if err := r.unzip(); err != nil {
		return nil, err
	}
	file, err := r.header(types, minDims, maxDims)
	if err != nil {
		return nil, err
	}
	return file, r.body(file)
}

// idxReader reads one file from start to end.
type idxReader struct {
	path  string
	in    io.Reader
	pos   int64 // bytes of the unpacked file read so far
	limit int64 // that the unpacked file can have
	zip   bool
}

func (r *idxReader) fault(msg, expected, found string) error {
	return &fault.Error{Where: fmt.Sprintf("%s: byte %d", r.path, r.pos), Msg: msg, Expected: expected, Found: found}
}

// unzip puts a gzip reader before the input if it is gzipped.
func (r *idxReader) unzip() error {
	magic, err := r.in.(*bufio.Reader).Peek(2)
	if err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return nil // too short is the header's error
	}
	z, err := gzip.NewReader(r.in)
	if err != nil {
		return &fault.Error{Where: r.path, Msg: "not a whole gzip file", Err: err, Fix: "copy the file again"}
	}
	r.in, r.zip, r.limit = z, true, r.limit*gzipMaxRatio
	return nil
}

// read fills dst, naming the place where the file ends or its compression breaks.
func (r *idxReader) read(dst []byte, what string) error {
	n, err := io.ReadFull(r.in, dst)
	r.pos += int64(n)
	switch {
	case err == nil:
		return nil
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return r.fault("the file is cut short", fmt.Sprintf("%d bytes of %s", len(dst), what), fmt.Sprintf("%d", n))
	}
	return r.broken(err)
}

func (r *idxReader) broken(err error) error {
	e := &fault.Error{Where: fmt.Sprintf("%s: byte %d", r.path, r.pos), Msg: "cannot read", Err: err}
	if r.zip {
		e.Msg, e.Fix = fmt.Sprintf("the gzip file is damaged after %d unpacked bytes", r.pos), "copy the file again"
	}
	return e
}

// header reads the type and the sizes, and refuses what the file cannot hold, so that no
// allocation exceeds it.
func (r *idxReader) header(types []byte, minDims, maxDims int) (*idxFile, error) {
	var magic [4]byte
	if err := r.read(magic[:], "magic number"); err != nil {
		return nil, err
	}
	if magic[0] != 0 || magic[1] != 0 {
		r.pos = 0
		return nil, r.fault("not an IDX file", "two zero bytes", fmt.Sprintf("% x", magic[:2]))
	}
	elem := 0
	for _, t := range types {
		if t == magic[2] {
			elem = map[byte]int{idxU8: 1, idxI32: 4}[t]
		}
	}
	if elem == 0 {
		r.pos = 2
		return nil, r.fault("another element type", fmt.Sprintf("one of % x (hexadecimal)", types), fmt.Sprintf("%02x", magic[2]))
	}
	rank := int(magic[3])
	if rank < minDims || rank > maxDims {
		r.pos = 3
		return nil, r.fault("another number of dimensions", dimCount(minDims, maxDims), fmt.Sprintf("%d", rank))
	}
	return r.sizes(rank, elem)
}

func dimCount(least, most int) string {
	if least == most {
		return fmt.Sprintf("%d", least)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

func (r *idxReader) sizes(rank, elem int) (*idxFile, error) {
	raw := make([]byte, 4*rank)
	if err := r.read(raw, "sizes"); err != nil {
		return nil, err
	}
	file := &idxFile{path: r.path, elem: elem, dims: make([]int, rank)}
	total := float64(elem) // exact below 2^53, far above every limit
	for i := range file.dims {
		file.dims[i] = int(binary.BigEndian.Uint32(raw[4*i:]))
		if file.dims[i] == 0 {
			return nil, r.fault("an empty file", "sizes of at least 1", fmt.Sprintf("%v", file.dims[:i+1]))
		}
		total *= float64(file.dims[i])
	}
	switch {
	case total > idxMaxBytes:
		return nil, r.fault("larger than fits memory", fmt.Sprintf("at most %d bytes", int64(idxMaxBytes)), fmt.Sprintf("sizes %v", file.dims))
	case total+float64(r.pos) > float64(r.limit):
		return nil, r.fault("the file is too small for its sizes", fmt.Sprintf("%.0f bytes for %v", total+float64(r.pos), file.dims), fmt.Sprintf("at most %d", r.limit))
	}
	file.data = make([]byte, int(total))
	return file, nil
}

// body reads the elements and makes sure that nothing follows; at the end of a gzip file
// that also verifies its checksum.
func (r *idxReader) body(file *idxFile) error {
	if err := r.read(file.data, "elements"); err != nil {
		return err
	}
	var more [1]byte
	n, err := io.ReadFull(r.in, more[:])
	switch {
	case n > 0:
		return r.fault("bytes after the last element", fmt.Sprintf("the end, sizes being %v", file.dims), "more")
	case err != io.EOF:
		return r.broken(err)
	}
	return nil
}

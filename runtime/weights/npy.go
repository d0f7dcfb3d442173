package weights

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// The .npy format: a magic string, a version, the length of a header, the header, the elements.
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)

const (
	npyMagic     = "\x93NUMPY"
	maxNpyHeader = 1 << 20 // NumPy's own are 128 bytes; it reads 10,000 unless told otherwise
	maxNpyRank   = 64
)

// npyHeader is what the header of an array says.
type npyHeader struct {
	dtype   safetensors.DType
	shape   []int
	big     bool // big-endian
	fortran bool // the first index varies fastest
	start   int64
}

// npyTypes maps the kinds and sizes of NumPy to dtypes. NumPy knows no bfloat16: ml_dtypes
// writes it as two opaque bytes.
var npyTypes = map[string]safetensors.DType{
	"f8": safetensors.F64, "f4": safetensors.F32, "f2": safetensors.F16, "V2": safetensors.BF16,
	"i8": safetensors.I64, "i4": safetensors.I32, "i2": safetensors.I16, "i1": safetensors.I8,
	"u8": safetensors.U64, "u4": safetensors.U32, "u2": safetensors.U16, "u1": safetensors.U8, "b1": safetensors.Bool,
}

// readNpyHeader reads the header of an array; where stands in errors.
func readNpyHeader(where string, r io.Reader) (*npyHeader, error) {
	bad := func(expected, found string) error {
		return &fault.Error{Where: where, Msg: "not a whole NumPy array", Expected: expected, Found: clip(found)}
	}
	head := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:len(npyMagic)]) != npyMagic {
		return nil, bad(fmt.Sprintf("%q", npyMagic), fmt.Sprintf("%q", bytes.TrimRight(head, "\x00")))
	}
	version, size := head[len(npyMagic)], 2
	if version < 1 || version > 3 {
		return nil, bad("format version 1, 2 or 3", strconv.Itoa(int(version)))
	}
	if version > 1 {
		size = 4
	}
	length := make([]byte, 4)
	if _, err := io.ReadFull(r, length[:size]); err != nil {
		return nil, bad("the length of its header", "the end")
	}
	n := binary.LittleEndian.Uint32(length)
	if n > maxNpyHeader {
		return nil, bad(fmt.Sprintf("a header of at most %d bytes", maxNpyHeader), strconv.FormatUint(uint64(n), 10))
	}
	text := make([]byte, n)
	if got, err := io.ReadFull(r, text); err != nil {
		return nil, bad(fmt.Sprintf("a header of %d bytes", n), fmt.Sprintf("%d", got))
	}
	h := &npyHeader{start: int64(len(head) + size + len(text))}
	p := &literal{text: string(text)}
	if msg := h.parse(p); msg != "" {
		return nil, &fault.Error{Where: where, Msg: "malformed header of a NumPy array", Expected: msg, Found: p.found()}
	}
	return h, nil
}

// parse reads the header's dictionary, a literal of Python; it returns what was expected where
// it stopped, "" at the end.
func (h *npyHeader) parse(p *literal) string {
	seen := map[string]bool{}
	if !p.take("{") {
		return "`{`"
	}
	for !p.take("}") {
		key, ok := p.str()
		if !ok || seen[key] || !p.take(":") {
			return "'descr', 'fortran_order' and 'shape', once each"
		}
		seen[key] = true
		if msg := h.member(p, key); msg != "" {
			return msg
		}
		if !p.take(",") && !p.peek("}") {
			return "`,` or `}`"
		}
	}
	if len(seen) != 3 {
		return "'descr', 'fortran_order' and 'shape'"
	}
	if !p.end() {
		return "the end of the header"
	}
	return ""
}

func (h *npyHeader) member(p *literal, key string) string {
	switch key {
	case "descr":
		return h.descr(p)
	case "fortran_order":
		if h.fortran = p.take("True"); !h.fortran && !p.take("False") {
			return "True or False"
		}
		return ""
	case "shape":
		return h.sizes(p)
	}
	return "'descr', 'fortran_order' or 'shape'"
}

// descr reads a type such as '<f4'. Objects are pickled, and records are no tensors.
func (h *npyHeader) descr(p *literal) string {
	at := p.i
	s, ok := p.str()
	if ok && len(s) == 3 && strings.ContainsRune("<>|=", rune(s[0])) {
		h.big = s[0] == '>'
		h.dtype, ok = npyTypes[s[1:]]
	} else {
		ok = false
	}
	if !ok || h.big && h.dtype == safetensors.BF16 {
		p.i = at
		return "a type of numbers, such as '<f4', '<f2' or '|V2' for bfloat16"
	}
	return ""
}

func (h *npyHeader) sizes(p *literal) string {
	if !p.take("(") {
		return "a tuple of sizes"
	}
	h.shape = []int{}
	for !p.take(")") {
		n, ok := p.integer()
		if !ok || len(h.shape) == maxNpyRank {
			return fmt.Sprintf("at most %d sizes from 0 to 2^63-1", maxNpyRank)
		}
		h.shape = append(h.shape, n)
		if !p.take(",") && !p.peek(")") {
			return "`,` or `)`"
		}
	}
	return ""
}

// literal reads a literal of Python, as far as headers have them.
type literal struct {
	text string
	i    int
}

func (p *literal) space() {
	for p.i < len(p.text) && strings.IndexByte(" \t\n", p.text[p.i]) >= 0 {
		p.i++
	}
}

func (p *literal) peek(s string) bool {
	p.space()
	return strings.HasPrefix(p.text[p.i:], s)
}

func (p *literal) take(s string) bool {
	ok := p.peek(s)
	if ok {
		p.i += len(s)
	}
	return ok
}

func (p *literal) str() (string, bool) {
	p.space()
	if p.i == len(p.text) || p.text[p.i] != '\'' && p.text[p.i] != '"' {
		return "", false
	}
	rest := p.text[p.i+1:]
	n := strings.IndexByte(rest, p.text[p.i])
	if n < 0 || strings.IndexByte(rest[:n], '\\') >= 0 {
		return "", false
	}
	p.i += n + 2
	return rest[:n], true
}

func (p *literal) integer() (int, bool) {
	p.space()
	n := 0
	for p.i+n < len(p.text) && p.text[p.i+n] >= '0' && p.text[p.i+n] <= '9' {
		n++
	}
	v, err := strconv.Atoi(p.text[p.i : p.i+n])
	if err != nil {
		return 0, false
	}
	p.i += n
	p.take("L") // of Python 2
	return v, true
}

func (p *literal) end() bool {
	p.space()
	return p.i == len(p.text)
}

// found shows what stands where the literal stopped.
func (p *literal) found() string {
	p.space()
	if p.i == len(p.text) {
		return "the end of the header"
	}
	return clip(strconv.Quote(p.text[p.i:]))
}

// ordered makes elements row-major and little-endian, in place where the order is not Fortran's.
func (h *npyHeader) ordered(data []byte) []byte {
	size := h.dtype.Size()
	if h.big {
		for i := 0; i+size <= len(data); i += size {
			slices.Reverse(data[i : i+size])
		}
	}
	if h.fortran && len(h.shape) > 1 && len(data) > 0 {
		return rowMajor(data, h.shape, size)
	}
	return data
}

// rowMajor copies elements that lie with the first index fastest.
func rowMajor(data []byte, shape []int, size int) []byte {
	out := make([]byte, 0, len(data))
	strides, stride := make([]int, len(shape)), size
	for i, n := range shape {
		strides[i] = stride
		stride *= n
	}
	at, from := make([]int, len(shape)), 0
	for len(out) < len(data) {
		out = append(out, data[from:from+size]...)
		for i := len(shape) - 1; i >= 0; i-- {
			at[i]++
			from += strides[i]
			if at[i] < shape[i] {
				break
			}
			from -= at[i] * strides[i]
			at[i] = 0
		}
	}
	return out
}

// npyName is what the one tensor of an .npy file is called.
const npyName = "array"

// npyFile is an array in a file of its own.
type npyFile struct {
	table
	r io.ReaderAt
	h *npyHeader
}

func newNpy(name string, r io.ReaderAt, size int64) (File, error) {
	h, err := readNpyHeader(name, io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	f := &npyFile{table{name: name, list: []Info{{npyName, h.dtype, h.shape}}}, r, h}
	n, err := f.bytesOf(f.list[0])
	if err == nil && n != size-h.start {
		err = f.fault(npyName, "the file has another size", fmt.Sprintf("%d bytes for %s", n, f.list[0]), strconv.FormatInt(size-h.start, 10))
	}
	return f, err
}

// Read returns the array's bytes.
func (f *npyFile) Read(name string) ([]byte, error) {
	info, ok := Lookup(f, name)
	if !ok {
		return nil, f.fault(name, "no such tensor", npyName, "")
	}
	n, err := f.bytesOf(info)
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	if got, err := f.r.ReadAt(data, f.h.start); got < len(data) {
		return nil, &fault.Error{Where: f.name, Msg: "cannot read", Err: err}
	}
	return f.h.ordered(data), nil
}

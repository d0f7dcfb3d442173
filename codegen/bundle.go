package codegen

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"vitc/ir"
)

// Bundle is a built program: everything that running it needs but data. One file, suffix
// .vitb, holds it; see Encode for the format.
type Bundle struct {
	Program *ir.Program // without its module
	Target  string      // cpu
	ISA     string      // the instruction set level that the objects want
	Plan    *Plan
	Objects []Object
	IR      string // the scheduled module's text
	Parts   []Part // of a program compiled by another compiler, for machines elsewhere
}

// Part is a file inside a bundle. Names of the parts that there are stand in package driver.
type Part struct {
	Name string
	Data []byte
}

// Part finds a part, nil if there is none of the name.
func (b *Bundle) Part(name string) []byte {
	for _, p := range b.Parts {
		if p.Name == name {
			return p.Data
		}
	}
	return nil
}

// Object is a relocatable object and the kernels that it defines.
type Object struct {
	Name    string
	Kernels []string
	Code    []byte
}

// Kernels is the set of all kernels' names.
func (b *Bundle) Kernels() map[string]bool {
	set := map[string]bool{}
	for _, o := range b.Objects {
		for _, k := range o.Kernels {
			set[k] = true
		}
	}
	return set
}

// Version is the format's version, raised when a reader of the one before would go wrong.
const Version = 1

// magic begins every bundle. Its first byte is no text, and a transfer that takes the file
// for text changes the line ends.
const magic = "\x89vitb\r\n\x1a"

// The header: magic, version u32, sections u32, size of the file u64, SHA-256 of those and of
// the table. Then the table, an entry a section; then the sections, one after the other.
const (
	headerSize  = 8 + 4 + 4 + 8 + sha256.Size
	nameSize    = 16
	entrySize   = nameSize + 8 + 8 + sha256.Size // name, offset u64, size u64, SHA-256
	maxSections = 64
)

// The sections.
const (
	sectionManifest = "manifest" // the program, target and ISA level: JSON
	sectionPlan     = "plan"     // JSON
	sectionObjects  = "objects"  // see encodeObjects
	sectionIR       = "ir"       // text
	sectionParts    = "parts"    // left out where there are none; see encodeParts
)

var le = binary.LittleEndian

type manifest struct {
	Target  string      `json:"target"`
	ISA     string      `json:"isa"`
	Program *ir.Program `json:"program"`
}

type section struct {
	name string
	data []byte
}

// Encode writes the bundle's file. The same bundle gives the same bytes.
func (b *Bundle) Encode(w io.Writer) error {
	m, err := json.Marshal(manifest{b.Target, b.ISA, b.Program})
	if err != nil {
		return fmt.Errorf("encoding the manifest: %w", err)
	}
	p, err := json.Marshal(b.Plan)
	if err != nil {
		return fmt.Errorf("encoding the plan: %w", err)
	}
	secs := []section{{sectionManifest, m}, {sectionPlan, p}, {sectionObjects, encodeObjects(b.Objects)}, {sectionIR, []byte(b.IR)}}
	if len(b.Parts) > 0 {
		secs = append(secs, section{sectionParts, encodeParts(b.Parts)})
	}
	if _, err := w.Write(header(secs)); err != nil {
		return err
	}
	for _, s := range secs {
		if _, err := w.Write(s.data); err != nil {
			return err
		}
	}
	return nil
}

func header(secs []section) []byte {
	table := make([]byte, 0, len(secs)*entrySize)
	at := headerSize + len(secs)*entrySize
	for _, s := range secs {
		var name [nameSize]byte
		copy(name[:], s.name)
		sum := sha256.Sum256(s.data)
		table = append(table, name[:]...)
		table = le.AppendUint64(table, uint64(at))
		table = le.AppendUint64(table, uint64(len(s.data)))
		table = append(table, sum[:]...)
		at += len(s.data)
	}
	h := append([]byte(magic), le.AppendUint32(nil, Version)...)
	h = le.AppendUint32(h, uint32(len(secs)))
	h = le.AppendUint64(h, uint64(at))
	sum := headerSum(h, table)
	return append(append(h, sum[:]...), table...)
}

func headerSum(fixed, table []byte) [sha256.Size]byte {
	return sha256.Sum256(append(append([]byte(nil), fixed...), table...))
}

// FormatError says why a file is no bundle that this vitc can run.
type FormatError struct {
	Section string // "": the header
	Offset  int    // where in the file
	Msg     string
	Fix     string
}

func (e *FormatError) Error() string {
	where := "header"
	if e.Section != "" {
		where = "section " + e.Section
	}
	return fmt.Sprintf("bundle: %s at byte %d: %s; fix: %s", where, e.Offset, e.Msg, e.Fix)
}

const (
	fixDamaged = "copy the file again, or build it again with vitc build"
	fixNotOne  = "give a .vitb file that vitc build wrote"
)

// ReadBundle reads the file at path; see Decode.
func ReadBundle(path string) (*Bundle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a device may have no end
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// Decode reads a bundle and checks all of it: checksums, structure, and that every address
// of the plan lies inside its buffer. The error is a *FormatError. The bundle keeps parts of
// data, which must not change.
func Decode(data []byte) (*Bundle, error) {
	secs, err := split(data)
	if err != nil {
		return nil, err
	}
	b, plan := &Bundle{Plan: &Plan{}}, manifest{}
	for _, part := range []struct {
		name string
		read func([]byte) error
	}{
		{sectionManifest, func(d []byte) error { return strictJSON(d, &plan) }},
		{sectionPlan, func(d []byte) error { return strictJSON(d, b.Plan) }},
		{sectionObjects, func(d []byte) (err error) { b.Objects, err = decodeObjects(d); return err }},
		{sectionIR, func(d []byte) error { b.IR = string(d); return nil }},
		{sectionPlan, func([]byte) error { return b.Plan.Check(b.Kernels()) }},
	} {
		s, ok := secs[part.name]
		if !ok {
			return nil, &FormatError{part.name, len(data), "is missing", fixDamaged}
		}
		if err := part.read(s.data); err != nil {
			return nil, &FormatError{part.name, s.at, err.Error(), fixDamaged}
		}
	}
	if b.Program = plan.Program; b.Program == nil {
		return nil, &FormatError{sectionManifest, secs[sectionManifest].at, "holds no program", fixDamaged}
	}
	b.Target, b.ISA = plan.Target, plan.ISA
	if s, ok := secs[sectionParts]; ok {
		if b.Parts, err = decodeParts(s.data); err != nil {
			return nil, &FormatError{sectionParts, s.at, err.Error(), fixDamaged}
		}
	}
	return b, nil
}

type placed struct {
	at   int
	data []byte
}

// split checks the header and the checksums and returns the sections by name.
func split(data []byte) (map[string]placed, error) {
	bad := func(at int, fix, format string, args ...any) (map[string]placed, error) {
		return nil, &FormatError{"", at, fmt.Sprintf(format, args...), fix}
	}
	switch {
	case len(data) >= 8 && string(data[:5]) == magic[:5] && string(data[:8]) != magic:
		return bad(5, "copy the file again, in binary mode", "the line ends after the magic are changed")
	case len(data) < 8 || string(data[:8]) != magic:
		return bad(0, fixNotOne, "this is no bundle: expected the magic %q, found %q", magic, data[:min(8, len(data))])
	case len(data) < headerSize:
		return bad(len(data), fixDamaged, "the file ends in the header, after %d of %d bytes", len(data), headerSize)
	}
	version, n, size := le.Uint32(data[8:]), int(le.Uint32(data[12:])), le.Uint64(data[16:])
	switch {
	case version != Version:
		return bad(8, "use the vitc that wrote it, or build it again", "format version %d, this vitc reads version %d", version, Version)
	case n < 1 || n > maxSections:
		return bad(12, fixDamaged, "%d sections, expected 1 to %d", n, maxSections)
	case size != uint64(len(data)):
		return bad(16, fixDamaged, "the file has %d bytes, its header says %d", len(data), size)
	case len(data) < headerSize+n*entrySize:
		return bad(len(data), fixDamaged, "the file ends in the table of sections")
	}
	table := data[headerSize : headerSize+n*entrySize]
	if sum := headerSum(data[:24], table); !bytes.Equal(sum[:], data[24:headerSize]) {
		return bad(24, fixDamaged, "the header's checksum differs")
	}
	return sections(data, table)
}

func sections(data, table []byte) (map[string]placed, error) {
	secs := map[string]placed{}
	at := headerSize + len(table)
	for e := table; len(e) > 0; e = e[entrySize:] {
		name := string(bytes.TrimRight(e[:nameSize], "\x00"))
		off, size := le.Uint64(e[nameSize:]), le.Uint64(e[nameSize+8:])
		if off != uint64(at) || size > uint64(len(data)-at) {
			return nil, &FormatError{name, at, fmt.Sprintf("has %d bytes at %d, outside the file", size, off), fixDamaged}
		}
		body := data[at : at+int(size) : at+int(size)]
		if sum := sha256.Sum256(body); !bytes.Equal(sum[:], e[nameSize+16:entrySize]) {
			return nil, &FormatError{name, at, "its checksum differs", fixDamaged}
		}
		if _, twice := secs[name]; twice {
			return nil, &FormatError{name, at, "appears twice", fixDamaged}
		}
		secs[name] = placed{at, body}
		at += int(size)
	}
	return secs, nil
}

// strictJSON refuses what it does not know and what follows the value.
func strictJSON(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("bytes after the JSON value")
	}
	return nil
}

// encodeObjects writes: count, then for each object its name, the count and names of its
// kernels, its code. Counts and lengths are u32, text and code follow their length.
func encodeObjects(objs []Object) []byte {
	text := func(b []byte, s string) []byte { return append(le.AppendUint32(b, uint32(len(s))), s...) }
	b := le.AppendUint32(nil, uint32(len(objs)))
	for _, o := range objs {
		b = text(b, o.Name)
		b = le.AppendUint32(b, uint32(len(o.Kernels)))
		for _, k := range o.Kernels {
			b = text(b, k)
		}
		b = text(b, string(o.Code))
	}
	return b
}

func decodeObjects(data []byte) ([]Object, error) {
	r := objectReader{data: data}
	objs := make([]Object, r.count())
	defined := map[string]bool{}
	for i := range objs {
		o := &objs[i]
		o.Name = string(r.text())
		o.Kernels = make([]string, r.count())
		for j := range o.Kernels {
			o.Kernels[j] = string(r.text())
			if r.err == nil && defined[o.Kernels[j]] {
				return nil, fmt.Errorf("kernel %q is defined twice", o.Kernels[j])
			}
			defined[o.Kernels[j]] = true
		}
		o.Code = r.text()
	}
	if r.err == nil && len(r.data) > 0 {
		r.err = fmt.Errorf("%d bytes after the last object", len(r.data))
	}
	return objs, r.err
}

type objectReader struct {
	data []byte
	err  error
}

// count reads a number of things that take four bytes each at least.
func (r *objectReader) count() int {
	if n := r.u32(); r.err == nil && n <= len(r.data)/4 {
		return n
	} else if r.err == nil {
		r.err = fmt.Errorf("%d entries in %d bytes", n, len(r.data))
	}
	return 0
}

func (r *objectReader) u32() int {
	if r.err == nil && len(r.data) < 4 {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return 0
	}
	n := int(le.Uint32(r.data))
	r.data = r.data[4:]
	return n
}

func (r *objectReader) text() []byte {
	n := r.u32()
	if r.err == nil && n > len(r.data) {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return nil
	}
	s := r.data[:n:n]
	r.data = r.data[n:]
	return s
}

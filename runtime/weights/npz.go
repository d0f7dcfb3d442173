package weights

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"vitc/runtime/fault"
)

// npzFile is a zip archive of .npy files, one for each tensor.
type npzFile struct {
	table
	entries map[string]*npzEntry
}

type npzEntry struct {
	*zip.File
	h *npyHeader
}

// maxDeflation is the most that a byte of deflated data can become (RFC 1951: 258 bytes in two
// bits, less what the codes take); an entry that claims more is a lie.
const maxDeflation = 1032

func newNpz(name string, r io.ReaderAt, size int64) (File, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, &fault.Error{Where: name, Msg: "not a whole .npz archive", Err: err}
	}
	if err := checkPlaces(name, z.File, size); err != nil {
		return nil, err
	}
	f := &npzFile{table{name: name}, map[string]*npzEntry{}}
	for _, entry := range z.File {
		if err := f.add(entry); err != nil {
			return nil, err
		}
	}
	return f, f.sorted()
}

// checkPlaces proves that the entries' bytes lie in the file, apart from one another, and
// could become as many as they claim: otherwise a small archive unpacks to petabytes.
func checkPlaces(name string, entries []*zip.File, size int64) error {
	type span struct{ begin, end int64 }
	var spans []span
	for _, e := range entries {
		begin, err := e.DataOffset()
		if err != nil {
			return &fault.Error{Where: name + ": entry " + Quote(e.Name), Msg: "damaged archive", Err: err}
		}
		if begin > size || e.CompressedSize64 > uint64(size-begin) {
			return &fault.Error{Where: name + ": entry " + Quote(e.Name), Msg: "the archive is cut short",
				Expected: fmt.Sprintf("%d bytes from byte %d", e.CompressedSize64, begin), Found: strconv.FormatInt(max(size-begin, 0), 10)}
		}
		if e.UncompressedSize64/maxDeflation > e.CompressedSize64 {
			return &fault.Error{Where: name + ": entry " + Quote(e.Name), Msg: "the archive claims more than it can hold",
				Expected: fmt.Sprintf("at most %d bytes of %d", maxDeflation*(e.CompressedSize64+1), e.CompressedSize64), Found: strconv.FormatUint(e.UncompressedSize64, 10)}
		}
		spans = append(spans, span{begin, begin + int64(e.CompressedSize64)})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end)) })
	for i := 1; i < len(spans); i++ {
		if spans[i].begin < spans[i-1].end {
			return &fault.Error{Where: name, Msg: "entries of the archive overlap", Found: fmt.Sprintf("one from byte %d, another to byte %d", spans[i].begin, spans[i-1].end)}
		}
	}
	return nil
}

// add reads an entry's header, and compares what it says with the entry's size.
func (f *npzFile) add(e *zip.File) error {
	name, ok := strings.CutSuffix(e.Name, ".npy")
	where := f.name + ": entry " + Quote(e.Name)
	if !ok {
		return &fault.Error{Where: where, Msg: "not an array", Expected: "names that end with .npy"}
	}
	r, err := e.Open()
	if err != nil {
		return &fault.Error{Where: where, Msg: "cannot read", Err: err}
	}
	defer r.Close()
	h, err := readNpyHeader(where, r)
	if err != nil {
		return err
	}
	info := Info{name, h.dtype, h.shape}
	n, err := f.bytesOf(info)
	if err != nil {
		return err
	}
	if have := e.UncompressedSize64 - uint64(h.start); e.UncompressedSize64 < uint64(h.start) || have != uint64(n) {
		return f.fault(name, "the entry has another size", fmt.Sprintf("%d bytes for %s", n, info), strconv.FormatInt(int64(have), 10))
	}
	f.entries[name] = &npzEntry{e, h}
	f.list = append(f.list, info)
	return nil
}

// Read returns the bytes of a tensor; the archive's checksum is verified.
func (f *npzFile) Read(name string) ([]byte, error) {
	e := f.entries[name]
	if e == nil {
		return nil, f.fault(name, "no such tensor", "", fmt.Sprintf("%d others", len(f.list)))
	}
	r, err := e.Open()
	if err != nil {
		return nil, &fault.Error{Where: f.name + ": tensor " + Quote(name), Msg: "cannot read", Err: err}
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, int64(e.UncompressedSize64)+1))
	if err != nil || uint64(len(data)) != e.UncompressedSize64 {
		return nil, &fault.Error{Where: f.name + ": tensor " + Quote(name), Msg: "damaged entry", Err: err,
			Expected: fmt.Sprintf("%d bytes", e.UncompressedSize64), Found: strconv.Itoa(len(data))}
	}
	return e.h.ordered(data[e.h.start:]), nil
}

package data

import (
	"encoding/binary"
	"fmt"

	"vitc/runtime/fault"
)

// source is where the fields image and label of examples come from. Its methods may be
// called from several goroutines.
type source interface {
	len() int
	image(i int) (*Image, error) // not to be changed by the caller
	label(i int) int             // 0 where labelled is false
	labelled() bool
	classes() []string  // names of the labels, nil where there are none
	where(i int) string // example i for messages
}

// sourceRow is one row of the table of sources. open gets the channels that the program
// declares for its images.
type sourceRow struct {
	name   string
	params []Param
	open   func(b bound, f finder, channels int, cache int64) (source, error)
}

var sources = []sourceRow{
	{"idx", []Param{{"images", String, nil}, {"labels", String, ""}}, openIDX},
	{"folder", []Param{{"path", String, nil}}, openFolder},
}

var laterSources = []string{"tar"}

func openSource(call Call, o Options, channels int) (source, error) {
	row, args, err := bindSource(call)
	if err != nil {
		return nil, err
	}
	cache := o.CacheBytes
	if cache == 0 {
		cache = DefaultCacheBytes
	}
	return row.open(args, newFinder(o), channels, cache)
}

// bindSource finds the row of a call and binds its arguments.
func bindSource(call Call) (sourceRow, bound, error) {
	names := make([]string, len(sources))
	for i, row := range sources {
		if row.name == call.Name {
			args, err := bind("source", call, row.params)
			return row, args, err
		}
		names[i] = row.name
	}
	return sourceRow{}, nil, unknown("source", call.Name, names, laterSources)
}

// idxSource reads images, and labels if there are any, from a pair of IDX files.
type idxSource struct {
	images, labels *idxFile // labels may be nil
}

// openIDX reads both files into memory: images of dimensions [n, row, col] or [n, row,
// col, channel], labels of [n], as bytes or i32.
func openIDX(b bound, f finder, _ int, _ int64) (source, error) {
	images, err := readIDX(f, b.text("images"), []byte{idxU8}, 3, 4)
	if err != nil {
		return nil, err
	}
	s := &idxSource{images: images}
	if b.text("labels") == "" {
		return s, nil
	}
	s.labels, err = readIDX(f, b.text("labels"), []byte{idxU8, idxI32}, 1, 1)
	if err != nil {
		return nil, err
	}
	if s.labels.dims[0] != images.dims[0] {
		return nil, &fault.Error{Where: images.path + ", " + s.labels.path, Msg: "the files do not belong together",
			Expected: fmt.Sprintf("as many labels as images, %d", images.dims[0]), Found: fmt.Sprint(s.labels.dims[0])}
	}
	return s, nil
}

func (s *idxSource) len() int           { return s.images.dims[0] }
func (s *idxSource) labelled() bool     { return s.labels != nil }
func (s *idxSource) classes() []string  { return nil }
func (s *idxSource) where(i int) string { return fmt.Sprintf("%s: example %d", s.images.path, i) }

// image returns a view of the file, not a copy.
func (s *idxSource) image(i int) (*Image, error) {
	m := &Image{Rows: s.images.dims[1], Cols: s.images.dims[2], Channels: 1}
	if len(s.images.dims) == 4 {
		m.Channels = s.images.dims[3]
	}
	n := m.Rows * m.Cols * m.Channels
	m.Pix = s.images.data[i*n : (i+1)*n : (i+1)*n]
	return m, nil
}

func (s *idxSource) label(i int) int {
	switch {
	case s.labels == nil:
		return 0
	case s.labels.elem == 1:
		return int(s.labels.data[i])
	}
	return int(int32(binary.BigEndian.Uint32(s.labels.data[4*i:])))
}

package hlo

// frames are where instructions come from: a table that their metadata points into.
type frames struct {
	files     []string
	locations []location
	stack     []frame
}

type location struct{ file, line int } // file counts from 1

type frame struct{ location int } // counts from 1

// read reads a StackFrameIndexProto.
func (t *frames) read(b []byte) error {
	return each("StackFrameIndexProto", b, func(f field) (err error) {
		switch f.num {
		case 1:
			t.files = append(t.files, string(f.data))
		case 3:
			l := location{}
			l.file, l.line, err = two("FileLocation", f.data, 1, 3)
			t.locations = append(t.locations, l)
		case 4:
			s := frame{}
			s.location, _, err = two("StackFrame", f.data, 1, 2)
			t.stack = append(t.stack, s)
		}
		return err
	})
}

// two reads a message's two numbers of interest.
func two(message string, b []byte, first, second int) (x, y int, err error) {
	err = each(message, b, func(f field) (err error) {
		switch int(f.num) {
		case first:
			x, err = small(message, "number", int64(f.n))
		case second:
			y, err = small(message, "number", int64(f.n))
		}
		return err
	})
	return x, y, err
}

// source reads an OpMetadata: its place is given in it or by a frame's number. A place that the
// table lacks is none.
func (t *frames) source(b []byte) (Source, error) {
	const message = "OpMetadata"
	s, at := Source{}, 0
	err := each(message, b, func(f field) (err error) {
		switch f.num {
		case 2:
			s.Op = string(f.data)
		case 3:
			s.File = string(f.data)
		case 4:
			s.Line, err = small(message, "line", int64(f.n))
		case 15:
			at, err = small(message, "frame", int64(f.n))
		}
		return err
	})
	if at < 1 || at > len(t.stack) || s.Line > 0 {
		return s, err
	}
	l := t.stack[at-1].location
	if l < 1 || l > len(t.locations) {
		return s, err
	}
	where := t.locations[l-1]
	if where.file >= 1 && where.file <= len(t.files) {
		s.File, s.Line = t.files[where.file-1], where.line
	}
	return s, err
}

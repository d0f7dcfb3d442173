package data

import (
	"encoding/binary"
	"slices"

	"vitc/runtime/fault"
)

// layout is where the declared fields want what a source reads.
type layout struct {
	image int // number of the field, -1 where it is not declared
	label int

	rows, cols, channels                int // of the declared image
	rowStride, colStride, channelStride int // in bytes of the field
}

// layOut checks the declared fields.
func layOut(decl Decl) (*layout, error) {
	l := &layout{image: -1, label: -1, channels: 1}
	for i, f := range decl.Fields {
		bad := &fault.Error{Where: "data " + decl.Name + ": field " + f.String()}
		if slices.ContainsFunc(decl.Fields[:i], func(g Field) bool { return g.Name == f.Name }) {
			bad.Msg = "declared twice"
			return nil, bad
		}
		switch {
		case f.Name == "image" && l.setImage(f):
			l.image = i
		case f.Name == "label" && f.DType == I32 && len(f.Dims) == 0:
			l.label = i
		case f.Name == "image":
			bad.Msg, bad.Expected = "an image of another type", "u8 with axes row, col and channel, of 1 or 3 channels"
			return nil, bad
		case f.Name == "label":
			bad.Msg, bad.Expected = "a label of another type", "label: i32[]"
			return nil, bad
		default:
			bad.Msg, bad.Expected, bad.Err = "no source gives such a field", "image or label", ErrLater
			return nil, bad
		}
	}
	if len(decl.Fields) == 0 {
		return nil, &fault.Error{Where: "data " + decl.Name, Msg: "no fields", Expected: "image or label"}
	}
	return l, nil
}

// setImage takes sizes and strides from the field, whose axes may stand in any order and
// omit the channel of a grey image. It reports whether the field can hold an image.
func (l *layout) setImage(f Field) bool {
	axes := map[string]struct{ size, stride *int }{
		"row":     {&l.rows, &l.rowStride},
		"col":     {&l.cols, &l.colStride},
		"channel": {&l.channels, &l.channelStride},
	}
	step := 1
	for _, d := range slices.Backward(f.Dims) {
		axis, ok := axes[d.Label]
		if !ok || d.Size < 1 || d.Size > maxPixels/step {
			return false
		}
		delete(axes, d.Label)
		*axis.size, *axis.stride = d.Size, step
		step *= d.Size
	}
	return f.DType == U8 && l.rows > 0 && l.cols > 0 && (l.channels == 1 || l.channels == 3)
}

// check compares an image's sizes with the declared ones.
func (l *layout) check(where string, m *Image) error {
	if m.Rows == l.rows && m.Cols == l.cols && m.Channels == l.channels {
		return nil
	}
	e := &fault.Error{Where: where, Msg: "the image has not the declared sizes",
		Expected: sizes(l.rows, l.cols, l.channels), Found: m.sizes()}
	switch {
	case m.Channels != l.channels:
		e.Fix = "declare the channels that the file has"
	case l.rows == l.cols:
		e.Fix = "declare the sizes found, or add a stage that resizes, such as augment.central_crop"
	default:
		e.Fix = "declare the sizes found"
	}
	return e
}

// putImage writes an image that check has passed.
func (l *layout) putImage(dst []byte, m *Image) {
	if l.channelStride <= 1 && l.colStride == l.channels && l.rowStride == l.cols*l.channels {
		copy(dst, m.Pix)
		return
	}
	for row := range m.Rows {
		for col := range m.Cols {
			for channel := range m.Channels {
				dst[row*l.rowStride+col*l.colStride+channel*l.channelStride] = m.Pix[m.at(row, col)+channel]
			}
		}
	}
}

// putLabel writes a label.
func putLabel(dst []byte, label int) { binary.LittleEndian.PutUint32(dst, uint32(int32(label))) }

package data

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // registers the decoder
	_ "image/png"  // registers the decoder
	"io"
	"os"

	"vitc/runtime/fault"
)

// maxPixels bounds what a picture may unpack to: a PNG of a few kilobytes can claim
// billions of pixels.
const maxPixels = 1 << 26

// Image is rows x cols pixels of 1 (grey) or 3 (red, green, blue) bytes, row-major.
type Image struct {
	Rows, Cols, Channels int
	Pix                  []byte
}

// newImage makes a black image.
func newImage(rows, cols, channels int) *Image {
	return &Image{rows, cols, channels, make([]byte, rows*cols*channels)}
}

// at is the place of a pixel's first byte in Pix.
func (m *Image) at(row, col int) int { return (row*m.Cols + col) * m.Channels }

// sizes prints the image's axes for messages.
func (m *Image) sizes() string { return sizes(m.Rows, m.Cols, m.Channels) }

func sizes(rows, cols, channels int) string {
	return fmt.Sprintf("row:%d col:%d channel:%d", rows, cols, channels)
}

// readPicture decodes a PNG or JPEG file into an image of channels channels. The pixels
// are those stored: an orientation tag is not applied, transparency is dropped.
func readPicture(path string, channels int) (*Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot open", Err: fault.Cause(err)}
	}
	defer f.Close()
	if err := checkPicture(path, f); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, &fault.Error{Where: path, Msg: "cannot read", Err: fault.Cause(err)}
	}
	src, _, err := image.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, &fault.Error{Where: path, Msg: "unreadable picture", Err: err, Fix: "replace or remove it"}
	}
	return fromPicture(src, channels), nil
}

// checkPicture reads the sizes in the picture's header before anything is allocated.
func checkPicture(path string, r io.Reader) error {
	c, format, err := image.DecodeConfig(bufio.NewReader(r))
	if err != nil {
		return &fault.Error{Where: path, Msg: "unreadable picture", Err: err, Expected: "PNG or JPEG", Fix: "replace or remove it"}
	}
	if format != "png" && format != "jpeg" {
		return &fault.Error{Where: path, Msg: "unreadable picture", Expected: "PNG or JPEG", Found: format}
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return &fault.Error{Where: path, Msg: "picture of a size out of bounds", Expected: fmt.Sprintf("1 to %d pixels", maxPixels),
			Found: fmt.Sprintf("%d x %d", c.Width, c.Height), Fix: "shrink or remove it"}
	}
	return nil
}

// fromPicture converts to bytes: grey by the luma of ITU-R 601, sixteen bits by their
// upper eight.
func fromPicture(src image.Image, channels int) *Image {
	b := src.Bounds()
	m := newImage(b.Dy(), b.Dx(), channels)
	for row := range m.Rows {
		line := m.Pix[m.at(row, 0):m.at(row+1, 0)]
		if channels == 1 {
			greyLine(line, src, b.Min.X, b.Min.Y+row)
		} else {
			colourLine(line, src, b.Min.X, b.Min.Y+row)
		}
	}
	return m
}

func greyLine(dst []byte, src image.Image, x, y int) {
	if grey, ok := src.(*image.Gray); ok {
		copy(dst, grey.Pix[grey.PixOffset(x, y):])
		return
	}
	for i := range dst {
		c := color.NRGBAModel.Convert(src.At(x+i, y)).(color.NRGBA)
		c.A = 255
		dst[i] = color.GrayModel.Convert(c).(color.Gray).Y
	}
}

// colourLine has a way of its own for what JPEG gives, whose general one allocates.
func colourLine(dst []byte, src image.Image, x, y int) {
	ycc, ok := src.(*image.YCbCr)
	switch {
	case ok && halved(ycc):
		chromaLine(dst, ycc, y)
		return
	case ok:
		for i := 0; i < len(dst); i += 3 {
			c := ycc.YCbCrAt(x+i/3, y)
			dst[i], dst[i+1], dst[i+2] = color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		}
		return
	}
	for i := 0; i < len(dst); i += 3 {
		c := color.NRGBAModel.Convert(src.At(x+i/3, y)).(color.NRGBA)
		dst[i], dst[i+1], dst[i+2] = c.R, c.G, c.B
	}
}

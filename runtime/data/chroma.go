package data

import (
	"image"
	"image/color"
)

// JPEG keeps colour at half the resolution or less. Go's decoder repeats it; libjpeg-turbo, and with
// it Pillow, interpolates, which moves edges of colour by dozens of levels. What is decoded here
// interpolates as libjpeg does: three quarters of the nearer sample, one of the farther, along each
// halved side.

// chromaLine is one row of red, green and blue of a picture whose colour is halved along rows, or
// along both sides.
func chromaLine(dst []byte, m *image.YCbCr, row int) {
	width := m.Rect.Dx()
	cb, cr := chromaRow(m.Cb, m, row), chromaRow(m.Cr, m, row)
	luma := m.Y[row*m.YStride:]
	for i := range width {
		dst[3*i], dst[3*i+1], dst[3*i+2] = color.YCbCrToRGB(luma[i], cb[i], cr[i])
	}
}

// halved reports whether chromaLine is for the picture.
func halved(m *image.YCbCr) bool {
	return m.Rect.Min == image.Point{} &&
		(m.SubsampleRatio == image.YCbCrSubsampleRatio420 || m.SubsampleRatio == image.YCbCrSubsampleRatio422)
}

// chromaRow is one row of a colour plane at the full width. Samples are weighted along the columns
// first, where those are halved, then along the row; of the two halves of a sixteenth that
// rounding leaves, libjpeg gives one to even and one to odd positions.
func chromaRow(plane []byte, m *image.YCbCr, row int) []byte {
	width := (m.Rect.Dx() + 1) / 2
	sums, unit := make([]int, width), 1
	if m.SubsampleRatio == image.YCbCrSubsampleRatio420 {
		near, far := row/2, row/2-1+2*(row%2)
		far = min(max(far, 0), (m.Rect.Dy()-1)/2)
		unit = 4
		for i := range sums {
			sums[i] = 3*int(plane[near*m.CStride+i]) + int(plane[far*m.CStride+i])
		}
	} else {
		for i := range sums {
			sums[i] = int(plane[row*m.CStride+i])
		}
	}
	out := make([]byte, 2*width)
	even, odd := 2*unit, 2*unit-1
	if unit == 1 {
		even, odd = 1, 2
	}
	for i, s := range sums {
		left, right := sums[max(i-1, 0)], sums[min(i+1, width-1)]
		out[2*i] = byte((3*s + left + even) / (4 * unit))
		out[2*i+1] = byte((3*s + right + odd) / (4 * unit))
	}
	return out
}

package data

import (
	"image"
	"math"

	"golang.org/x/image/draw"

	"vitc/runtime/rng"
)

// The functions of this file never change their argument: images are cached.

// flipped is m mirrored left to right.
func flipped(m *Image) *Image {
	out := newImage(m.Rows, m.Cols, m.Channels)
	for row := range m.Rows {
		for col := range m.Cols {
			src := m.at(row, m.Cols-1-col)
			copy(out.Pix[out.at(row, col):], m.Pix[src:src+m.Channels])
		}
	}
	return out
}

// shifted is m moved down and right; what comes in from outside is zero.
func shifted(m *Image, down, right int) *Image {
	out := newImage(m.Rows, m.Cols, m.Channels)
	n := m.Cols - max(right, -right)
	if n <= 0 {
		return out
	}
	for row := max(0, down); row < min(m.Rows, m.Rows+down); row++ {
		src := m.at(row-down, max(0, -right))
		copy(out.Pix[out.at(row, max(0, right)):], m.Pix[src:src+n*m.Channels])
	}
	return out
}

// area is a part of an image.
type area struct{ row, col, rows, cols int }

func whole(m *Image) area { return area{0, 0, m.Rows, m.Cols} }

// middle is the centred square of side `side` at least 1.
func middle(m *Image, side int) area {
	side = max(1, side)
	return area{(m.Rows - side) / 2, (m.Cols - side) / 2, side, side}
}

// cropped copies a part of m.
func cropped(m *Image, a area) *Image {
	out := newImage(a.rows, a.cols, m.Channels)
	for row := range a.rows {
		copy(out.Pix[out.at(row, 0):out.at(row+1, 0)], m.Pix[m.at(a.row+row, a.col):])
	}
	return out
}

// resized scales part a of m to size x size. The filter is the triangle (bilinear),
// sampled at pixel centres and widened by the factor of shrinking, which makes it the
// antialiased bilinear of Pillow and of TensorFlow's resize with antialias.
func resized(m *Image, a area, size int) *Image {
	if a.rows == size && a.cols == size {
		return cropped(m, a)
	}
	src := toRGBA(m, a)
	dst := image.NewRGBA(image.Rect(0, 0, size, size))
	draw.BiLinear.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	out := newImage(size, size, m.Channels)
	for i := range size * size {
		copy(out.Pix[i*m.Channels:(i+1)*m.Channels], dst.Pix[4*i:])
	}
	return out
}

// toRGBA makes part a of m opaque and of four channels, the layout that the scaler has
// fast paths for.
func toRGBA(m *Image, a area) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, a.cols, a.rows))
	for row := range a.rows {
		for col := range a.cols {
			src := m.Pix[m.at(a.row+row, a.col+col):]
			dst := out.Pix[row*out.Stride+4*col:][:4]
			dst[0], dst[1], dst[2], dst[3] = src[0], src[0], src[0], 255
			if m.Channels == 3 {
				dst[1], dst[2] = src[1], src[2]
			}
		}
	}
	return out
}

// The inception crop's bounds of width over height, and how often it tries.
const (
	minAspect     = 3.0 / 4
	maxAspect     = 4.0 / 3
	inceptionTrys = 10
)

// inceptionArea draws a part of m: a share of its area, uniform in [least, 1), and a
// ratio of width to height, uniform in its logarithm, then a place; a shape that does not
// fit is drawn again, and after inceptionTrys the largest centred square is taken.
// (Szegedy and others, "Going Deeper with Convolutions", 2014, section 6.)
func inceptionArea(m *Image, least float64, s *rng.Stream) area {
	for range inceptionTrys {
		pixels := float64(m.Rows*m.Cols) * s.Uniform(least, 1)
		aspect := math.Exp(s.Uniform(math.Log(minAspect), math.Log(maxAspect)))
		cols := int(math.Round(math.Sqrt(pixels * aspect)))
		rows := int(math.Round(math.Sqrt(pixels / aspect)))
		if rows < 1 || cols < 1 || rows > m.Rows || cols > m.Cols {
			continue
		}
		return area{s.IntN(m.Rows - rows + 1), s.IntN(m.Cols - cols + 1), rows, cols}
	}
	return middle(m, min(m.Rows, m.Cols))
}

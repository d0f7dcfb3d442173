package data

import (
	"math"
	"slices"
)

// resampled scales pictures exactly as Pillow's Image.resize does, so that a model fed here
// sees what it saw in Python. Per output pixel, a filter is sampled at the centres of the input
// pixels, widened by the factor of shrinking, cut off at the border and normalised; weights are
// fixed-point numbers, and each of the two passes, rows then columns, rounds to bytes. (Where the
// height shrinks much more than the width, Pillow 13 swaps the passes, and a byte may differ by
// its rounding. Resizes that keep the aspect are not among those.)

// filter is a resampling kernel, zero outside [-support, support].
type filter struct {
	name    string
	support float64
	at      func(x float64) float64
}

// filters are those that the published models' preprocessing uses.
var filters = []filter{
	{"bilinear", 1, func(x float64) float64 { return max(0, 1-math.Abs(x)) }},
	{"bicubic", 2, cubic},
}

// cubic is the convolution kernel of Keys (1981) with a = -1/2.
func cubic(x float64) float64 {
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

func filterNames() []string {
	names := make([]string, len(filters))
	for i, f := range filters {
		names[i] = f.name
	}
	return names
}

func filterNamed(name string) (filter, bool) {
	i := slices.IndexFunc(filters, func(f filter) bool { return f.name == name })
	if i < 0 {
		return filter{}, false
	}
	return filters[i], true
}

// weightBits is the precision of weights: a byte times a weight, summed, and the overshoot of a
// cubic leave ten of 32 bits.
const weightBits = 32 - 8 - 2

// taps are the weights of one output position: of the input positions from from.
type taps struct {
	from    int
	weights []int32
}

// tapsOf computes the taps of every output position along one side.
func (f filter) tapsOf(in, out int) []taps {
	scale := float64(in) / float64(out)
	wide := max(scale, 1)
	support := f.support * wide
	list := make([]taps, out)
	for i := range list {
		centre := (float64(i) + 0.5) * scale
		from := max(0, int(centre-support+0.5))
		to := min(in, int(centre+support+0.5))
		w, sum := make([]float64, to-from), 0.0
		for k := range w {
			w[k] = f.at((float64(from+k) - centre + 0.5) * (1 / wide))
			sum += w[k]
		}
		list[i] = taps{from, make([]int32, len(w))}
		for k := range w {
			list[i].weights[k] = int32(math.Round(w[k] / sum * (1 << weightBits)))
		}
	}
	return list
}

// resampled is m scaled to rows x cols.
func resampled(m *Image, rows, cols int, f filter) *Image {
	if cols != m.Cols {
		m = alongRows(m, f.tapsOf(m.Cols, cols))
	}
	if rows != m.Rows {
		m = alongCols(m, f.tapsOf(m.Rows, rows))
	}
	return m
}

func alongRows(m *Image, list []taps) *Image {
	out := newImage(m.Rows, len(list), m.Channels)
	for row := range m.Rows {
		for col, t := range list {
			for ch := range m.Channels {
				out.Pix[out.at(row, col)+ch] = t.apply(m.Pix[m.at(row, t.from)+ch:], m.Channels)
			}
		}
	}
	return out
}

func alongCols(m *Image, list []taps) *Image {
	out := newImage(len(list), m.Cols, m.Channels)
	line := m.Cols * m.Channels
	for row, t := range list {
		for i := range line {
			out.Pix[row*line+i] = t.apply(m.Pix[t.from*line+i:], line)
		}
	}
	return out
}

// apply sums every step-th byte under the weights, and rounds.
func (t taps) apply(pix []byte, step int) byte {
	sum := int32(1) << (weightBits - 1)
	for k, w := range t.weights {
		sum += int32(pix[k*step]) * w
	}
	return byte(min(max(sum>>weightBits, 0), 255))
}

// scaled brings the short side to size, and the long one to as much as keeps the aspect,
// rounded down: the rule of torchvision's Resize. It is nil where that is more than maxPixels.
func scaled(m *Image, size int, f filter) *Image {
	rows, cols := size, size
	if m.Rows < m.Cols {
		cols = size * m.Cols / m.Rows
	} else {
		rows = size * m.Rows / m.Cols
	}
	if rows > maxPixels/cols {
		return nil
	}
	return resampled(m, rows, cols, f)
}

// centred is the middle of m, size pixels wide and high: where m is smaller, black is put around
// it. Odd differences are cut as torchvision's CenterCrop cuts them: half of the difference,
// halves to the even number.
func centred(m *Image, size int) *Image {
	out := newImage(size, size, m.Channels)
	top, left := offset(m.Rows, size), offset(m.Cols, size)
	from, to := max(0, left), min(m.Cols, left+size)
	for row := max(0, top); row < min(m.Rows, top+size); row++ {
		copy(out.Pix[out.at(row-top, from-left):], m.Pix[m.at(row, from):m.at(row, to)])
	}
	return out
}

// offset is where a crop of size begins along a side; negative where the side is shorter.
func offset(side, size int) int {
	if side < size {
		return -((size - side) / 2)
	}
	return int(math.RoundToEven(float64(side-size) / 2))
}

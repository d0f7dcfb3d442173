package ir

import "math"

// Filter is how values along an axis are resampled to another number of positions. Positions are
// centres of pixels: new j of n lies at (j + 1/2)·old/n - 1/2 of the old ones.
type Filter struct {
	Cubic     bool `json:"cubic,omitempty"`     // Keys' cubic convolution, else linear interpolation
	Antialias bool `json:"antialias,omitempty"` // widened where an axis shrinks, so that every old position counts
	Corners   bool `json:"corners,omitempty"`   // first and last positions meet instead: new j lies at j·(old-1)/(n-1)
}

// Place is the affine map of new positions to where they lie among the old: j·scale + shift.
func (f Filter) Place(old, size int) (scale, shift float64) {
	if !f.Corners {
		scale = float64(old) / float64(size)
		return scale, 0.5*scale - 0.5
	}
	return float64(old-1) / float64(max(size-1, 1)), 0
}

// Sharpness is the a of Keys' kernel ("Cubic Convolution Interpolation for Digital Image Processing",
// 1981): -1/2 with antialiasing and -3/4 without, as in PyTorch. ONNX and OpenCV have the second, JAX and Pillow
// the first.
func (f Filter) Sharpness() float64 {
	if f.Antialias {
		return -0.5
	}
	return -0.75
}

// Reach is the distance from which on old positions do not count, where they lie 1 apart.
func (f Filter) Reach() int {
	if f.Cubic {
		return 2
	}
	return 1
}

// Width is by how much the kernel is widened.
func (f Filter) Width(old, size int) float64 {
	if scale, _ := f.Place(old, size); f.Antialias {
		return max(scale, 1)
	}
	return 1
}

// Kernel is the weight of an old position at a distance.
func (f Filter) Kernel(x float64) float64 {
	x = math.Abs(x)
	a := f.Sharpness()
	switch {
	case x >= float64(f.Reach()):
		return 0
	case !f.Cubic:
		return 1 - x
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	}
	return a * (((x-5)*x+8)*x - 4)
}

// Weights are those of the old positions in new position j; they sum to 1. Beyond the ends there
// is what lies at them; with antialiasing there is nothing.
func (f Filter) Weights(old, size, j int) []float64 {
	scale, shift := f.Place(old, size)
	at, width := float64(float64(j)*scale)+shift, f.Width(old, size)
	out, total := make([]float64, old), 0.0
	from, to := 0, old-1
	if !f.Antialias {
		from, to = -f.Reach(), old-1+f.Reach()
	}
	for i := from; i <= to; i++ {
		w := f.Kernel((at - float64(i)) / width)
		out[min(max(i, 0), old-1)] += w
		total += w
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

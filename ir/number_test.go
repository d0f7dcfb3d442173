package ir_test

import (
	"math"
	"testing"

	"vitc/ir"
)

func TestRound(t *testing.T) {
	for _, c := range []struct {
		d       ir.DType
		x, want float64
	}{
		{ir.F32, 0.1, 0.10000000149011612},
		{ir.Real, 1 << 24, 1 << 24}, {ir.Real, 1<<24 + 1, 1 << 24}, {ir.Real, 1<<24 + 3, 1<<24 + 4},
		{ir.F32, 1e300, math.Inf(1)}, {ir.F32, 0x1p-150, 0}, {ir.F32, 0x1.8p-149, 0x1p-148},
		{ir.BF16, 1 + 0x1p-8, 1}, {ir.BF16, 1 + 0x3p-8, 1 + 0x1p-6}, {ir.BF16, 1 + 0x1.00001p-8, 1 + 0x1p-7},
		{ir.BF16, 0x1.fep127, 0x1.fep127}, {ir.BF16, 0x1.fefffp127, 0x1.fep127}, {ir.BF16, 0x1.ffp127, math.Inf(1)},
		{ir.BF16, 0x1p-133, 0x1p-133}, {ir.BF16, 0x1p-134, 0}, {ir.BF16, -0x1.8p-133, -0x1p-132},
		{ir.F16, 2049, 2048}, {ir.F16, 2051, 2052}, {ir.F16, 65519.99, 65504}, {ir.F16, -65520, math.Inf(-1)},
		{ir.F16, 0x1p-24, 0x1p-24}, {ir.F16, 0x1p-25, 0}, {ir.F16, 0x1.8p-24, 0x1p-23}, {ir.F16, 0x1.004p-14, 0x1.004p-14},
		{ir.I32, 1 << 31, -1 << 31}, {ir.U32, -1, 1<<32 - 1}, {ir.U8, 257, 1}, {ir.Bool, -3, 1}, {ir.Bool, 0, 0},
	} {
		if got := c.d.Round(c.x); got != c.want {
			t.Errorf("%s.Round(%x) = %x, want %x", c.d, c.x, got, c.want)
		}
	}
	for _, d := range []ir.DType{ir.F32, ir.Real, ir.BF16, ir.F16} {
		if !math.IsNaN(d.Round(math.NaN())) || !math.Signbit(d.Round(math.Copysign(0, -1))) {
			t.Errorf("%s.Round loses NaN or the sign of zero", d)
		}
	}
}

// Between two neighbours of a format the nearer is taken: checked from 1 to 2, and among the
// halves too small to be normal.
func TestRoundNeighbours(t *testing.T) {
	for _, c := range []struct {
		d          ir.DType
		from, unit float64
		count      int
	}{{ir.BF16, 1, 0x1p-7, 128}, {ir.F16, 1, 0x1p-10, 1024}, {ir.F16, 0, 0x1p-24, 1024}, {ir.BF16, 0, 0x1p-133, 128}} {
		for i := range c.count {
			x := c.from + float64(i)*c.unit
			for _, near := range []float64{x, x + 0.49*c.unit, x - 0.24*c.unit} {
				if got := c.d.Round(near); got != x {
					t.Fatalf("%s.Round(%x) = %x, want %x", c.d, near, got, x)
				}
			}
		}
	}
}

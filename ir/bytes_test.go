package ir_test

import (
	"testing"

	"vitc/ir"
)

// Every bit pattern of the small dtypes is read and written back, but for the payloads of NaNs.
func TestElementsInMemory(t *testing.T) {
	for _, d := range []ir.DType{ir.BF16, ir.F16, ir.U8} {
		for i := range 1 << (8 * d.Bytes()) {
			b := []byte{byte(i), byte(i >> 8)}[:d.Bytes()]
			x, back := d.Get(b), make([]byte, d.Bytes())
			d.Put(back, x)
			if x == x && string(back) != string(b) || d.Round(x) != x && x == x {
				t.Fatalf("%s %x is %g, written as %x", d, b, x, back)
			}
		}
	}
	for d, c := range map[ir.DType]struct {
		bits [4]byte
		want float64
	}{
		ir.F32:  {[4]byte{0, 0, 0xc0, 0xbf}, -1.5},
		ir.Real: {[4]byte{0, 0, 0xc0, 0xbf}, -1.5},
		ir.I32:  {[4]byte{0xfe, 0xff, 0xff, 0xff}, -2},
		ir.U32:  {[4]byte{0xfe, 0xff, 0xff, 0xff}, 1<<32 - 2},
	} {
		var back [4]byte
		if got := d.Get(c.bits[:]); got != c.want {
			t.Errorf("%s %x is %g, want %g", d, c.bits, got, c.want)
		}
		if d.Put(back[:], c.want); back != c.bits {
			t.Errorf("%s %g is written as %x", d, c.want, back)
		}
	}
	if ir.Bool.Get([]byte{7}) != 1 || ir.F16.Get([]byte{0, 0x3c}) != 1 || ir.BF16.Get([]byte{0x80, 0x3f}) != 1 {
		t.Error("one is read as something else")
	}
}

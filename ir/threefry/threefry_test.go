package threefry_test

import (
	"testing"

	"vitc/ir/threefry"
)

// The known answers of the Random123 distribution, file kat_vectors.
func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct{ key, counter, want [2]uint32 }{
		{[2]uint32{0, 0}, [2]uint32{0, 0}, [2]uint32{0x6b200159, 0x99ba4efe}},
		{[2]uint32{^uint32(0), ^uint32(0)}, [2]uint32{^uint32(0), ^uint32(0)}, [2]uint32{0x1cb996fc, 0xbb002be7}},
		{[2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0x243f6a88, 0x85a308d3}, [2]uint32{0xc4923a9c, 0x483df7a0}},
	} {
		if got := threefry.Block(c.key, c.counter); got != c.want {
			t.Errorf("Block(%08x, %08x) = %08x, want %08x", c.key, c.counter, got, c.want)
		}
	}
}

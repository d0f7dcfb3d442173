// Package rng draws random numbers from counters: a draw is a function of a key and a
// place, so that nothing is consumed and no order, thread or machine changes it. Keys
// encipher places by Threefry-2x32 (package threefry).
package rng

import (
	"math/bits"

	"vitc/ir/threefry"
)

// Key names a place in a tree of random streams: New makes the root, Fold a branch.
type Key [2]uint32

// New makes the key of a seed.
func New(seed uint64) Key { return split(seed) }

// split cuts 64 bits into two words, the lower first.
func split(v uint64) [2]uint32 { return [2]uint32{uint32(v), uint32(v >> 32)} }

// Fold derives the key of branch data: the pass, the example, the number of a stage.
func (k Key) Fold(data uint64) Key { return threefry.Block(k, split(data)) }

// FoldString derives the key of a named branch: eight bytes at a time, then the length,
// so that no name is another's beginning.
func (k Key) FoldString(name string) Key {
	for rest := name; rest != ""; {
		var word uint64
		n := min(8, len(rest))
		for i := range n {
			word |= uint64(rest[i]) << (8 * i)
		}
		k, rest = k.Fold(word), rest[n:]
	}
	return k.Fold(uint64(len(name)))
}

// At is the 64 bits at place i of the key's stream. Its counters are Fold's too: a key
// serves either to derive keys or to draw, not both.
func (k Key) At(i uint64) uint64 {
	x := threefry.Block(k, split(i))
	return uint64(x[0]) | uint64(x[1])<<32
}

// Stream draws one number after another from a key. It belongs to one goroutine.
type Stream struct {
	key  Key
	next uint64
}

// Stream starts drawing at the beginning of the key's stream.
func (k Key) Stream() *Stream { return &Stream{key: k} }

// Uint64 draws 64 bits.
func (s *Stream) Uint64() uint64 {
	v := s.key.At(s.next)
	s.next++
	return v
}

// IntN draws a whole number of [0, n) without bias; n must be positive.
//
// Method: the high word of a 64x64 bit product, redrawn where the low word falls in the
// part that would favour some results (Lemire, "Fast Random Integer Generation in an
// Interval", 2019).
func (s *Stream) IntN(n int) int {
	if n <= 0 {
		panic("rng: IntN of no numbers")
	}
	bound := uint64(n)
	hi, lo := bits.Mul64(s.Uint64(), bound)
	for reject := -bound % bound; lo < reject; {
		hi, lo = bits.Mul64(s.Uint64(), bound)
	}
	return int(hi)
}

// Float64 draws a multiple of 2^-53 of [0, 1).
func (s *Stream) Float64() float64 { return float64(s.Uint64()>>11) * 0x1p-53 }

// Uniform draws a number of [low, high).
func (s *Stream) Uniform(low, high float64) float64 { return low + (high-low)*s.Float64() }

// Bool draws true or false, evenly.
func (s *Stream) Bool() bool { return s.Uint64()&1 == 1 }

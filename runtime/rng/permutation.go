package rng

import "math/bits"

// tableLimit is the largest permutation kept as a table, 256 KiB of it.
const tableLimit = 1 << 16

// feistelRounds: from four rounds a Feistel network of random functions is a
// pseudo-random permutation (Luby and Rackoff, 1988); ten leave a margin for halves as
// narrow as nine bits.
const feistelRounds = 10

// Permutation is a keyed permutation of 0..n-1. It may be used from several goroutines.
type Permutation struct {
	key   Key
	n     uint64
	table []uint32 // n <= tableLimit
	half  uint     // bits of half a Feistel block otherwise
}

// NewPermutation makes the permutation of n numbers that key names. Up to tableLimit it
// is Fisher and Yates's, each permutation as likely as any; above it takes no memory.
func NewPermutation(key Key, n int) *Permutation {
	p := &Permutation{key: key, n: uint64(max(n, 0))}
	if p.n > tableLimit {
		p.half = uint(bits.Len64(p.n-1)+1) / 2
		return p
	}
	p.table = make([]uint32, p.n)
	s := key.Stream()
	for i := range p.table {
		j := s.IntN(i + 1)
		p.table[i] = p.table[j]
		p.table[j] = uint32(i)
	}
	return p
}

// Len is the number of numbers permuted.
func (p *Permutation) Len() int { return int(p.n) }

// At is the number at place i, 0 <= i < Len.
//
// Above the table it walks the cycle of a Feistel permutation of the next power of four:
// what leaves 0..n-1 is permuted again until it returns, fewer than four times on
// average (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
func (p *Permutation) At(i int) int {
	if i < 0 || uint64(i) >= p.n {
		panic("rng: place outside the permutation")
	}
	if p.table != nil {
		return int(p.table[i])
	}
	v := p.feistel(uint64(i))
	for v >= p.n {
		v = p.feistel(v)
	}
	return int(v)
}

// feistel permutes the numbers of 2*half bits. The key enciphers (right, round); the
// table's draws never share a key with it, n being on the other side of the limit.
func (p *Permutation) feistel(v uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := v>>p.half, v&mask
	for round := range uint64(feistelRounds) {
		left, right = right, left^p.key.At(right|round<<56)&mask
	}
	return left<<p.half | right
}

// Package threefry is the counter-based generator behind every random number of a program:
// Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy
// as 1, 2, 3", SC 2011).
package threefry

import "math/bits"

// Parity is Skein's key schedule constant, for words of 32 bits.
const Parity = 0x1BD11BDA

// Groups of four rounds are what Block does.
const Groups = 5

// Rotations are the left rotations of eight rounds; the next eight repeat them.
var Rotations = [8]int{13, 15, 26, 6, 17, 29, 16, 24}

// Block enciphers a counter under a key, in 20 rounds: five groups of four, a word of the key
// schedule added to each half before the first and after every group.
func Block(key, counter [2]uint32) [2]uint32 {
	schedule := [3]uint32{key[0], key[1], Parity ^ key[0] ^ key[1]}
	x0, x1 := counter[0]+schedule[0], counter[1]+schedule[1]
	for group := range Groups {
		for round := range 4 {
			x0 += x1
			x1 = bits.RotateLeft32(x1, Rotations[(4*group+round)%8]) ^ x0
		}
		x0 += schedule[(group+1)%3]
		x1 += schedule[(group+2)%3] + uint32(group+1)
	}
	return [2]uint32{x0, x1}
}

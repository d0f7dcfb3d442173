// Package cpu knows the instruction sets that kernels are compiled for: what each level
// offers the code generator, what to tell LLVM, and which levels a machine can run.
package cpu

import (
	"fmt"
	"strings"
)

// Level is an instruction set that kernels are compiled for. Each includes those before
// it.
type Level int

// The levels of x86-64.
const (
	Baseline Level = iota // SSE2: every x86-64 machine
	AVX2                  // AVX2 and FMA: x86-64-v3
	AVX512                // AVX-512 F, BW, DQ, VL: x86-64-v4
)

type traits struct {
	name      string
	lanes     int // f32 in a vector
	registers int // vector registers
	cpu       string
	features  string
}

var levels = [...]traits{
	Baseline: {"baseline", 4, 16, "x86-64", ""},
	AVX2:     {"avx2", 8, 16, "x86-64-v3", ""},
	// x86-64-v4 would have LLVM prefer 256-bit vectors, as early AVX-512 machines did.
	AVX512: {"avx512", 16, 32, "x86-64-v4", "-prefer-256-bit"},
}

// Levels returns all levels, the least first.
func Levels() []Level { return []Level{Baseline, AVX2, AVX512} }

// String returns the name that options and bundles use.
func (l Level) String() string {
	if !l.Valid() {
		return fmt.Sprintf("Level(%d)", int(l))
	}
	return levels[l].name
}

// Valid reports whether l is one of the levels.
func (l Level) Valid() bool { return l >= 0 && int(l) < len(levels) }

// ParseLevel reads a level's name.
func ParseLevel(s string) (Level, error) {
	var names []string
	for i, t := range levels {
		if t.name == s {
			return Level(i), nil
		}
		names = append(names, t.name)
	}
	return 0, fmt.Errorf("unknown instruction set level %q: expected one of %s", s, strings.Join(names, ", "))
}

// Lanes returns how many f32 a vector register holds.
func (l Level) Lanes() int { return levels[l].lanes }

// VectorBits returns the width of a vector register.
func (l Level) VectorBits() int { return levels[l].lanes * 32 }

// Registers returns the number of vector registers.
func (l Level) Registers() int { return levels[l].registers }

// HasFMA reports whether a*b+c rounds once. Below AVX2 LLVM would call fmaf.
func (l Level) HasFMA() bool { return l >= AVX2 }

// HasMasks reports whether loads and stores take masks at no cost.
func (l Level) HasMasks() bool { return l >= AVX512 }

// LLVM returns the triple, CPU and features to give to LLVM.
func (l Level) LLVM() (triple, cpu, features string) {
	return "x86_64-unknown-linux-gnu", levels[l].cpu, levels[l].features
}

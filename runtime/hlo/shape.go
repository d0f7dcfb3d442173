package hlo

import (
	"fmt"
	"strconv"
	"strings"
)

// Shape is an array's or a tuple's.
type Shape struct {
	Type    string  // bf16, f32, s32, pred, ...; tuple, token
	Dims    []int64 // of an array
	Order   []int   // of an array's dimensions in memory, the fastest first; nil: the last first
	Tile    []int64 // that memory is padded to: of the fastest dimensions, the slowest first
	Space   int     // of memory: 0 is the device's large memory, others are on the chip
	Members []Shape // of a tuple
}

// HBM is the memory space of a device's large memory.
const HBM = 0

// element is a row of the table of element types, by their number in PrimitiveType.
type element struct {
	name string
	bits int64
}

var elements = map[uint64]element{
	1: {"pred", 8}, 2: {"s8", 8}, 3: {"s16", 16}, 4: {"s32", 32}, 5: {"s64", 64},
	6: {"u8", 8}, 7: {"u16", 16}, 8: {"u32", 32}, 9: {"u64", 64},
	10: {"f16", 16}, 11: {"f32", 32}, 12: {"f64", 64}, 13: {"tuple", 0}, 14: {"opaque", 0},
	15: {"c64", 64}, 16: {"bf16", 16}, 17: {"token", 0}, 18: {"c128", 128},
	19: {"f8e5m2", 8}, 20: {"f8e4m3fn", 8}, 21: {"s4", 4}, 22: {"u4", 4},
	23: {"f8e4m3b11fnuz", 8}, 24: {"f8e5m2fnuz", 8}, 25: {"f8e4m3fnuz", 8},
	26: {"s2", 2}, 27: {"u2", 2}, 28: {"f8e4m3", 8}, 29: {"f8e3m4", 8},
	30: {"s1", 1}, 31: {"u1", 1}, 32: {"f4e2m1fn", 4}, 33: {"f8e8m0fnu", 8}, 34: {"buffer", 0},
}

// bits of each element type by its name.
var bits = func() map[string]int64 {
	m := map[string]int64{}
	for _, e := range elements {
		m[e.name] = e.bits
	}
	return m
}()

// Arrays lists the arrays of a shape, those of tuples in order.
func (s *Shape) Arrays() []*Shape {
	if s.Type != "tuple" {
		return []*Shape{s}
	}
	var list []*Shape
	for i := range s.Members {
		list = append(list, s.Members[i].Arrays()...)
	}
	return list
}

// Bytes is the size of the elements of all arrays, without padding.
func (s *Shape) Bytes() float64 { return s.sum(func(*Shape) bool { return true }) }

// HBMBytes is Bytes of the arrays in a device's large memory.
func (s *Shape) HBMBytes() float64 { return s.sum(func(a *Shape) bool { return a.Space == HBM }) }

// sum is a float, as sizes of a hostile file may overflow any integer.
func (s *Shape) sum(counted func(*Shape) bool) float64 {
	if s.Type == "tuple" {
		total := 0.0
		for i := range s.Members {
			total += s.Members[i].sum(counted)
		}
		return total
	}
	if !counted(s) {
		return 0
	}
	return product(s.Dims) * float64(bits[s.Type]) / 8
}

// Allocated is what an array takes in memory: its two or so fastest dimensions padded to whole
// tiles.
func (s *Shape) Allocated() float64 {
	if s.Type == "tuple" {
		return 0
	}
	dims := make([]float64, len(s.Dims))
	for i, d := range s.Dims {
		dims[i] = float64(d)
	}
	for k := range s.Tile {
		tile := s.Tile[len(s.Tile)-1-k]
		if d := s.fastest(k); d >= 0 && tile > 0 {
			whole := float64((s.Dims[d] + tile - 1) / tile)
			dims[d] = whole * float64(tile)
		}
	}
	n := float64(bits[s.Type]) / 8
	for _, d := range dims {
		n *= d
	}
	return n
}

// fastest is the dimension that is k-th from the fastest one in memory, -1 if there is none.
func (s *Shape) fastest(k int) int {
	if k >= len(s.Dims) {
		return -1
	}
	if s.Order == nil {
		return len(s.Dims) - 1 - k
	}
	return s.Order[k]
}

func product(dims []int64) float64 {
	n := 1.0
	for _, d := range dims {
		n *= float64(d)
	}
	return n
}

// String writes the shape as people of the field do: bf16[64,256], on the chip bf16[64,256]{S1}.
func (s *Shape) String() string {
	if s.Type == "tuple" {
		return fmt.Sprintf("tuple of %d", len(s.Members))
	}
	var dims []string
	for _, d := range s.Dims {
		dims = append(dims, strconv.FormatInt(d, 10))
	}
	text := s.Type + "[" + strings.Join(dims, ",") + "]"
	if s.Space != HBM {
		text += fmt.Sprintf("{S%d}", s.Space)
	}
	return text
}

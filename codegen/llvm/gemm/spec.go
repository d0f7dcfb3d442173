// Package gemm generates matrix products for sizes and strides known at compile time:
//
//	C[m, n] (+)= sum over k of A[m, k] * B[k, n]
//
// The product is blocked as Goto and van de Geijn have it: a micro-kernel keeps an
// MR x NR tile of C in registers and runs along k; tiles are grouped into blocks whose
// parts of A and B stay in the second-level cache. A and B are read in place where their
// strides allow, else copied ("packed") into scratch memory first.
//
// A block of C is a task. Tasks are fixed by the Spec alone, and each element of C is
// summed in one order within one task, so results are the same bits however tasks are
// dealt to threads.
package gemm

import (
	"fmt"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/emit"
)

// DType is the type of a matrix's elements in memory. Sums are in f32 always.
type DType int

// The element types.
const (
	F32  DType = iota
	BF16       // widened when packed; rounded to nearest even when stored
)

func (d DType) bytes() int {
	if d == BF16 {
		return 2
	}
	return 4
}

// elem is the type that memory holds.
func (d DType) elem() types.Type {
	if d == BF16 {
		return emit.I16
	}
	return emit.F32
}

// Matrix says how a matrix lies in memory: element (i, j) is at i*RowStride +
// j*ColStride, in elements. Rows of A and C are m, of B k; columns of A are k, of B and C
// n. A transposed matrix is one with its strides exchanged.
type Matrix struct {
	RowStride, ColStride int
	DType                DType
}

// Tile is what an Epilogue sees: one vector of a finished row of C.
type Tile struct {
	Acc      value.Value   // the sums, f32
	Row, Col value.Value   // i64: place of the first lane in C
	Mask     value.Value   // lanes that exist; nil: all
	Args     []value.Value // the values passed for Spec.Args
}

// Epilogue returns what is stored in C for a tile, as f32, or nil to store nothing. It
// may load what it needs (under the mask) and store elsewhere. It is called at build
// time, and what it emits runs once for every vector of C.
type Epilogue func(b *emit.Builder, t Tile) value.Value

// Packing says whether B is copied before use.
type Packing int

// The choices.
const (
	PackAuto   Packing = iota // by cost
	PackNever                 // read in place; needs contiguous columns of f32
	PackAlways                // copied by each thread into its scratch memory
	PackedB                   // already copied, by the kernel of EmitPackB
)

// Spec is a product to generate.
type Spec struct {
	M, N, K    int
	A, B, C    Matrix
	Accumulate bool // C += rather than C =
	ISA        cpu.Level
	Packing    Packing

	Epilogue Epilogue     // nil: C gets the sums
	Args     []types.Type // of further values that the epilogue needs
	// ReadsC says that the epilogue reads memory that C overlaps (a residual added in
	// place). Partial sums are then kept out of C.
	ReadsC bool
}

// maxDim keeps all addresses within a signed 32-bit number of elements.
const maxDim = 1 << 30

// Check reports what is wrong with a Spec.
func (s *Spec) Check() error {
	if s.M < 1 || s.N < 1 || s.K < 1 || s.M > maxDim || s.N > maxDim || s.K > maxDim {
		return fmt.Errorf("gemm: sizes %d x %d x %d: expected 1 to %d", s.M, s.N, s.K, maxDim)
	}
	if !s.ISA.Valid() {
		return fmt.Errorf("gemm: unknown level %v", s.ISA)
	}
	if s.C.ColStride != 1 && s.N > 1 {
		return fmt.Errorf("gemm: columns of C are %d elements apart, expected 1; fix: exchange A and B, transposed", s.C.ColStride)
	}
	if s.C.RowStride < s.N && s.M > 1 {
		return fmt.Errorf("gemm: rows of C are %d elements apart, which overlaps their %d columns", s.C.RowStride, s.N)
	}
	for _, x := range []Matrix{s.A, s.B} {
		if x.RowStride < 0 || x.ColStride < 0 || x.RowStride > maxDim || x.ColStride > maxDim {
			return fmt.Errorf("gemm: strides %d, %d: expected 0 to %d", x.RowStride, x.ColStride, maxDim)
		}
	}
	if s.Packing == PackNever && (s.B.ColStride != 1 && s.N > 1 || s.B.DType != F32) {
		return fmt.Errorf("gemm: B with columns %d apart cannot be read in place; fix: let it be packed", s.B.ColStride)
	}
	if s.Accumulate && s.C.DType != F32 {
		return fmt.Errorf("gemm: accumulating into bf16 would round at every step; fix: accumulate in f32")
	}
	return nil
}

// FLOPs returns the floating-point operations of the product: two for a multiply-add.
func (s *Spec) FLOPs() int64 { return 2 * int64(s.M) * int64(s.N) * int64(s.K) }

package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/emit"
	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
)

func TestMain(m *testing.M) {
	toolchain.MaybeServe()
	os.Exit(m.Run())
}

// buffer is a matrix's memory in either type, with its values in f32.
type buffer struct {
	f32  []float32
	bf16 []uint16
}

func (x *buffer) ptr() unsafe.Pointer {
	if x.bf16 != nil {
		return llvmtest.Ptr(x.bf16)
	}
	return llvmtest.Ptr(x.f32)
}

// at returns element i as f32.
func (x *buffer) at(i int) float32 {
	if x.bf16 != nil {
		return math.Float32frombits(uint32(x.bf16[i]) << 16)
	}
	return x.f32[i]
}

// random fills a matrix of rows x cols; memory between its elements is NaN, so that a
// stray load shows.
func random(r *rand.Rand, m Matrix, rows, cols int) *buffer {
	x := &buffer{f32: llvmtest.Aligned[float32]((rows-1)*m.RowStride + (cols-1)*m.ColStride + 1)}
	for i := range x.f32 {
		x.f32[i] = float32(math.NaN())
	}
	for i := range rows {
		for j := range cols {
			x.f32[i*m.RowStride+j*m.ColStride] = float32(r.NormFloat64())
		}
	}
	if m.DType == BF16 {
		x.bf16 = llvmtest.Aligned[uint16](len(x.f32))
		for i, v := range x.f32 {
			x.bf16[i] = uint16(math.Float32bits(v) >> 16)
		}
	}
	return x
}

// reference computes a Spec in f64, from the old C where it accumulates, and the sum of
// magnitudes that bounds its rounding.
func reference(s *Spec, a, b, c *buffer) (want, size []float64) {
	want, size = make([]float64, s.M*s.N), make([]float64, s.M*s.N)
	for i := range s.M {
		for j := range s.N {
			sum, mag := 0.0, 0.0
			if s.Accumulate {
				sum = float64(c.at(i*s.C.RowStride + j*s.C.ColStride))
				mag = math.Abs(sum)
			}
			for k := range s.K {
				p := float64(a.at(i*s.A.RowStride+k*s.A.ColStride)) * float64(b.at(k*s.B.RowStride+j*s.B.ColStride))
				sum += p
				mag += math.Abs(p)
			}
			want[i*s.N+j], size[i*s.N+j] = sum, mag
		}
	}
	return want, size
}

// built is a compiled Spec.
type built struct {
	spec    Spec
	plan    Plan
	run     llvmtest.Kernel
	pack    llvmtest.Kernel // of B, for PackedB
	panels  int
	scratch []float32
}

func build(t testing.TB, s Spec) *built {
	t.Helper()
	m := emit.NewModule(s.ISA)
	plan, err := EmitKernel(m, "k", s)
	if err != nil {
		t.Fatal(err)
	}
	x := &built{spec: s, plan: plan, scratch: llvmtest.Aligned[float32](plan.Scratch/4 + 16)}
	if s.Packing == PackedB {
		if x.panels, err = EmitPackB(m, "pack", s); err != nil {
			t.Fatal(err)
		}
	}
	im := llvmtest.Compile(t, m, "")
	x.run = im.Kernel("k")
	if x.panels > 0 {
		x.pack = im.Kernel("pack")
	}
	return x
}

// call runs tasks [lo, hi).
func (x *built) call(lo, hi int, a, b, c unsafe.Pointer, more ...unsafe.Pointer) {
	guard := &x.scratch[x.plan.Scratch/4]
	*guard = 12345
	x.run.Call(lo, hi, llvmtest.Ptr(x.scratch), append([]unsafe.Pointer{a, b, c}, more...)...)
	if *guard != 12345 {
		panic("wrote beyond the scratch memory")
	}
}

// packB returns B as the kernel wants it.
func (x *built) packB(b *buffer) unsafe.Pointer {
	if x.panels == 0 {
		return b.ptr()
	}
	packed := llvmtest.Aligned[float32](x.spec.PackedBytes() / 4)
	for hi := x.panels; hi > 0; hi -= 2 { // in tasks of two, from the end
		x.pack.Call(max(0, hi-2), hi, nil, llvmtest.Ptr(packed), b.ptr())
	}
	return llvmtest.Ptr(packed)
}

func (s *Spec) String() string {
	return fmt.Sprintf("%dx%dx%d a%v b%v c%v acc=%v pack=%d", s.M, s.N, s.K, s.A, s.B, s.C, s.Accumulate, s.Packing)
}

// check compares a Spec with the reference, whole and in tasks.
func check(t *testing.T, r *rand.Rand, s Spec) {
	t.Helper()
	a, b, c := random(r, s.A, s.M, s.K), random(r, s.B, s.K, s.N), random(r, s.C, s.M, s.N)
	want, size := reference(&s, a, b, c)
	x := build(t, s)
	pb := x.packB(b)
	before := slices.Clone(c.f32)
	split := &buffer{f32: slices.Clone(c.f32), bf16: slices.Clone(c.bf16)}
	x.call(0, x.plan.Tasks, a.ptr(), pb, c.ptr())
	for hi := x.plan.Tasks; hi > 0; { // in uneven ranges, from the end
		lo := max(0, hi-1-r.IntN(3))
		x.call(lo, hi, a.ptr(), pb, split.ptr())
		hi = lo
	}
	eps := 0x1p-23
	if s.C.DType == BF16 {
		eps = 0x1p-8
	}
	for i := range s.M {
		for j := range s.N {
			at := i*s.C.RowStride + j*s.C.ColStride
			got := c.at(at)
			bound := size[i*s.N+j]*0x1p-24*math.Sqrt(float64(s.K)+4) + math.Abs(want[i*s.N+j])*eps
			if d := math.Abs(float64(got) - want[i*s.N+j]); !(d <= bound) {
				t.Fatalf("%v: C[%d,%d] = %v, want %v (plan %+v)", &s, i, j, got, want[i*s.N+j], x.plan)
			}
			if math.Float32bits(split.at(at)) != math.Float32bits(got) {
				t.Fatalf("%v: C[%d,%d] depends on how tasks are dealt", &s, i, j)
			}
		}
	}
	for i := range c.f32 { // columns beyond N are someone else's
		if i%s.C.RowStride >= s.N && c.bf16 == nil && math.Float32bits(c.f32[i]) != math.Float32bits(before[i]) {
			t.Fatalf("%v: wrote beyond the columns of C", &s)
		}
	}
}

// randomSpec draws sizes and strides, small more often than large.
func randomSpec(r *rand.Rand, isa cpu.Level) Spec {
	dim := func() int { return 1 + int(math.Pow(2, r.Float64()*7.5)) }
	s := Spec{M: dim(), N: dim(), K: dim(), ISA: isa, Accumulate: r.IntN(4) == 0, Packing: Packing(r.IntN(4))}
	lay := func(rows, cols int) Matrix {
		switch r.IntN(6) {
		case 5: // a row for all
			return Matrix{RowStride: 0, ColStride: 1 + r.IntN(2)}
		case 0, 1:
			return Matrix{RowStride: cols + r.IntN(4), ColStride: 1}
		case 2, 3:
			return Matrix{RowStride: 1, ColStride: rows + r.IntN(4)}
		}
		return Matrix{RowStride: 2 * cols, ColStride: 2}
	}
	s.A, s.B = lay(s.M, s.K), lay(s.K, s.N)
	s.C = Matrix{RowStride: s.N + r.IntN(4), ColStride: 1}
	for _, x := range []*Matrix{&s.A, &s.B, &s.C} {
		if r.IntN(5) == 0 {
			x.DType = BF16
		}
	}
	if s.C.DType == BF16 {
		s.Accumulate = false
	}
	if s.Packing == PackNever && (s.B.ColStride != 1 || s.B.DType != F32) {
		s.Packing = PackAuto
	}
	return s
}

func TestRandomShapes(t *testing.T) {
	llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
		r := rand.New(rand.NewPCG(3, uint64(isa)))
		for range 60 {
			check(t, r, randomSpec(r, isa))
		}
	})
}

// rows returns a row-major matrix of n columns.
func rows(n int) Matrix { return Matrix{RowStride: n, ColStride: 1} }

// transposed returns a row-major matrix of n columns, read with its indices exchanged.
func transposed(n int) Matrix { return Matrix{RowStride: 1, ColStride: n} }

func TestShapesOfViTs(t *testing.T) {
	llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
		r := rand.New(rand.NewPCG(5, uint64(isa)))
		for _, s := range []Spec{
			{M: 17, N: 17, K: 16, A: rows(48), B: transposed(48), C: rows(17)},
			{M: 50, N: 50, K: 32, A: rows(96), B: transposed(96), C: rows(50)},
			{M: 197, N: 64, K: 197, A: rows(197), B: rows(192), C: rows(64)},
			{M: 64, N: 128, K: 2176, A: transposed(64), B: rows(128), C: rows(128)}, // long K
			{M: 64, N: 128, K: 5003, A: transposed(64), B: rows(128), C: rows(128)}, // and odd
			{M: 64, N: 128, K: 5003, A: transposed(64), B: transposed(5003), C: rows(128), Accumulate: true},
			{M: 40, N: 70, K: 3000, A: rows(3072), B: rows(1024), C: rows(70)}, // strides of powers of two
			{M: 130, N: 100, K: 2100, A: rows(2100), B: rows(100), C: rows(100), Packing: PackedB},
			{M: 130, N: 100, K: 2100, A: rows(2100), B: rows(100), C: rows(100), ReadsC: true},
		} {
			s.ISA = isa
			check(t, r, s)
		}
	})
}

func TestEpilogue(t *testing.T) {
	llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
		r := rand.New(rand.NewPCG(7, uint64(isa)))
		for _, k := range []int{20, 3001} {
			const M, N = 37, 45
			s := Spec{M: M, N: N, K: k, A: rows(k), B: rows(N), C: rows(N), ISA: isa, Args: []types.Type{emit.Ptr, emit.Ptr}}
			s.Epilogue = biasAndCopy(N)
			a, b := random(r, s.A, M, k), random(r, s.B, k, N)
			bias, c, copied := random(r, rows(N), 1, N), llvmtest.Aligned[float32](M*N), llvmtest.Aligned[float32](M*N)
			x := build(t, s)
			x.call(0, x.plan.Tasks, a.ptr(), b.ptr(), llvmtest.Ptr(c), bias.ptr(), llvmtest.Ptr(copied))
			plain := s
			plain.Epilogue, plain.Args = nil, nil
			sums := llvmtest.Aligned[float32](M * N)
			y := build(t, plain)
			y.call(0, y.plan.Tasks, a.ptr(), b.ptr(), llvmtest.Ptr(sums))
			for i := range c {
				want := sums[i] + bias.f32[i%N]
				if c[i] != want || copied[i] != sums[i]+float32(i/N) {
					t.Fatalf("K=%d: C[%d,%d] = %v and %v, want %v and %v", k, i/N, i%N, c[i], copied[i], want, sums[i]+float32(i/N))
				}
			}
		}
	})
}

// TestResidualInPlace adds what C held before, read by the epilogue, over a K that would
// be split if partial sums might lie in C.
func TestResidualInPlace(t *testing.T) {
	llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
		r := rand.New(rand.NewPCG(9, uint64(isa)))
		const M, N, K = 21, 40, 3001
		s := Spec{M: M, N: N, K: K, A: rows(K), B: rows(N), C: rows(N), ISA: isa, ReadsC: true, Args: []types.Type{emit.Ptr}}
		s.Epilogue = func(b *emit.Builder, t Tile) value.Value {
			at := b.Add(b.Mul(t.Row, emit.Int(N)), t.Col)
			return b.FAdd(t.Acc, b.MaskedLoad(t.Acc.Type(), b.At(emit.F32, t.Args[0], at), t.Mask, 4))
		}
		a, b, c := random(r, s.A, M, K), random(r, s.B, K, N), random(r, s.C, M, N)
		plain := s
		plain.Epilogue, plain.Args, plain.Accumulate = nil, nil, true // the same by other means
		want := slices.Clone(c.f32)
		y := build(t, plain)
		y.call(0, y.plan.Tasks, a.ptr(), b.ptr(), llvmtest.Ptr(want))
		x := build(t, s)
		x.call(0, x.plan.Tasks, a.ptr(), b.ptr(), c.ptr(), c.ptr())
		if !slices.Equal(c.f32, want) {
			t.Errorf("%v: the residual was lost", isa)
		}
	})
}

// biasAndCopy adds a row of bias, and stores the sums plus their row number elsewhere.
func biasAndCopy(n int) Epilogue {
	return func(b *emit.Builder, t Tile) value.Value {
		vt := t.Acc.Type()
		row := b.Splat(b.IntToFloat(b.Trunc(t.Row, emit.I32)), emit.Lanes(vt))
		at := b.Add(b.Mul(t.Row, emit.Int(n)), t.Col)
		b.MaskedStore(b.FAdd(t.Acc, row), b.At(emit.F32, t.Args[1], at), t.Mask, 4)
		return b.FAdd(t.Acc, b.MaskedLoad(vt, b.At(emit.F32, t.Args[0], t.Col), t.Mask, 4))
	}
}

func TestCheck(t *testing.T) {
	good := Spec{M: 4, N: 4, K: 4, A: rows(4), B: rows(4), C: rows(4)}
	for _, tc := range []struct {
		change func(*Spec)
		want   string
	}{
		{func(s *Spec) { s.K = 0 }, "sizes"},
		{func(s *Spec) { s.C = transposed(4) }, "exchange A and B"},
		{func(s *Spec) { s.C.RowStride = 3 }, "overlaps"},
		{func(s *Spec) { s.A.RowStride = -1 }, "strides"},
		{func(s *Spec) { s.B, s.Packing = transposed(4), PackNever }, "packed"},
		{func(s *Spec) { s.C.DType, s.Accumulate = BF16, true }, "bf16"},
		{func(s *Spec) { s.ISA = 9 }, "level"},
	} {
		s := good
		tc.change(&s)
		if _, err := Emit(emit.NewModule(cpu.Baseline), "k", s); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
	if _, err := Emit(emit.NewModule(cpu.AVX2), "k", good); err == nil {
		t.Error("a product for one level in a module for another")
	}
}

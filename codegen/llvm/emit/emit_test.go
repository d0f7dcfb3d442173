package emit_test

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/llir/llvm/ir/enum"
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

// mapKernel emits name: dst[i] = f(src[i]) for i in [lo, hi), n lanes at a time and the
// rest under a mask.
func mapKernel(m *emit.Module, name string, n int, f func(b *emit.Builder, x value.Value) value.Value) {
	b, k := m.Kernel(name)
	dst, src := b.LoadArg(k.Args, 0), b.LoadArg(k.Args, 1)
	t := emit.Vec(emit.F32, n)
	b.Loop("i", k.Lo, k.Hi, emit.Int(n), nil, func(i value.Value, _ []value.Value) []value.Value {
		left := b.SMin(b.Sub(k.Hi, i), emit.Int(n))
		mask := b.TailMask(n, left)
		x := b.MaskedLoad(t, b.At(emit.F32, src, i), mask, 4)
		b.MaskedStore(f(b, x), b.At(emit.F32, dst, i), mask, 4)
		return nil
	})
	b.Ret(nil)
}

// lanes returns the widths a level is tested with.
func lanes(isa cpu.Level) []int { return []int{1, isa.Lanes()} }

// apply runs f over xs at a level and width.
func apply(t *testing.T, isa cpu.Level, n int, xs []float32, f func(b *emit.Builder, x value.Value) value.Value) []float32 {
	t.Helper()
	m := emit.NewModule(isa)
	mapKernel(m, "f", n, f)
	out := make([]float32, len(xs)+2)
	out[len(xs)] = 7
	llvmtest.Compile(t, m, "").Kernel("f").Call(0, len(xs), nil, llvmtest.Ptr(out), llvmtest.Ptr(xs))
	if out[len(xs)] != 7 {
		t.Errorf("%v, %d lanes: wrote past the end", isa, n)
	}
	return out[:len(xs)]
}

// specials are inputs that elementary functions get wrong first.
var specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 8388607.5, 8388608, -8388609, 16777217, 1e10, -1e10,
}

func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || (a != a && b != b)
}

func TestPointwise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := append([]float32(nil), specials...)
	for range 200 {
		xs = append(xs, float32(r.NormFloat64()*math.Pow(10, 8*r.Float64()-2)))
	}
	three := func(x value.Value) value.Value { return emit.SplatConst(emit.Float(3), emit.Lanes(x.Type())) }
	type fn func(b *emit.Builder, x value.Value) value.Value
	for name, tc := range map[string]struct {
		f    fn
		want func(x float32) float32
	}{
		"floor": {func(b *emit.Builder, x value.Value) value.Value { return b.Floor(x) },
			func(x float32) float32 { return float32(math.Floor(float64(x))) }},
		"max 3": {func(b *emit.Builder, x value.Value) value.Value { return b.FMax(x, three(x)) },
			func(x float32) float32 { return max(x, 3) }},
		"3 max": {func(b *emit.Builder, x value.Value) value.Value { return b.FMax(three(x), x) },
			func(x float32) float32 { return max(3, x) }},
		"min 3": {func(b *emit.Builder, x value.Value) value.Value { return b.FMin(three(x), x) },
			func(x float32) float32 { return min(x, 3) }},
		"sqrt": {func(b *emit.Builder, x value.Value) value.Value { return b.Sqrt(x) },
			func(x float32) float32 { return float32(math.Sqrt(float64(x))) }},
		"bf16": {func(b *emit.Builder, x value.Value) value.Value { return b.WidenBF16(b.NarrowBF16(x)) }, roundBF16},
		"i32": {func(b *emit.Builder, x value.Value) value.Value { return b.IntToFloat(b.FloatToInt(x)) },
			func(x float32) float32 {
				if x != x {
					return 0
				}
				return float32(int32(max(min(float64(x), math.MaxInt32), math.MinInt32)))
			}},
	} {
		llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
			for _, n := range lanes(isa) {
				for i, got := range apply(t, isa, n, xs, tc.f) {
					if want := tc.want(xs[i]); !same(got, want) {
						t.Errorf("%s(%g), %d lanes = %g, want %g", name, xs[i], n, got, want)
					}
				}
			}
		})
	}
}

func roundBF16(x float32) float32 {
	if x != x {
		return x
	}
	u := math.Float32bits(x)
	return math.Float32frombits((u + 0x7fff + u>>16&1) &^ 0xffff)
}

func TestReduceAndFlow(t *testing.T) {
	llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
		for _, n := range lanes(isa) {
			m := emit.NewModule(isa)
			b, k := m.Kernel("sum")
			dst, src := b.LoadArg(k.Args, 0), b.LoadArg(k.Args, 1)
			vt := emit.Vec(emit.F32, n)
			acc := b.Loop("i", k.Lo, k.Hi, emit.Int(n), []value.Value{emit.Zero(vt), emit.SplatConst(emit.Float(math.Inf(-1)), n)},
				func(i value.Value, c []value.Value) []value.Value {
					x := b.Load(vt, b.At(emit.F32, src, i), 4)
					return []value.Value{b.FAdd(c[0], x), b.FMax(c[1], x)}
				})
			sum, top := b.ReduceAdd(acc[0]), b.ReduceMax(acc[1])
			big := b.If(b.FCmp(enum.FPredOGT, sum, emit.Float(100)),
				func() []value.Value { return []value.Value{b.FNeg(sum)} },
				func() []value.Value { return []value.Value{sum} })
			b.Store(big[0], dst, 4)
			b.Store(top, b.Offset(dst, 4), 4)
			slot := b.Alloca(emit.F32, 4, 16)
			b.Store(top, b.Offset(slot, 8), 4)
			b.Store(b.Load(emit.F32, b.Offset(slot, 8), 4), b.Offset(dst, 8), 4)
			b.Ret(nil)
			im := llvmtest.Compile(t, m, "")
			src64 := make([]float32, 64)
			for i := range src64 {
				src64[i] = float32(i % 7)
			}
			out := make([]float32, 3)
			im.Kernel("sum").Call(0, 64, nil, llvmtest.Ptr(out), llvmtest.Ptr(src64))
			if out[0] != -189 || out[1] != 6 || out[2] != 6 {
				t.Errorf("%d lanes: got %v, want [-189 6 6]", n, out)
			}
			im.Kernel("sum").Call(0, 16, nil, llvmtest.Ptr(out), llvmtest.Ptr(src64))
			if out[0] != 43 {
				t.Errorf("%d lanes: got %v, want 43", n, out[0])
			}
		}
	})
}

func TestGather(t *testing.T) {
	llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
		for _, n := range lanes(isa) {
			m := emit.NewModule(isa)
			b, k := m.Kernel("g")
			dst, src, idx := b.LoadArg(k.Args, 0), b.LoadArg(k.Args, 1), b.LoadArg(k.Args, 2)
			i := b.Load(emit.Vec(emit.I32, n), idx, 4)
			mask := b.TailMask(n, k.Hi)
			b.Store(b.Gather(emit.F32, src, i, mask), dst, 4)
			b.Ret(nil)
			data, ids, out := make([]float32, 50), make([]int32, n), make([]float32, n)
			for j := range data {
				data[j] = float32(j)
			}
			for j := range ids {
				ids[j] = int32(7 * j % 50)
			}
			hi := max(1, n-1)
			ids = append(ids[:hi:hi], make([]int32, n-hi)...)
			for j := hi; j < n; j++ {
				ids[j] = 1 << 30 // must not be touched
			}
			llvmtest.Compile(t, m, "").Kernel("g").Call(0, hi, nil, llvmtest.Ptr(out), llvmtest.Ptr(data), llvmtest.Ptr(ids))
			for j := range out {
				want := float32(0)
				if j < hi {
					want = data[ids[j]]
				}
				if out[j] != want {
					t.Errorf("%d lanes: lane %d is %v, want %v", n, j, out[j], want)
				}
			}
		}
	})
}

func TestMisuse(t *testing.T) {
	mustPanic := func(name string, f func()) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	m := emit.NewModule(cpu.Baseline)
	b, k := m.Kernel("k")
	mustPanic("twice", func() { m.Kernel("k") })
	mustPanic("loop", func() {
		b.Loop("i", k.Lo, k.Hi, emit.Int(1), []value.Value{emit.Int(0)}, func(value.Value, []value.Value) []value.Value { return nil })
	})
	mustPanic("reduce", func() { b.ReduceAdd(emit.Zero(emit.Vec(emit.F32, 6))) })
}

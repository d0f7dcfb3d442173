package emit_test

import (
	"math"
	"testing"

	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/emit"
	"vitc/codegen/llvm/llvmtest"
)

type unary struct {
	name string
	f    func(b *emit.Builder, x value.Value) value.Value
	want func(float64) float64
	ulp  float64
	abs  float64 // an absolute error that is allowed from 2^20 on
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// unaries states the bounds of the doc comments.
var unaries = []unary{
	{"exp", (*emit.Builder).Exp, math.Exp, 1, 0},
	{"log", (*emit.Builder).Log, math.Log, 1, 0},
	{"log1p", (*emit.Builder).Log1p, math.Log1p, 1, 0},
	{"tanh", (*emit.Builder).Tanh, math.Tanh, 2, 0},
	{"logistic", (*emit.Builder).Logistic, logistic, 3, 0},
	{"erf", (*emit.Builder).Erf, math.Erf, 6, 0},
	{"sin", (*emit.Builder).Sin, math.Sin, 2, 1.5e-7},
	{"cos", (*emit.Builder).Cos, math.Cos, 2, 1.5e-7},
}

// spread returns arguments over all bit patterns, and more of those of everyday size.
func spread() []float32 {
	xs := append([]float32(nil), specials...)
	for u := uint64(0); u < 1<<32; u += 8191 {
		xs = append(xs, math.Float32frombits(uint32(u)))
	}
	for x := float32(-110); x < 110; x += 0.00037 {
		xs = append(xs, x)
	}
	return xs
}

// ulps returns |got-want| in units in the last place of want as an f32.
func ulps(got float32, want float64) float64 {
	if w := float32(want); same(got, w) || float64(got) == want {
		return 0
	}
	_, e := math.Frexp(want)
	unit := math.Ldexp(1, max(e-24, -149))
	d := math.Abs(float64(got)-want) / unit
	if d != d {
		return math.Inf(1)
	}
	return d
}

func TestElementary(t *testing.T) {
	xs := spread()
	for _, fn := range unaries {
		llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
			var first []float32
			for _, n := range []int{isa.Lanes(), 1} {
				got := apply(t, isa, n, xs, fn.f)
				worst, at := 0.0, float32(0)
				for i, x := range xs {
					want := fn.want(float64(x))
					if math.Abs(float64(x)) >= 1<<20 && math.Abs(float64(got[i])-want) <= fn.abs {
						continue
					}
					if u := ulps(got[i], want); u > worst {
						worst, at = u, x
					}
				}
				t.Logf("%s, %d lanes: %.2f ulp at %g", fn.name, n, worst, at)
				if worst > fn.ulp {
					t.Errorf("%s(%g), %d lanes: %.2f ulp, bound %g", fn.name, at, n, worst, fn.ulp)
				}
				if first == nil {
					first = got
				}
				for i := range got {
					if !same(got[i], first[i]) {
						t.Fatalf("%s(%g): %g in a vector, %g alone", fn.name, xs[i], first[i], got[i])
					}
				}
			}
		})
	}
}

func TestPow(t *testing.T) {
	var xs, ys []float32
	for _, x := range specials {
		for _, y := range append([]float32{2, 3, -3, 1e9, 16777215, -16777215, 0.3333}, specials...) {
			xs, ys = append(xs, x), append(ys, y)
		}
	}
	for i := range 300_000 {
		xs = append(xs, float32(math.Exp(float64(i%601-300)/10)))
		ys = append(ys, float32(math.Sin(float64(i))*40))
	}
	llvmtest.EachLevel(t, func(t *testing.T, isa cpu.Level) {
		for _, n := range lanes(isa) {
			m := emit.NewModule(isa)
			b, k := m.Kernel("pow")
			dst, px, py := b.LoadArg(k.Args, 0), b.LoadArg(k.Args, 1), b.LoadArg(k.Args, 2)
			vt := emit.Vec(emit.F32, n)
			b.Loop("i", k.Lo, k.Hi, emit.Int(n), nil, func(i value.Value, _ []value.Value) []value.Value {
				x, y := b.Load(vt, b.At(emit.F32, px, i), 4), b.Load(vt, b.At(emit.F32, py, i), 4)
				b.Store(b.Pow(x, y), b.At(emit.F32, dst, i), 4)
				return nil
			})
			b.Ret(nil)
			count := len(xs) / 16 * 16
			got := make([]float32, count)
			llvmtest.Compile(t, m, "").Kernel("pow").Call(0, count, nil, llvmtest.Ptr(got), llvmtest.Ptr(xs), llvmtest.Ptr(ys))
			for i := range got {
				want := math.Pow(float64(xs[i]), float64(ys[i]))
				if u := ulps(got[i], want); u > 1 && math.Abs(want) < math.MaxFloat32 || u > 0 && want != want {
					t.Fatalf("pow(%g, %g), %d lanes = %g, want %g (%.2f ulp)", xs[i], ys[i], n, got[i], want, u)
				}
			}
		}
	})
}

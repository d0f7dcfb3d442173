package gemm

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/llir/llvm/ir/value"
	"golang.org/x/sys/unix"

	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/emit"
	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
)

// threadTime is the processor time of the calling thread, which does not count what
// other programs take of the machine.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// peak measures the multiply-adds of one core at a level, in FLOP/s.
func peak(t testing.TB, isa cpu.Level) float64 {
	t.Helper()
	m := emit.NewModule(isa)
	b, k := m.Kernel("peak")
	const chains = 12
	vt := emit.Vec(emit.F32, isa.Lanes())
	p := b.LoadArg(k.Args, 0)
	x := b.Load(vt, p, 4)
	init := make([]value.Value, chains)
	for i := range init {
		init[i] = b.Load(vt, b.Offset(p, 4*i), 4)
	}
	out := b.Loop("i", k.Lo, k.Hi, emit.Int(1), init, func(_ value.Value, acc []value.Value) []value.Value {
		for i := range acc {
			acc[i] = b.FMA(acc[i], x, x)
		}
		return acc
	})
	for i, v := range out {
		b.Store(v, b.Offset(p, 4*isa.Lanes()*i), 4)
	}
	b.Ret(nil)
	run := llvmtest.Compile(t, m, "").Kernel("peak")
	buf := llvmtest.Aligned[float32](16 * chains)
	const n = 1 << 20
	best := time.Hour
	for range 8 {
		start := threadTime()
		run.Call(0, n, nil, llvmtest.Ptr(buf))
		best = min(best, threadTime()-start)
	}
	return 2 * chains * n * float64(isa.Lanes()) / best.Seconds()
}

// peaks are what peak measured, once a level.
var peaks = map[cpu.Level]float64{}

// benchShapes are products of ViTs: small ones and B/16's, forward, gradients of inputs
// (dx) and weights (dw), and attention's, a batch of them by one kernel.
var benchShapes = []struct {
	name  string
	s     Spec
	batch int
}{
	{"2176x64x64", Spec{M: 2176, N: 64, K: 64, A: rows(64), B: rows(64), C: rows(64)}, 1},
	{"2176x128x64", Spec{M: 2176, N: 128, K: 64, A: rows(64), B: rows(128), C: rows(128)}, 1},
	{"2176x64x128", Spec{M: 2176, N: 64, K: 128, A: rows(128), B: rows(64), C: rows(64)}, 1},
	{"2176x192x64", Spec{M: 2176, N: 192, K: 64, A: rows(64), B: rows(192), C: rows(192)}, 1},
	{"2176x64x128dx", Spec{M: 2176, N: 64, K: 128, A: rows(128), B: transposed(128), C: rows(64)}, 1},
	{"64x128x2176dw", Spec{M: 64, N: 128, K: 2176, A: transposed(64), B: rows(128), C: rows(128)}, 1},
	{"192x192x6304dw", Spec{M: 192, N: 192, K: 6304, A: transposed(192), B: rows(192), C: rows(192)}, 1},
	{"64x64x50000dw", Spec{M: 64, N: 64, K: 50000, A: transposed(64), B: rows(64), C: rows(64)}, 1},
	{"17x17x16qk", Spec{M: 17, N: 17, K: 16, A: rows(192), B: transposed(192), C: rows(17)}, 64},
	{"17x16x17pv", Spec{M: 17, N: 16, K: 17, A: rows(17), B: rows(192), C: rows(64)}, 64},
	{"50x50x32qk", Spec{M: 50, N: 50, K: 32, A: rows(96), B: transposed(96), C: rows(50)}, 64},
	{"197x197x64qk", Spec{M: 197, N: 197, K: 64, A: rows(2304), B: transposed(2304), C: rows(197)}, 12},
	{"197x64x197pv", Spec{M: 197, N: 64, K: 197, A: rows(197), B: rows(2304), C: rows(768)}, 12},
	{"6304x192x192", Spec{M: 6304, N: 192, K: 192, A: rows(192), B: rows(192), C: rows(192)}, 1},
	{"1576x768x768", Spec{M: 1576, N: 768, K: 768, A: rows(768), B: rows(768), C: rows(768)}, 1},
	{"1576x3072x768", Spec{M: 1576, N: 3072, K: 768, A: rows(768), B: rows(3072), C: rows(3072)}, 1},
	{"1576x768x3072", Spec{M: 1576, N: 768, K: 3072, A: rows(3072), B: rows(768), C: rows(768)}, 1},
	{"1576x768x3072dx", Spec{M: 1576, N: 768, K: 3072, A: rows(3072), B: transposed(3072), C: rows(768)}, 1},
	{"768x3072x1576dw", Spec{M: 768, N: 3072, K: 1576, A: transposed(768), B: rows(3072), C: rows(3072)}, 1},
}

// buildBatch compiles a kernel that does a Spec for a batch of matrices, one after the
// other in memory.
func buildBatch(b *testing.B, s Spec, batch, na, nb, nc int) (llvmtest.Kernel, Plan) {
	m := emit.NewModule(s.ISA)
	k, err := Emit(m, "gemm", s)
	if err != nil {
		b.Fatal(err)
	}
	f, ka := m.Kernel("k")
	pa, pb, pc := f.LoadArg(ka.Args, 0), f.LoadArg(ka.Args, 1), f.LoadArg(ka.Args, 2)
	f.For("batch", ka.Lo, ka.Hi, func(i value.Value) {
		at := func(p value.Value, n int) value.Value { return f.At(emit.F32, p, f.Mul(i, emit.Int(n))) }
		k.Call(f, at(pa, na), at(pb, nb), at(pc, nc), emit.Int(0), emit.Int(k.Plan.Tasks), ka.Scratch)
	})
	f.Ret(nil)
	return llvmtest.Compile(b, m, "").Kernel("k"), k.Plan
}

// BenchmarkGEMM reports GFLOP/s of one core at the best of the runs, and the fraction of
// its peak.
func BenchmarkGEMM(b *testing.B) {
	for _, isa := range cpu.Detect().Levels() {
		for _, sh := range benchShapes {
			b.Run(fmt.Sprintf("%v/%s", isa, sh.name), func(b *testing.B) {
				s := sh.s
				s.ISA = isa
				bench(b, s, sh.batch)
			})
		}
	}
}

func bench(b *testing.B, s Spec, batch int) {
	runtime.LockOSThread() // threadTime is this thread's
	defer runtime.UnlockOSThread()
	if _, ok := peaks[s.ISA]; !ok {
		peaks[s.ISA] = peak(b, s.ISA)
	}
	r := rand.New(rand.NewPCG(1, 1))
	fill := func(m Matrix, rows, cols int) ([]float32, int) {
		one := random(r, m, rows, cols).f32
		all := llvmtest.Aligned[float32](len(one) * batch)
		for i := range batch {
			copy(all[i*len(one):], one)
		}
		return all, len(one)
	}
	ma, na := fill(s.A, s.M, s.K)
	mb, nb := fill(s.B, s.K, s.N)
	mc, nc := fill(s.C, s.M, s.N)
	k, plan := buildBatch(b, s, batch, na, nb, nc)
	scratch := unsafe.Pointer(llvmtest.Ptr(llvmtest.Aligned[byte](plan.Scratch)))
	best := time.Hour
	for b.Loop() {
		start := threadTime()
		k.Call(0, batch, scratch, llvmtest.Ptr(ma), llvmtest.Ptr(mb), llvmtest.Ptr(mc))
		best = min(best, threadTime()-start)
	}
	rate := float64(s.FLOPs()) * float64(batch) / best.Seconds()
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/peaks[s.ISA], "%peak")
	b.ReportMetric(0, "ns/op")
}

// TestNoSpills looks at the assembly: a micro-kernel that keeps its sums anywhere but in
// registers runs at half its speed.
func TestNoSpills(t *testing.T) {
	for _, isa := range cpu.Levels() {
		for _, sh := range benchShapes {
			s := sh.s
			s.ISA = isa
			m := emit.NewModule(isa)
			if _, err := EmitKernel(m, "k", s); err != nil {
				t.Fatal(err)
			}
			text := string(llvmtest.Emit(t, m, "", toolchain.Assembly))
			for f := range strings.SplitSeq(text, ".globl") {
				for _, f := range strings.Split(f, "@function\n") {
					name, body, _ := strings.Cut(f, ":")
					if strings.Contains(name, "tile") && strings.Contains(body, "mm") && strings.Contains(body, "(%rsp)") {
						t.Errorf("%v, %s: %s uses the stack", isa, sh.name, name)
					}
				}
			}
		}
	}
}

package native_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"vitc/codegen"
	"vitc/codegen/llvm"
	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/passes"
	"vitc/runtime/native"
)

func TestMain(m *testing.M) {
	toolchain.MaybeServe()
	os.Exit(m.Run())
}

var compiler = sync.OnceValues(func() (*toolchain.Compiler, error) {
	return toolchain.New(toolchain.Options{NoCache: true})
})

// compile compiles a module that is scheduled already. A machine without LLVM skips the test.
func compile(t testing.TB, m *ir.Module, isa cpu.Level) *codegen.Bundle {
	t.Helper()
	c, err := compiler()
	llvmtest.SkipWithout(t, err)
	b, err := llvm.Compile(context.Background(), &ir.Program{Name: "test", Module: m}, llvm.Options{ISA: isa, Compiler: c})
	if err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	return b
}

// open compiles a module that is scheduled already and opens it.
func open(t testing.TB, m *ir.Module, isa cpu.Level, threads int) codegen.Machine {
	t.Helper()
	mach, err := native.Open(compile(t, m, isa), native.Options{Threads: threads})
	if err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	t.Cleanup(func() { mach.Close() })
	return mach
}

// tensor draws values that suit a dtype.
func tensor(r *rand.Rand, t ir.Type) *interp.Tensor {
	x := interp.New(t)
	for i := range x.F {
		switch {
		case t.DType == ir.Bool:
			x.F[i] = float64(r.IntN(2))
		case t.DType.Float():
			x.F[i] = t.DType.Round(r.NormFloat64())
		default:
			x.F[i] = float64(r.IntN(10))
		}
	}
	return x
}

// compare runs a function of a scheduled module natively and by the interpreter, on drawn
// arguments, and compares results and state.
func compare(t *testing.T, m *ir.Module, fn string, isa cpu.Level, threads int, tol float64) {
	t.Helper()
	f := m.Func(fn)
	r := rand.New(rand.NewPCG(1, 2))
	mach := open(t, m, isa, threads)
	var args []*interp.Tensor
	inputs := map[string][]byte{}
	for i, p := range f.Body.Params {
		x := tensor(r, p.Type)
		args = append(args, x)
		if a := f.Args[i]; a.Role == ir.RoleState || a.Role == ir.RoleAcc {
			if err := mach.SetLeaf(a.Name, x.Bytes()); err != nil {
				t.Fatal(err)
			}
		} else {
			inputs[a.Name] = x.Bytes()
		}
	}
	want, err := interp.Run(f, args, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := mach.Call(context.Background(), fn, inputs)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range f.Results {
		var data []byte
		if p.Role == ir.RoleState || p.Role == ir.RoleAcc {
			if data, err = mach.Leaf(p.Name); err != nil {
				t.Fatal(err)
			}
		} else {
			data, got = got[0].Data, got[1:]
		}
		same(t, fmt.Sprintf("%s (isa %v, %d threads)", p.Name, isa, threads), want[i], data, tol)
		if t.Failed() {
			t.Logf("%s", m)
		}
	}
}

// same compares with a tolerance relative to the largest value for floats, and exactly else.
func same(t *testing.T, name string, want *interp.Tensor, data []byte, tol float64) {
	t.Helper()
	got, err := interp.FromBytes(want.Type, data)
	if err != nil {
		t.Fatal(err)
	}
	scale := 1.0
	for _, x := range want.F {
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			scale = max(scale, math.Abs(x))
		}
	}
	if !want.Type.DType.Float() {
		tol = 0
	}
	switch want.Type.DType {
	case ir.BF16:
		tol = max(tol, 1.0/64)
	case ir.F16:
		tol = max(tol, 1.0/256)
	}
	for i, w := range want.F {
		g := got.F[i]
		if g == w || g != g && w != w || math.Abs(g-w) <= tol*scale {
			continue
		}
		t.Errorf("%s %s: element %d is %v, want %v", name, want.Type, i, g, w)
		return
	}
}

// scheduled takes a module through the passes of target cpu.
func scheduled(t testing.TB, src string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return m
}

func eachLevel(t *testing.T, f func(t *testing.T, isa cpu.Level)) {
	for _, l := range cpu.Detect().Levels() {
		t.Run(l.String(), func(t *testing.T) { f(t, l) })
	}
}

const pointwise = `ir built
func @f(%w: f32[n:37, m:19] state="w", %x: f32[n:37, m:19] input="x", %b: f32[m:19] input="b", %s: f32[] input="s") -> (
    f32[n:37, m:19] state="w", f32[n:37, m:19] output="y", f32[n:37] output="sum") {
  %bb: f32[n:37, m:19] = broadcast %b [m->nm]
  %p: f32[n:37, m:19] = mul %x, %bb
  %q: f32[n:37, m:19] = add %p, %w
  %e: f32[n:37, m:19] = exp %q
  %y: f32[n:37, m:19] = mul %e, %s
  %r: f32[n:37] = reduce %y [nm->n] kind=sum
  %n: f32[n:37, m:19] = sub %w, %p
  yield %n, %y, %r
}
`

func TestPointwise(t *testing.T) {
	eachLevel(t, func(t *testing.T, isa cpu.Level) {
		compare(t, scheduled(t, pointwise), "f", isa, 2, 1e-5)
	})
}

package native_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/runtime/native"
)

const counter = `ir built
func @init(%seed: f32[n:5] input="seed") -> (f32[n:5] state="w", i32[] state="t") {
  %w: f32[n:5] = mul %seed, 2
  %z: f32[] = sub 0, 0
  %t: i32[] = cast %z
  yield %w, %t
}
func @step(%w: f32[n:5] state="w", %t: i32[] state="t", %x: f32[n:5] input="x") -> (f32[n:5] state="w", i32[] state="t", f32[] metric="sum", f32[n:5] output="old") {
  %v: f32[n:5] = add %w, %x
  %u: i32[] = add %t, 1
  %s: f32[] = reduce %v [n->] kind=sum
  yield %v, %u, %s, %w
}
`

func floats(xs ...float64) []byte {
	return (&interp.Tensor{Type: ir.T(ir.F32, ir.Dim{Size: len(xs)}), F: xs}).Bytes()
}

func call(t *testing.T, m codegen.Machine, fn string, inputs map[string][]byte) []codegen.Result {
	t.Helper()
	out, err := m.Call(context.Background(), fn, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// State lives in the machine from call to call, whichever function makes it.
func TestState(t *testing.T) {
	m := open(t, scheduled(t, counter), cpu.Baseline, 2)
	call(t, m, "init", map[string][]byte{"seed": floats(1, 2, 3, 4, 5)})
	for i := range 3 {
		out := call(t, m, "step", map[string][]byte{"x": floats(1, 1, 1, 1, 1)})
		n := float64(i)
		if !bytes.Equal(out[0].Data, floats(30+5*(n+1))) || !bytes.Equal(out[1].Data, floats(2+n, 4+n, 6+n, 8+n, 10+n)) {
			t.Errorf("step %d gives %v", i, out)
		}
	}
	w, err := m.Leaf("w")
	if err != nil || !bytes.Equal(w, floats(5, 7, 9, 11, 13)) {
		t.Errorf("w is %v, %v", w, err)
	}
	if tt, err := m.Leaf("t"); err != nil || !bytes.Equal(tt, []byte{3, 0, 0, 0}) {
		t.Errorf("t is %v, %v", tt, err)
	}
}

func TestMachineErrors(t *testing.T) {
	m := open(t, scheduled(t, counter), cpu.Baseline, 1)
	ctx, x := context.Background(), floats(1, 1, 1, 1, 1)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	callWith := func(ctx context.Context, fn string, in map[string][]byte) error {
		_, err := m.Call(ctx, fn, in)
		return err
	}
	leaf := func(name string) error { _, err := m.Leaf(name); return err }
	for _, c := range []struct {
		err  error
		want string
	}{
		{callWith(ctx, "stop", nil), "no function @stop; it has: init, step"},
		{callWith(ctx, "step", nil), "input x (f32[n:5]) is missing"},
		{callWith(ctx, "step", map[string][]byte{"x": x[1:]}), "x has 19 bytes: expected 20"},
		{callWith(ctx, "step", map[string][]byte{"x": x, "y": x}), "2 inputs are given, it takes 1: x"},
		{leaf("ww"), "no leaf ww"},
		{m.SetLeaf("w", x[4:]), "w is given 16 bytes: expected 20"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want %q", c.err, c.want)
		}
	}
	if err := callWith(cancelled, "step", map[string][]byte{"x": x}); !errors.Is(err, context.Canceled) {
		t.Errorf("a call with a context that has ended gives %v", err)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if callWith(ctx, "step", map[string][]byte{"x": x}) == nil || leaf("w") == nil || m.SetLeaf("w", x) == nil {
		t.Error("a closed machine answers")
	}
}

func bundle(t *testing.T, src string, isa cpu.Level) *codegen.Bundle {
	t.Helper()
	return compile(t, scheduled(t, src), isa)
}

// What was written to a file runs as what was compiled.
func TestBundleFile(t *testing.T) {
	var file bytes.Buffer
	if err := bundle(t, counter, cpu.Baseline).Encode(&file); err != nil {
		t.Fatal(err)
	}
	b, err := codegen.Decode(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	kernels := map[string]int{}
	m, err := native.Open(b, native.Options{Threads: 1, Timer: func(kernel, _ string, took time.Duration) {
		if kernels[kernel]++; took < 0 {
			t.Errorf("kernel %s took %v", kernel, took)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	call(t, m, "init", map[string][]byte{"seed": floats(1, 2, 3, 4, 5)})
	if out := call(t, m, "step", map[string][]byte{"x": floats(0, 0, 0, 0, 0)}); !bytes.Equal(out[0].Data, floats(30)) {
		t.Errorf("the sum is %v", out[0].Data)
	}
	if len(kernels) == 0 {
		t.Error("the timer was not told of any kernel")
	}
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		change func(b *codegen.Bundle)
		want   string
	}{
		{func(b *codegen.Bundle) { b.Target = "xla" }, `target "xla"`},
		{func(b *codegen.Bundle) { b.ISA = "mmx" }, `level "mmx"`},
		{func(b *codegen.Bundle) { b.Objects[0].Code = b.Objects[0].Code[:80] }, "loading "},
		{func(b *codegen.Bundle) { b.Objects[0].Code = nil }, "not an ELF object"},
		{func(b *codegen.Bundle) { b.Objects = b.Objects[1:] }, "no kernel"},
		{func(b *codegen.Bundle) { b.Objects[0].Kernels[0] = "other" }, "no kernel"},
		{func(b *codegen.Bundle) { b.Objects[0].Kernels = append(b.Objects[0].Kernels, "other") }, `no function "other"`},
		{func(b *codegen.Bundle) { b.Plan.Funcs[1].Steps[0].Run.Args[0].Bytes = 4096 }, "which has"},
		{func(b *codegen.Bundle) { b.Plan.Funcs[0].Results[0].Type.Dims[0].Size = 50 }, "another"},
	} {
		b := bundle(t, counter, cpu.Baseline)
		c.change(b)
		m, err := native.Open(b, native.Options{Threads: 2})
		if err == nil {
			m.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// Many short kernels on more threads than processors: whoever does which tasks, and whether
// workers sleep or not, the bits are those of one thread.
func TestThreads(t *testing.T) {
	src := `ir built
func @f(%x: f32[a:64, b:3000] state="x") -> (f32[a:64, b:3000] state="x", f32[] metric="sum") {
  %y: f32[a:64, b:3000] = scan length=40 carry(%c=%x) {
    %s: f32[b:3000] = reduce %c [ab->b] kind=sum
    %t: f32[b:3000] = tanh %s
    %u: f32[a:64, b:3000] = broadcast %t [b->ab]
    %d: f32[a:64, b:3000] = mul %c, 0.9
    %v: f32[a:64, b:3000] = sub %d, %u
    yield %v
  }
  %s: f32[] = reduce %y [ab->] kind=sum
  yield %y, %s
}
`
	x := make([]float64, 64*3000)
	for i := range x {
		x[i] = float64(i%17) / 17
	}
	var want []byte
	for _, threads := range []int{1, 2, 5} {
		m := open(t, scheduled(t, src), cpu.Detect().Level, threads)
		if err := m.SetLeaf("x", floats(x...)); err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if i == 3 {
				time.Sleep(5 * time.Millisecond) // the workers fall asleep
			}
			call(t, m, "f", nil)
		}
		got, err := m.Leaf("x")
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("%d threads give other bits than one", threads)
		}
	}
}

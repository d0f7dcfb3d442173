package ref_test

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"vitc/codegen"
	"vitc/ir"
	"vitc/runtime/ref"
)

const program = `ir differentiated
func @init(%seed: u32[two:2] input="seed") -> (f32[n:3] state="w", i32[] state="t") {
  %bits: u32[n:3] = rng_bits %seed, 0 strides=(1)
  %top: u32[n:3] = shr %bits, 8
  %x: f32[n:3] = cast %top
  %w: f32[n:3] = mul %x, 5.9604644775390625e-08
  %zero: f32[] = sub 0, 0
  %t: i32[] = cast %zero
  yield %w, %t
}
func @step(%w: f32[n:3] state="w", %t: i32[] state="t", %x: f32[n:3] input="x") -> (
    f32[n:3] state="w", i32[] state="t", f32[] metric="loss") {
  %v: f32[n:3] = add %w, %x
  %u: i32[] = add %t, 1
  %s: f32[] = reduce %v [n->] kind=sum
  yield %v, %u, %s
}
func @eval.test(%w: f32[n:3] state="w", %seen: f32[] acc="test.seen") -> (f32[] acc="test.seen") {
  %s: f32[] = reduce %w [n->] kind=max
  %a: f32[] = add %seen, %s
  yield %a
}`

func open(t *testing.T, src string) codegen.Machine {
	t.Helper()
	mod, err := ir.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ref.Open(&ir.Program{Module: mod})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func floats(x ...float32) []byte {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b
}

func leaf(t *testing.T, m codegen.Machine, name string) []byte {
	t.Helper()
	b, err := m.Leaf(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCall(t *testing.T) {
	m, ctx := open(t, program), context.Background()
	if err := m.SetLeaf("w", floats(1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := m.Call(ctx, "step", map[string][]byte{"x": floats(1, 0, -1)}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := m.Call(ctx, "step", map[string][]byte{"x": floats(0, 0, 0.5)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 1 || out[0].Name != "loss" || !slices.Equal(out[0].Data, floats(6.5)) {
		t.Errorf("results %v, want one loss of 6.5", out)
	}
	if got := leaf(t, m, "w"); !slices.Equal(got, floats(3, 2, 1.5)) {
		t.Errorf("w = %v", got)
	}
	if got := leaf(t, m, "t"); !slices.Equal(got, []byte{3, 0, 0, 0}) {
		t.Errorf("t = %v, want 3", got)
	}
	for range 2 {
		if out, err = m.Call(ctx, "eval.test", nil); err != nil || len(out) != 0 {
			t.Fatalf("got %v, %v", out, err)
		}
	}
	if got := leaf(t, m, "test.seen"); !slices.Equal(got, floats(6)) {
		t.Errorf("test.seen = %v, want 6", got)
	}
}

func TestInitDependsOnSeedOnly(t *testing.T) {
	draw := func(seed byte) []byte {
		m := open(t, program)
		if _, err := m.Call(context.Background(), "init", map[string][]byte{"seed": {seed, 0, 0, 0, 0, 0, 0, 0}}); err != nil {
			t.Fatal(err)
		}
		return leaf(t, m, "w")
	}
	if a, b := draw(1), draw(1); !slices.Equal(a, b) {
		t.Errorf("one seed gives %v and %v", a, b)
	}
	if a, b := draw(1), draw(2); slices.Equal(a, b) {
		t.Errorf("two seeds give %v", a)
	}
}

func TestErrors(t *testing.T) {
	m, ctx := open(t, program), context.Background()
	call := func(fn string, in map[string][]byte) error {
		_, err := m.Call(ctx, fn, in)
		return err
	}
	_, noLeaf := m.Leaf("test.sen")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, late := m.Call(stopped, "eval.test", nil)
	for _, c := range []struct {
		err  error
		want string
	}{
		{call("stop", nil), "no function @stop; it has: init, step, eval.test"},
		{call("step", nil), "@step: the input x (f32[n:3]) is missing"},
		{call("step", map[string][]byte{"x": floats(1, 2)}), "input x: f32[n:3] is 12 bytes, found 8"},
		{call("step", map[string][]byte{"x": floats(1, 2, 3), "y": nil}), "2 inputs are given, it takes 1: x"},
		{noLeaf, "no leaf test.sen; is it test.seen?"},
		{m.SetLeaf("w", floats(1)), "leaf w: f32[n:3] is 12 bytes, found 4"},
		{late, "context canceled"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want %q", c.err, c.want)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := call("step", nil); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`ir built
func @f(%x: f32[] state="x") -> (f32[] state="x") {
  %g: f32[] = grad %x, %x
  yield %g
}`, "run the pass autodiff first"},
		{`ir built
func @f(%x: f32[] state="x") -> (f32[] state="x") { yield %x }
func @g(%x: f32[n:2] state="x") -> (f32[n:2] state="x") { yield %x }`, "state x is f32[n:2] here and f32[] in another function"},
	} {
		m, err := ir.Parse(c.src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ref.Open(&ir.Program{Module: m}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

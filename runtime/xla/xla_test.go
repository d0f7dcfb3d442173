package xla

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
	"vitc/runtime/pjrt"
)

// A linear function of examples x, whose weights w go down its gradient, 0.01 times the sum of the
// examples, and an accumulator n that counts calls.
const linear = `ir differentiated
func @init(%seed: u32[k:2] input="seed") -> (f32[row:ROWS, col:COLS] state="net.w") {
  %n: f32[row:ROWS, col:COLS] = broadcast 0.5 [->rc]
  yield %n
}
func @step(%w: f32[row:ROWS, col:COLS] state="net.w", %x: f32[batch:16, row:ROWS] input="x") -> (f32[row:ROWS, col:COLS] state="net.w", f32[] metric="loss", f32[batch:16, col:COLS] output="y") {
  %y: f32[batch:16, col:COLS] = dot %x, %w [br,rc->bc]
  %l: f32[] = reduce %y [bc->] kind=sum
  %s: f32[row:ROWS] = reduce %x [br->r] kind=sum
  %g: f32[row:ROWS, col:COLS] = broadcast %s [r->rc]
  %d: f32[row:ROWS, col:COLS] = mul %g, 0.01
  %n: f32[row:ROWS, col:COLS] = sub %w, %d
  yield %n, %l, %y
}
func @count(%n: f32[] acc="n") -> (f32[] acc="n") {
  %m: f32[] = add %n, 1
  yield %m
}`

func sized(rows, cols string) string {
	return strings.NewReplacer("ROWS", rows, "COLS", cols).Replace(linear)
}

// skipWithout skips a test where there is no XLA for the CPU.
func skipWithout(t *testing.T) {
	t.Helper()
	_, err := pjrt.Find(pjrt.CPU)
	var none *pjrt.NotFoundError
	if errors.As(err, &none) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// opened is a machine for a module, laid out by a plan unless that is "".
func opened(t *testing.T, text, plan string, threads int) *machine {
	t.Helper()
	skipWithout(t)
	m, err := Open(programOf(t, text, plan), Options{Plugin: pjrt.CPU, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m.(*machine)
}

func programOf(t *testing.T, text, plan string) *ir.Program {
	t.Helper()
	return &ir.Program{Module: laidOut(t, text, plan)}
}

func laidOut(t *testing.T, text, plan string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if plan == "" {
		return m
	}
	p, err := irtest.Plan(plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := passes.Run(m, []string{"propagate", "partition"}, passes.Options{Config: passes.Config{Plan: p}}); err != nil {
		t.Fatal(err)
	}
	return m
}

func call(t *testing.T, m codegen.Machine, fn string, inputs map[string][]byte) []codegen.Result {
	t.Helper()
	out, err := m.Call(context.Background(), fn, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func leafOf(t *testing.T, m codegen.Machine, name string) []byte {
	t.Helper()
	b, err := m.Leaf(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// floats are n numbers of both signs whose sums round.
func floats(n int) []byte {
	var b []byte
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i%7)/3-1))
	}
	return b
}

func first(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

var seed = map[string][]byte{"seed": make([]byte, 8)}

// What a call takes and gives: inputs by name, state in the machine, outputs and metrics handed
// out in the function's order with their types; accumulators begin at zero.
func TestCall(t *testing.T) {
	m := opened(t, sized("8", "4"), "", 0)
	if out := call(t, m, "init", seed); len(out) != 0 {
		t.Errorf("init hands out %v", out)
	}
	ones := bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, 16*8)
	out := call(t, m, "step", map[string][]byte{"x": ones})
	if len(out) != 2 || out[0].Name != "loss" || out[1].Name != "y" || out[1].Type.String() != "f32[batch:16, col:4]" {
		t.Fatalf("results %v", out)
	}
	if loss, y := first(out[0].Data), first(out[1].Data); loss != 16*8*4*0.5 || y != 4 {
		t.Errorf("loss %v, y %v", loss, y)
	}
	if w := first(leafOf(t, m, "net.w")); math.Abs(float64(w)-0.34) > 1e-6 {
		t.Errorf("w is %v, expected 0.5 - 0.01·16", w)
	}
	call(t, m, "count", nil)
	call(t, m, "count", nil)
	if n := first(leafOf(t, m, "n")); n != 2 {
		t.Errorf("two calls are counted as %v", n)
	}
}

// A leaf that is read is a copy, and one that is set is taken as a copy.
func TestLeavesAreCopies(t *testing.T) {
	m := opened(t, sized("8", "4"), "mesh a:2\nrow: a", 0)
	b := floats(32)
	if err := m.SetLeaf("net.w", b); err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(b)
	clear(b)
	clear(leafOf(t, m, "net.w"))
	if got := leafOf(t, m, "net.w"); !bytes.Equal(got, want) {
		t.Errorf("the leaf is %v, expected %v", got, want)
	}
}

// Leaves are whole through Leaf and SetLeaf however the devices hold them, padding and all, and a
// step on a mesh is a step on one device.
func TestMesh(t *testing.T) {
	one := opened(t, sized("15", "7"), "", 0)
	w, x := floats(15*7), map[string][]byte{"x": floats(16 * 15)}
	if err := one.SetLeaf("net.w", w); err != nil {
		t.Fatal(err)
	}
	want, wantW := call(t, one, "step", x), leafOf(t, one, "net.w")
	for _, plan := range []string{
		"mesh a:8\nbatch: a", "mesh a:8\nrow: a", "mesh a:4\ncol: a", "mesh a:8\nbatch: a\nparams.row: a",
		"mesh a:2 b:2 c:2\nbatch: a\nrow: b\nparams.col: c", "mesh a:3\nrow: a",
	} {
		m := opened(t, sized("15", "7"), plan, 0)
		if err := m.SetLeaf("net.w", w); err != nil {
			t.Fatal(err)
		}
		if got := leafOf(t, m, "net.w"); !bytes.Equal(got, w) {
			t.Errorf("%s: what was set is not what is read", plan)
		}
		got := call(t, m, "step", x)
		for i := range want {
			near(t, plan+": "+want[i].Name, got[i].Data, want[i].Data)
		}
		near(t, plan+": w", leafOf(t, m, "net.w"), wantW)
	}
}

// near compares numbers of the size of 100, which sums in another order round differently.
func near(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d bytes, expected %d", what, len(got), len(want))
	}
	for i := 0; i < len(want); i += 4 {
		if g, w := first(got[i:]), first(want[i:]); !(math.Abs(float64(g-w)) <= 1e-4) {
			t.Fatalf("%s [%d]: %v, expected %v", what, i/4, g, w)
		}
	}
}

// What is asked wrongly is an error that says what there is, and changes nothing.
func TestRefuses(t *testing.T) {
	m := opened(t, sized("8", "4"), "", 0)
	x := floats(16 * 8)
	cancelled, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	ask := func(ctx context.Context, fn string, inputs map[string][]byte) func() error {
		return func() error { _, err := m.Call(ctx, fn, inputs); return err }
	}
	for want, do := range map[string]func() error{
		"no function @stop; it has: init, step, count": ask(context.Background(), "stop", nil),
		"input x (f32[batch:16, row:8]) is missing":    ask(context.Background(), "step", nil),
		"2 inputs are given, it takes 1: x":            ask(context.Background(), "step", map[string][]byte{"x": x, "y": x}),
		"input x: 508 bytes":                           ask(context.Background(), "step", map[string][]byte{"x": x[4:]}),
		"enough":                                       ask(cancelled, "step", map[string][]byte{"x": x}),
		"leaf net.w: 3 bytes for f32[row:8, col:4]":    func() error { return m.SetLeaf("net.w", []byte{1, 2, 3}) },
		"the state has no leaf net.v; is it net.w?":    func() error { return m.SetLeaf("net.v", nil) },
		"the state has no leaf something.else, of 2":   func() error { _, err := m.Leaf("something.else"); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; expected %q", err, want)
		}
	}
	if w := leafOf(t, m, "net.w"); !bytes.Equal(w, make([]byte, len(w))) {
		t.Error("what was refused changed the state")
	}
}

// A closed machine refuses everything, and its client holds nothing any more.
func TestClose(t *testing.T) {
	m := opened(t, sized("8", "4"), "mesh a:2\nbatch: a", 0)
	client := m.client
	if client.Live() == 0 {
		t.Error("an open machine holds nothing")
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := client.Live(); n != 0 {
		t.Errorf("%d objects of the client are left", n)
	}
	_, callErr := m.Call(context.Background(), "init", seed)
	_, leafErr := m.Leaf("net.w")
	for _, err := range []error{callErr, leafErr, m.SetLeaf("net.w", nil)} {
		if !errors.Is(err, errClosed) {
			t.Errorf("use of a closed machine: %v", err)
		}
	}
}

// Programs that cannot be opened: a leaf of two types, and a plugin that is none.
func TestOpenFails(t *testing.T) {
	skipWithout(t)
	m, other := laidOut(t, sized("8", "4"), ""), laidOut(t, sized("8", "5"), "")
	m.Funcs[1] = other.Funcs[1]
	_, err := Open(&ir.Program{Module: m}, Options{Plugin: pjrt.CPU})
	if err == nil || !strings.Contains(err.Error(), "@step: state net.w is f32[row:8, col:5] here and f32[row:8, col:4] in another function") {
		t.Errorf("a leaf of two types: %v", err)
	}
	t.Setenv(pjrt.CPU.Env, "/dev/null")
	var unusable *pjrt.LoadError
	if _, err := Open(&ir.Program{Module: other}, Options{Plugin: pjrt.CPU}); !errors.As(err, &unusable) {
		t.Errorf("a plugin that is none: %v", err)
	}
}

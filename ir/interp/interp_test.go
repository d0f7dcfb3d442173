package interp_test

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
)

// module parses IR text.
func module(t *testing.T, src string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return m
}

// tensor holds the given elements.
func tensor(t ir.Type, x ...float64) *interp.Tensor { return &interp.Tensor{Type: t, F: x} }

// run evaluates the first function of a text.
func run(t *testing.T, src string, o interp.Options, args ...*interp.Tensor) []*interp.Tensor {
	t.Helper()
	out, err := interp.Run(module(t, src).Funcs[0], args, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, what string, got *interp.Tensor, want ...float64) {
	t.Helper()
	if !slices.EqualFunc(got.F, want, func(a, b float64) bool { return a == b || a != a && b != b }) {
		t.Errorf("%s: got %v, want %v", what, got.F, want)
	}
}

const chain = `ir built
func @f(%x: f32[b:2, w:3] input="x", %w: f32[w:3, m:2] input="w") -> (f32[b:2, m:2] output="y", f32[] output="s") {
  %h: f32[b:2, m:2] = dot %x, %w [bw,wm->bm]
  %y: f32[b:2, m:2] = mul %h, 2
  %s: f32[] = reduce %y [bm->] kind=sum
  yield %y, %s
}`

func TestRun(t *testing.T) {
	f := module(t, chain).Funcs[0]
	x := tensor(f.Body.Params[0].Type, 1, 2, 3, 4, 5, 6)
	w := tensor(f.Body.Params[1].Type, 1, 0, 0, 1, 1, 1)
	out := run(t, chain, interp.Options{}, x, w)
	same(t, "y", out[0], 8, 10, 20, 22)
	same(t, "s", out[1], 60)
}

func TestWrongArguments(t *testing.T) {
	f := module(t, chain).Funcs[0]
	tx, tw := f.Body.Params[0].Type, f.Body.Params[1].Type
	x, w := interp.New(tx), interp.New(tw)
	for _, c := range []struct {
		args []*interp.Tensor
		want string
	}{
		{nil, "takes 2 arguments, found 0"},
		{[]*interp.Tensor{x, nil}, "argument 2 (w) is missing"},
		{[]*interp.Tensor{x, x}, "argument 2 (w) is f32[b:2, w:3], expected f32[w:3, m:2]"},
		{[]*interp.Tensor{x, {Type: tw, F: w.F[:5]}}, "argument 2 (w) has 5 elements"},
		{[]*interp.Tensor{{Type: tx.As(ir.I32), F: x.F}, w}, "argument 1 (x) is i32[b:2, w:3]"},
	} {
		_, err := interp.Run(f, c.args, interp.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// The counter's low word is the position, its high word the position's with at added: known
// answers of Random123.
func TestRngBits(t *testing.T) {
	for _, c := range []struct{ key, stride, at, want string }{
		{"4294967295 4294967295", "4294967295", "4294967295", "481924860"}, // 1cb996fc
		{"320440878 57701188", "608135816", "2242054355", "3297917596"},    // c4923a9c
	} {
		out := opCase{args: []string{"u32[k:2]: " + c.key, "u32[]: " + c.at},
			line: "%y: u32[n:2] = rng_bits %a, %b strides=(" + c.stride + ")"}.run(t, interp.Options{})
		same(t, "rng_bits at position "+c.stride, &interp.Tensor{F: out[0].F[1:]}, numbersOf(t, c.want)...)
	}
}

// Positions above 2³² carry into the high word.
func TestRngBitsCarry(t *testing.T) {
	args := []string{"u32[k:2]: 1 2", "u32[]: 5"}
	far := opCase{args: args, line: "%y: u32[n:3] = rng_bits %a, %b strides=(4294967296)"}.run(t, interp.Options{})
	near := opCase{args: []string{args[0], "u32[]: 7"}, line: "%y: u32[n:1] = rng_bits %a, %b strides=(1)"}.run(t, interp.Options{})
	same(t, "position 2·2³² at 5", &interp.Tensor{F: far[0].F[2:]}, near[0].F...)
}

// A part of a draw is what the whole draw has there.
func TestRngBitsPart(t *testing.T) {
	args := []string{"u32[k:2]: 1 2", "u32[]: 5", "u32[]: 1", "u32[]: 2"}
	whole := opCase{args: args, line: "%y: u32[a:2, b:5] = rng_bits %a, %b strides=(5,1)"}.run(t, interp.Options{})
	part := opCase{args: args, line: "%y: u32[a:1, b:3] = rng_bits %a, %b, %c, %d strides=(5,1)"}.run(t, interp.Options{})
	same(t, "row 1 from column 2", part[0], whole[0].F[7:]...)
}

func TestMarkers(t *testing.T) {
	x := ir.T(ir.F32, ir.Dim{Label: "n", Size: 2})
	out := run(t, `ir built
func @f(%x: f32[n:2] input="x") -> (f32[n:2] output="y") {
  %y: f32[n:2] = stop %x
  yield %y }`, interp.Options{}, tensor(x, 1, 2))
	same(t, "stop", out[0], 1, 2)
	out = run(t, `ir differentiated mesh(x:2)
func @f(%x: f32[n:2] input="x") -> (f32[n:2]{n@x} output="y") {
  %y: f32[n:2]{n@x} = reshard %x
  yield %y }`, interp.Options{}, tensor(x, 1, 2))
	same(t, "reshard", out[0], 1, 2)
	m := module(t, `ir built
func @f(%x: f32[] input="x") -> (f32[] output="y") {
  %y: f32[] = grad %x, %x
  yield %y }`)
	_, err := interp.Run(m.Funcs[0], []*interp.Tensor{interp.New(ir.T(ir.F32))}, interp.Options{})
	if err == nil || !strings.Contains(err.Error(), "run the pass autodiff first") {
		t.Errorf("grad: %v", err)
	}
}

// Real rounds to what the function's precision says, and not at all in Exact mode; literals are f32.
func TestReal(t *testing.T) {
	const src = `ir built
func @f(%x: real[] input="x") -> (real[] output="y")PRECISION {
  %y: real[] = add %x, 0.001
  yield %y }`
	for _, c := range []struct {
		precision string
		exact     bool
		want      float64
	}{
		{"", false, float64(float32(1.001))},
		{" precision=f32", false, float64(float32(1.001))},
		{" precision=bf16", false, 1},
		{" precision=bf16", true, 1 + float64(float32(0.001))},
	} {
		out := run(t, strings.Replace(src, "PRECISION", c.precision, 1), interp.Options{Exact: c.exact}, tensor(ir.T(ir.Real), 1))
		same(t, "1 + 0.001 with"+c.precision, out[0], c.want)
	}
}

func TestBytes(t *testing.T) {
	n := func(d ir.DType, size int) ir.Type { return ir.T(d, ir.Dim{Label: "n", Size: size}) }
	for _, c := range []struct {
		t    ir.Type
		x    []float64
		data []byte
	}{
		{n(ir.F32, 2), []float64{1, -2}, []byte{0, 0, 128, 63, 0, 0, 0, 192}},
		{n(ir.Real, 1), []float64{1}, []byte{0, 0, 128, 63}},
		{n(ir.BF16, 2), []float64{1, math.Inf(-1)}, []byte{128, 63, 128, 255}},
		{n(ir.I32, 2), []float64{-1, math.MinInt32}, []byte{255, 255, 255, 255, 0, 0, 0, 128}},
		{n(ir.U32, 1), []float64{4294967295}, []byte{255, 255, 255, 255}},
		{n(ir.U8, 2), []float64{0, 255}, []byte{0, 255}},
		{n(ir.Bool, 2), []float64{1, 0}, []byte{1, 0}},
		{n(ir.F16, 7), []float64{1, -2, 65504, 0x1p-24, 0x1p-14, math.Inf(1), math.NaN()},
			[]byte{0, 0x3c, 0, 0xc0, 0xff, 0x7b, 1, 0, 0, 4, 0, 0x7c, 0, 0x7e}},
	} {
		x, err := interp.FromBytes(c.t, c.data)
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.t.String(), x, c.x...)
		if got := x.Bytes(); !slices.Equal(got, c.data) {
			t.Errorf("%s: wrote %v, want %v", c.t, got, c.data)
		}
	}
	if _, err := interp.FromBytes(n(ir.F32, 2), make([]byte, 7)); err == nil || !strings.Contains(err.Error(), "f32[n:2] is 8 bytes, found 7") {
		t.Errorf("7 bytes of f32[n:2]: %v", err)
	}
}

// Every half is read to the value it writes.
func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		in := []byte{byte(h), byte(h >> 8)}
		x, err := interp.FromBytes(ir.T(ir.F16), in)
		if err != nil {
			t.Fatal(err)
		}
		if out := x.Bytes(); !math.IsNaN(x.F[0]) && !slices.Equal(out, in) {
			t.Fatalf("%04x is %g, which is written %x", h, x.F[0], out)
		}
	}
}

// Results do not depend on the number of threads.
func TestThreads(t *testing.T) {
	const src = `ir built
func @f(%x: f32[b:3, n:100, k:50] input="x") -> (f32[b:3, n:100, m:100] output="y", f32[n:100] output="z") {
  %h: f32[b:3, n:100, m:100] = dot %x, %x [bnk,bmk->bnm]
  %y: f32[b:3, n:100, m:100] = tanh %h
  %z: f32[n:100] = reduce %y [bnm->n] kind=sum
  yield %y, %z
}`
	x := interp.New(module(t, src).Funcs[0].Body.Params[0].Type)
	for i := range x.F {
		x.F[i] = math.Sin(float64(i))
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := run(t, src, interp.Options{}, x)
	runtime.GOMAXPROCS(7)
	for i, got := range run(t, src, interp.Options{}, x) {
		same(t, "7 threads", got, want[i].F...)
	}
}

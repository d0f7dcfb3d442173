package lang

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
)

// functionOf lowers the fn `f` of a file, all of whose parameters are tensors of known sizes.
// In training `training` is true; draws begin with the argument "seed".
func functionOf(t testing.TB, src string, training bool) *ir.Func {
	t.Helper()
	u, list := Load("f.vit", []byte("edition 1\nuse nn, loss, optim, metrics, augment, vit\n"+src), nil)
	if len(list) > 0 {
		t.Fatal(rendered(t, u, list))
	}
	c := newChecker(u)
	e := c.fileEnv(u.root)
	v, ok := c.declared(e, "f")
	if !ok {
		t.Fatal("no fn f")
	}
	fn := v.(*function)
	w := newLowering("f")
	seed := w.arg(ir.RoleInput, "seed", ir.T(ir.U32, ir.Dim{Label: "word", Size: 2}))
	w.s.fn.key = func(*ir.Builder) *ir.Value { return seed }
	f := &frame{c: c, env: e, s: w.s, training: training, noMake: true}
	b := f.bind(f.signatureOf(fn), nil, nil)
	for i, p := range fn.decl.Params.List {
		x, ok := f.sample(p, tryBatch)
		if !ok {
			t.Fatalf("no sample of %s", p.Name.Name)
		}
		x.v = w.arg(ir.RoleInput, p.Name.Name, x.v.Type)
		b.vals[i], b.at[i] = x, p.At
	}
	result := f.invoke(fn, b, &Bad{Span{fn.decl.At}})
	if len(c.list) > 0 {
		t.Fatal(rendered(t, u, c.list))
	}
	vals := []value{result}
	if r, ok := result.(*record); ok {
		vals = nil
		for _, name := range r.names {
			vals = append(vals, r.vals[name])
		}
	}
	for i, v := range vals {
		x, ok := f.tensor(v, fn.decl.At)
		if !ok {
			t.Fatal(rendered(t, u, c.list))
		}
		w.result(ir.RoleOutput, fmt.Sprint(i), f.full(x, fn.decl.At))
	}
	out := w.function(ir.F32)
	if err := ir.Verify(&ir.Module{Phase: ir.Built, Funcs: []*ir.Func{out}}); err != nil {
		t.Fatalf("%v\n%s", err, &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{out}})
	}
	return out
}

// compute runs the fn `f` of a file on lists of numbers, row-major.
func compute(t testing.TB, src string, args ...[]float64) []*interp.Tensor {
	t.Helper()
	return execute(t, functionOf(t, src, true), append([][]float64{{1, 2}}, args...)...)
}

func execute(t testing.TB, fn *ir.Func, args ...[]float64) []*interp.Tensor {
	t.Helper()
	in := make([]*interp.Tensor, len(args))
	for i, a := range args {
		in[i] = &interp.Tensor{Type: fn.Body.Params[i].Type, F: a}
	}
	out, err := interp.Run(fn, in, interp.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{fn}})
	}
	return out
}

func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance*math.Max(1, math.Abs(want[i]))) {
			t.Errorf("%s: got %v, want %v", what, got, want)
			return
		}
	}
}

// Each case is a function of the language with its values worked out by hand.
func TestComputed(t *testing.T) {
	e := math.Exp
	for _, c := range []struct {
		name, src string
		args      [][]float64
		want      []float64
	}{
		{"softmax", "fn f(x: f32[a: 2, b: 2]) { nn.softmax(x, over: b) }", [][]float64{{0, math.Log(3), 1000, 1000}}, []float64{0.25, 0.75, 0.5, 0.5}},
		{"log_softmax", "fn f(x: f32[b: 2]) { loss.log_softmax(x, over: b) }", [][]float64{{0, math.Log(3)}}, []float64{math.Log(0.25), math.Log(0.75)}},
		{"cross-entropy", "fn f(x: f32[a: 2, b: 2], i: i32[a: 2]) { loss.softmax_xent(x, f32(one_hot(i, b)), over: b) }", [][]float64{{0, math.Log(3), 5, 5}, {1, 0}},
			[]float64{-math.Log(0.75), math.Log(2)}},
		{"sigmoid cross-entropy", "fn f(x: f32[b: 3], y: f32[b: 3]) { loss.sigmoid_xent(x, y, over: b) }", [][]float64{{0, 2, -3}, {1, 0, 0.5}},
			[]float64{math.Log(2) + math.Log1p(e(2)) + (math.Log1p(e(-3)) + 1.5)}},
		{"distillation", "fn f(s: f32[b: 2], t: f32[b: 2]) { loss.distil(s, t, over: b) }", [][]float64{{0, 0}, {0, math.Log(3)}}, []float64{0.25*math.Log(0.5) + 0.75*math.Log(1.5)}},
		{"unit", "fn f(x: f32[b: 2]) { loss.unit(x, over: b) }", [][]float64{{3, 4}}, []float64{0.6, 0.8}},
		{"gelu", "fn f(x: f32[b: 3]) { nn.gelu_erf(x) }", [][]float64{{-1, 0, 2}}, []float64{-0.15865525, 0, 1.9544997}},
		{"gelu by tanh", "fn f(x: f32[b: 3]) { nn.gelu_tanh(x) }", [][]float64{{-1, 0, 2}}, []float64{-0.15880801, 0, 1.9545977}},
		{"cosine", "fn f(t: f32[], steps: f32[]) { optim.cosine(t, steps, peak: 2.0, warmup: 10, floor: 1.0) }", [][]float64{{55}, {100}}, []float64{1.5}},
		{"cosine's ramp", "fn f(t: f32[], steps: f32[]) { optim.cosine(t, steps, peak: 2.0, warmup: 10) }", [][]float64{{5}, {100}}, []float64{1}},
		{"rsqrt", "fn f(t: f32[], steps: f32[]) { optim.rsqrt(t, steps, peak: 1.0, warmup: 10, timescale: 30, last: 20) }", [][]float64{{100}, {110}}, []float64{0.5 * 11.0 / 20}},
		{"linear", "fn f(t: f32[], steps: f32[]) { optim.linear(t, steps, peak: 1.0, warmup: 20) }", [][]float64{{60}, {100}}, []float64{41.0 / 80}},
		{"split and merge", "fn f(x: f32[s: 6]) { let y = x with s as (a: 2, b)\n y with (b, a) as s }", [][]float64{{0, 1, 2, 3, 4, 5}}, []float64{0, 3, 1, 4, 2, 5}},
		{"split of its own name", "fn f(x: f32[s: 4]) { let y = x with s as (s: 2, p)\n y[p: 1] }", [][]float64{{1, 2, 3, 4}}, []float64{2, 4}},
		{"subset broadcast", "fn f(x: f32[a: 2, b: 2], y: f32[b: 2]) { x - y }", [][]float64{{1, 2, 3, 4}, {1, 2}}, []float64{0, 0, 2, 2}},
		{"broadcast of the left", "fn f(x: f32[a: 2, b: 2], y: f32[a: 2]) { y - x }", [][]float64{{1, 2, 3, 4}, {1, 2}}, []float64{0, -1, -1, -2}},
		{"transposed sum", "fn f(x: f32[a: 2, b: 2], y: f32[b: 2, a: 2]) { x + y }", [][]float64{{1, 2, 3, 4}, {0, 10, 20, 30}}, []float64{1, 22, 13, 34}},
		{"dot", "fn f(x: f32[a: 2, b: 2], y: f32[b: 2, c: 1]) { dot(x, y, over: b) }", [][]float64{{1, 2, 3, 4}, {1, 10}}, []float64{21, 43}},
		{"batched dot", "fn f(x: f32[a: 2, b: 2], y: f32[a: 2, b: 2]) { dot(x, y, over: b) }", [][]float64{{1, 2, 3, 4}, {1, 10, 100, 1000}}, []float64{21, 4300}},
		{"outer product", "fn f(x: f32[a: 2], y: f32[b: 2]) { dot(x, y, over: ()) }", [][]float64{{1, 2}, {3, 4}}, []float64{3, 4, 6, 8}},
		{"dot over all", "fn f(x: f32[a: 2, b: 2], y: f32[b: 2, a: 2]) { dot(x, y, over: (a, b)) }", [][]float64{{1, 2, 3, 4}, {1, 2, 3, 4}}, []float64{1 + 6 + 6 + 16}},
		{"mean of all", "fn f(x: f32[a: 2, b: 2]) { mean(x) }", [][]float64{{1, 2, 3, 6}}, []float64{3}},
		{"max over", "fn f(x: f32[a: 2, b: 2]) { max(x, over: a) - min(x) }", [][]float64{{1, 2, 3, 0}}, []float64{3, 2}},
		{"argmax", "fn f(x: f32[a: 2, b: 3]) { argmax(x, over: b) }", [][]float64{{1, 5, 5, 9, 0, 1}}, []float64{1, 0}},
		{"index", "fn f(x: f32[a: 2, b: 3]) { x[b: 1] }", [][]float64{{1, 2, 3, 4, 5, 6}}, []float64{2, 5}},
		{"range", "fn f(x: f32[a: 2, b: 3]) { x[b: 1.., a: 0] }", [][]float64{{1, 2, 3, 4, 5, 6}}, []float64{2, 3}},
		{"gather", "fn f(x: f32[v: 3, w: 2], i: i32[s: 2]) { x[v: i] }", [][]float64{{1, 2, 3, 4, 5, 6}, {2, 0}}, []float64{5, 6, 1, 2}},
		{"gather that aligns", "fn f(x: f32[a: 2, b: 3], i: i32[a: 2]) { x[b: i] }", [][]float64{{1, 2, 3, 4, 5, 6}, {2, 0}}, []float64{3, 4}},
		{"concat with one element", "fn f(x: f32[w: 2], y: f32[s: 2, w: 2]) { concat(x, y, over: s) }", [][]float64{{7, 8}, {1, 2, 3, 4}}, []float64{7, 8, 1, 2, 3, 4}},
		{"concat broadcast", "fn f(x: f32[w: 1], y: f32[b: 2, s: 1, w: 1]) { concat(x, y, over: s) }", [][]float64{{7}, {1, 2}}, []float64{7, 1, 7, 2}},
		{"concat of elements", "fn f(x: f32[w: 2], y: f32[w: 2]) { concat(x, y, over: s) }", [][]float64{{1, 2}, {3, 4}}, []float64{1, 2, 3, 4}},
		{"expand", "fn f(x: f32[a: 2]) { axis b = 2\n expand(x, b) }", [][]float64{{1, 2}}, []float64{1, 2, 1, 2}},
		{"roll", "fn f(x: f32[a: 3]) { roll(x, over: a, by: 1) }", [][]float64{{1, 2, 3}}, []float64{3, 1, 2}},
		{"pad", "fn f(x: f32[a: 2]) { pad(x, over: a, before: 1, after: 2) }", [][]float64{{1, 2}}, []float64{0, 1, 2, 0, 0}},
		{"one_hot out of range", "fn f(i: i32[a: 3]) { axis c = 2\n f32(one_hot(i, c)) }", [][]float64{{1, 2, -1}}, []float64{0, 1, 0, 0, 0, 0}},
		{"where", "fn f(x: f32[a: 3]) { where(x > 0 and not (x == 2), x, -1) }", [][]float64{{-5, 2, 3}}, []float64{-1, -1, 3}},
		{"where of a constant", "fn f(x: f32[a: 2]) { where(bernoulli(1, a), x, 0) }", [][]float64{{4, 5}}, []float64{4, 5}},
		{"causal mask", "fn f(x: f32[seq: 2, key: 2]) { where(expand(iota(seq), key) >= iota(key), x, -1) }", [][]float64{{1, 2, 3, 4}}, []float64{1, -1, 3, 4}},
		{"casts", "fn f(x: f32[a: 3]) { f32(i32(x)) + f32(real(x) > 0) }", [][]float64{{-1.7, 0, 2.6}}, []float64{-1, 0, 3}},
		{"powers", "fn f(x: f32[a: 2]) { x ** 2 + x ** 3 + x ** -0.5 }", [][]float64{{1, 4}}, []float64{3, 80.5}},
		{"rem", "fn f(x: i32[a: 3]) { x % 4 }", [][]float64{{3, 4, 9}}, []float64{3, 0, 1}},
		{"smooth", "fn f(x: f32[b: 4]) { loss.smooth(x, by: 0.2, over: b) }", [][]float64{{0, 1, 0, 0}}, []float64{0.05, 0.85, 0.05, 0.05}},
		{"mixup's blend", "fn f(x: real[batch: 2, a: 1], r: f32[]) { augment.blend(x, r) }", [][]float64{{1, 2}, {0.75}}, []float64{0.75 + 0.5, 1.5 + 0.25}},
		{"numbers alone", "fn f() { max(2, 3) ** 2 / 4 + sqrt(16) - len([1, 2]) % 2 }", nil, []float64{2.25 + 4 - 0}},
		{"contrastive", "fn f(x: f32[batch: 2, embed: 1], y: f32[batch: 2, embed: 1], s: f32[]) { loss.contrastive(x, y, scale: s) }",
			[][]float64{{1, 0}, {1, 0}, {math.Log(3)}}, []float64{(math.Log(4.0/3) + math.Log(2)) / 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			near(t, c.name, compute(t, c.src, c.args...)[0].F, c.want, 2e-6)
		})
	}
}

func TestDraws(t *testing.T) {
	const n = 20000
	mean := func(x []float64, f func(float64) float64) float64 {
		s := 0.0
		for _, v := range x {
			s += f(v)
		}
		return s / float64(len(x))
	}
	same := func(v float64) float64 { return v }
	square := func(v float64) float64 { return v * v }
	out := compute(t, fmt.Sprintf(`fn f() {
  axis n = %d
  (u: uniform(n), v: uniform(n), z: normal(n), b: f32(bernoulli(0.3, n)))
}`, n))
	u, v, z, b := out[0].F, out[1].F, out[2].F, out[3].F
	near(t, "uniform", []float64{mean(u, same), mean(u, square)}, []float64{0.5, 1.0 / 3}, 0.01)
	near(t, "normal", []float64{mean(z, same), mean(z, square), mean(z, func(x float64) float64 { return x * x * x * x })}, []float64{0, 1, 3}, 0.06)
	near(t, "bernoulli", []float64{mean(b, same)}, []float64{0.3}, 0.01)
	if correlation := dotOf(u, v)/n - 0.25; math.Abs(correlation) > 0.01 {
		t.Errorf("two draws of one body are correlated: %g", correlation)
	}
}

func dotOf(x, y []float64) float64 {
	s := 0.0
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}

// The variates of beta have the moments of the distribution.
func TestBeta(t *testing.T) {
	for _, c := range []struct{ a, b float64 }{{0.2, 0.2}, {1, 1}, {2, 5}, {0.5, 3}} {
		fn := functionOf(t, fmt.Sprintf("fn f() { beta(%g, %g) }", c.a, c.b), true)
		const n = 1500
		plan, err := interp.Prepare(fn, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		key := interp.New(fn.Body.Params[0].Type)
		var sum, squares float64
		for i := range n {
			key.F = []float64{float64(i), 7}
			out, err := plan.Run(t.Context(), []*interp.Tensor{key})
			if err != nil {
				t.Fatal(err)
			}
			x := out[0].F[0]
			if !(x >= 0 && x <= 1) {
				t.Fatalf("beta gives %g", x)
			}
			sum += x
			squares += x * x
		}
		mean := c.a / (c.a + c.b)
		variance := mean * (1 - mean) / (c.a + c.b + 1)
		got := sum / n
		near(t, fmt.Sprintf("beta(%g, %g)", c.a, c.b), []float64{got, squares/n - got*got}, []float64{mean, variance}, 0.03)
	}
}

// Every draw of a program has a key of its own: no two rng_bits of 24 bits share key and stream.
func TestDrawsAreDistinct(t *testing.T) {
	fn := functionOf(t, `
fn twice(x: f32[a]) -> f32[a] { x + uniform(a) + uniform(a) }
fn f(x: f32[a: 4]) { (one: twice(x), two: twice(x), three: uniform(a)) }`, true)
	seen := map[string]bool{}
	fn.Body.Walk(func(op *ir.Op) {
		if op.Row.Name == "rng_bits" && op.Out[0].Type.Dims[0].Label == "a" {
			key := fmt.Sprintf("%p %v", op.In[0], *op.In[1].Lit)
			if seen[key] {
				t.Errorf("two draws share a key")
			}
			seen[key] = true
		}
	})
	if len(seen) != 5 {
		t.Errorf("%d draws, want 5", len(seen))
	}
	if out := execute(t, fn, []float64{1, 2}, make([]float64, 4)); strings.Contains(fmt.Sprint(out[0].F, out[1].F), "NaN") || fmt.Sprint(out[0].F) == fmt.Sprint(out[1].F) {
		t.Errorf("two calls draw the same: %v", out[0].F)
	}
}

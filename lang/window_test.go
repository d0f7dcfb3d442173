package lang

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/passes"
)

// picture is a row × col × channel tensor of numbers that are all different.
type picture struct {
	rows, cols, channels int
	f                    []float64
}

func newPicture(rows, cols, channels int) picture {
	p := picture{rows, cols, channels, make([]float64, rows*cols*channels)}
	for i := range p.f {
		p.f[i] = math.Sin(float64(i*i + 3*i))
	}
	return p
}

// at is the pixel's value, outside where there is none.
func (p picture) at(r, c, k int, outside float64) float64 {
	if r < 0 || c < 0 || r >= p.rows || c >= p.cols {
		return outside
	}
	return p.f[(r*p.cols+c)*p.channels+k]
}

// slid is how many windows lie along a side, and how far the first begins before it.
func slid(size, window, stride int, pad string) (count, before int) {
	if pad == "valid" {
		return (size-window)/stride + 1, 0
	}
	count = int(math.Ceil(float64(size) / float64(stride)))
	return count, max(0, (count-1)*stride+window-size) / 2
}

type windowCase struct {
	rows, cols, ky, kx, stride int
	pad                        string
}

var windowCases = []windowCase{
	{5, 6, 3, 3, 1, "same"}, {5, 6, 3, 3, 1, "valid"}, {7, 4, 3, 3, 2, "same"}, {8, 8, 7, 7, 2, "same"}, {7, 9, 3, 2, 2, "valid"},
	{4, 4, 1, 1, 1, "same"}, {5, 4, 1, 1, 2, "same"}, {3, 3, 5, 4, 1, "same"}, {6, 5, 2, 4, 3, "same"}, {9, 7, 1, 3, 4, "valid"},
}

// Convolutions against loops over every index.
func TestConv(t *testing.T) {
	for _, c := range windowCases {
		x, w := newPicture(c.rows, c.cols, 2), newPicture(c.ky, c.kx, 2*3)
		src := fmt.Sprintf(`fn f(x: f32[row: %d, col: %d, from: 2], w: f32[ky: %d, kx: %d, from: 2, to: 3]) {
  conv(x, w, space: (row, col), window: (ky, kx), over: from, stride: %d, pad: "%s")
}`, c.rows, c.cols, c.ky, c.kx, c.stride, c.pad)
		rows, top := slid(c.rows, c.ky, c.stride, c.pad)
		cols, left := slid(c.cols, c.kx, c.stride, c.pad)
		var want []float64
		for r := range rows {
			for col := range cols {
				for to := range 3 {
					sum := 0.0
					for i := range c.ky * c.kx * 2 {
						y, z, k := i/2/c.kx, i/2%c.kx, i%2
						sum += x.at(r*c.stride+y-top, col*c.stride+z-left, k, 0) * w.at(y, z, 3*k+to, 0)
					}
					want = append(want, sum)
				}
			}
		}
		near(t, fmt.Sprint(c), compute(t, src, x.f, w.f)[0].F, want, 1e-6)
	}
}

// Pooling against loops over every index: outside of the picture there is nothing.
func TestMaxPool(t *testing.T) {
	for _, c := range windowCases {
		if c.ky != c.kx {
			continue
		}
		x := newPicture(c.rows, c.cols, 2)
		for i := range x.f {
			x.f[i] -= 2 // so that a zero would win
		}
		src := fmt.Sprintf("fn f(x: f32[row: %d, col: %d, from: 2]) { max_pool(x, space: (row, col), window: %d, stride: %d, pad: %q) }", c.rows, c.cols, c.ky, c.stride, c.pad)
		rows, top := slid(c.rows, c.ky, c.stride, c.pad)
		cols, left := slid(c.cols, c.kx, c.stride, c.pad)
		var want []float64
		for r := range rows {
			for col := range cols {
				for k := range 2 {
					most := math.Inf(-1)
					for i := range c.ky * c.kx {
						most = max(most, x.at(r*c.stride+i/c.kx-top, col*c.stride+i%c.kx-left, k, most))
					}
					want = append(want, ir.F32.Round(most))
				}
			}
		}
		near(t, fmt.Sprint(c), compute(t, src, x.f)[0].F, want, 0)
	}
}

// Other numbers of spaces, channels that are not summed, batches, and what is not said.
func TestWindowForms(t *testing.T) {
	for _, c := range []struct {
		name, src string
		args      [][]float64
		want      []float64
	}{
		{"one space", `fn f(x: f32[t: 4], w: f32[k: 2]) { conv(x, w, space: t, window: k, over: (), pad: "valid") }`, [][]float64{{1, 2, 3, 4}, {1, 10}}, []float64{21, 32, 43}},
		{"by default", `fn f(x: f32[t: 4], w: f32[k: 2]) { conv(x, w, space: t, window: k, over: ()) }`, [][]float64{{1, 2, 3, 4}, {1, 10}}, []float64{21, 32, 43, 4}},
		{"depthwise", `fn f(x: f32[t: 3, c: 2], w: f32[k: 2, c: 2]) { conv(x, w, space: t, window: k, over: (), pad: "valid") }`,
			[][]float64{{1, 10, 2, 20, 3, 30}, {1, 2, 1, 3}}, []float64{3, 80, 5, 130}},
		{"three spaces", `fn f(x: f32[a: 2, b: 2, c: 2], w: f32[i: 2, j: 2, k: 2]) { conv(x, w, space: (a, b, c), window: (i, j, k), over: (), pad: "valid") }`,
			[][]float64{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 0, 0, 0, 0, 0, 0, 10}}, []float64{81}},
		{"a batch", `fn f(x: f32[batch: 2, t: 2], w: f32[k: 2]) { conv(x, w, space: t, window: k, over: (), pad: "valid") }`, [][]float64{{1, 2, 3, 4}, {1, 10}}, []float64{21, 43}},
		{"a constant", `fn f(w: f32[k: 3]) { conv(fill(1, axes(w) ) with k as t, w, space: t, window: k, over: ()) }`, [][]float64{{1, 10, 100}}, []float64{110, 111, 11}},
		{"a pool along one axis", `fn f(x: f32[t: 5]) { max_pool(x, space: t, window: 2, stride: 2) }`, [][]float64{{1, 3, 2, 0, -5}}, []float64{3, 2, -5}},
	} {
		t.Run(c.name, func(t *testing.T) { near(t, c.name, compute(t, c.src, c.args...)[0].F, c.want, 1e-6) })
	}
}

// Half-pixel centres, edges clamped, growing and shrinking alike.
func TestResize(t *testing.T) {
	for _, c := range []struct {
		from, to int
		x, want  []float64
	}{
		{2, 4, []float64{0, 1}, []float64{0, 0.25, 0.75, 1}},
		{4, 2, []float64{0, 1, 2, 3}, []float64{0.5, 2.5}},
		{3, 2, []float64{0, 1, 4}, []float64{0.25, 3.25}},
		{1, 3, []float64{7}, []float64{7, 7, 7}},
		{5, 1, []float64{1, 2, 6, 4, 5}, []float64{6}},
		{3, 3, []float64{1, 2, 6}, []float64{1, 2, 6}},
	} {
		src := fmt.Sprintf("fn scaled(x: f32[a: _], a: axis) { resize(x, over: a) }\nfn f(x: f32[a: %d]) { scaled(x, a: %d) }", c.from, c.to)
		near(t, fmt.Sprintf("%d to %d", c.from, c.to), compute(t, src, c.x)[0].F, c.want, 1e-6)
	}
}

// Filters, against torch.nn.functional.interpolate of PyTorch 2.15: align_corners is `corners`. The
// host's resampling of weights is by the same definition.
func TestResizeFilters(t *testing.T) {
	x := []float64{1, -2, 6, 4, 5}
	for _, c := range []struct {
		args string
		ir.Filter
		want []float64
	}{
		{`filter: "bicubic"`, ir.Filter{Cubic: true}, []float64{1.2361516, -1.5801749, -0.1297376, 6.0, 4.7682216, 4.2099125, 5.0787172}},
		{`filter: "bicubic"`, ir.Filter{Cubic: true}, []float64{-0.3888889, 6.0, 4.5740741}},
		{`filter: "bicubic"`, ir.Filter{Cubic: true}, []float64{6}},
		{`filter: "bicubic", corners: true`, ir.Filter{Cubic: true, Corners: true}, []float64{1, 6, 5}},
		{`filter: "bicubic", antialias: true`, ir.Filter{Cubic: true, Antialias: true}, []float64{-0.4307692, 3.7581395, 4.7692308}},
		{`filter: "bicubic", antialias: true`, ir.Filter{Cubic: true, Antialias: true}, []float64{2.8462998}},
		{`filter: "bicubic", antialias: true`, ir.Filter{Cubic: true, Antialias: true},
			[]float64{1.2158672, -0.5871675, -1.7838135, 3.8692627, 6.0128174, 4.0609131, 4.5045096, 5.0719557}},
		{`filter: "bilinear", antialias: true`, ir.Filter{Antialias: true}, []float64{1.0454545, 4.5}},
		{`antialias: true`, ir.Filter{Antialias: true}, []float64{1, -0.7142857, 0.2857143, 6, 4.5714286, 4.4285714, 5}},
		{`corners: true`, ir.Filter{Corners: true}, []float64{1, -0.7142857, -0.8571429, 3.7142857, 5.4285714, 4.2857143, 4.4285714, 5}},
	} {
		name := fmt.Sprintf("%s to %d", c.args, len(c.want))
		src := fmt.Sprintf("fn scaled(x: f32[a: _], a: axis) { resize(x, over: a, %s) }\nfn f(x: f32[a: 5]) { scaled(x, a: %d) }", c.args, len(c.want))
		near(t, name, compute(t, src, x)[0].F, c.want, 1e-5)
		var host []float64
		for j := range c.want {
			total := 0.0
			for i, w := range c.Weights(len(x), len(c.want), j) {
				total += w * x[i]
			}
			host = append(host, total)
		}
		near(t, name+" on the host", host, c.want, 1e-7)
	}
}

// The conv's and the pool's gradients, through several windows that overlap, against
// differences of the interpreter in float64.
func TestWindowGradients(t *testing.T) {
	for _, src := range []string{
		`fn f(x: f32[row: 5, col: 4, from: 2], w: f32[ky: 3, kx: 2, from: 2, to: 2]) {
  sum(tanh(conv(x, w, space: (row, col), window: (ky, kx), over: from, stride: 2)))
}`,
		`fn f(x: f32[row: 5, col: 4], w: f32[row: 3, col: 2]) { sum(max_pool(x, space: (row, col), window: 3, stride: 2) * w) }`,
	} {
		fn := functionOf(t, src, true)
		b := &ir.Builder{Region: fn.Body}
		x, w := fn.Body.Params[1], fn.Body.Params[2]
		g := b.Emit(&ir.Op{Row: ir.Lookup("grad"), In: []*ir.Value{fn.Body.Yield[0], x, w}}, nil)
		fn.Body.Yield = append(fn.Body.Yield, g...)
		fn.Results = append(fn.Results, ir.Port{Role: ir.RoleOutput, Name: "dx"}, ir.Port{Role: ir.RoleOutput, Name: "dw"})
		m := &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{fn}}
		if err := passes.Run(m, []string{"simplify", "autodiff", "simplify"}, passes.Options{}); err != nil {
			t.Fatal(err)
		}
		args := []*interp.Tensor{{Type: fn.Body.Params[0].Type, F: []float64{1, 2}}, {Type: x.Type, F: newPicture(1, 1, x.Type.Size()).f}, {Type: w.Type, F: newPicture(1, 1, w.Type.Size()).f}}
		run := func() []*interp.Tensor {
			out, err := interp.Run(m.Funcs[0], args, interp.Options{Exact: true})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		base := run()
		const h = 0x1p-17
		for i := 1; i < 3; i++ {
			for k, v := range args[i].F {
				args[i].F[k] = v + h
				up := run()[0].F[0]
				args[i].F[k] = v - h
				want := (up - run()[0].F[0]) / (2 * h)
				args[i].F[k] = v
				if got := base[i].F[k]; !(math.Abs(got-want) <= 1e-6*max(1, math.Abs(want))) {
					t.Errorf("%.60s: the gradient by argument %d [%d] is %g, differences give %g", src, i, k, got, want)
				}
			}
		}
	}
}

// Ridge regression against a system of two equations solved by hand.
func TestRidge(t *testing.T) {
	m := newMachine(t, `
data numbers -> (x: f32[n: 2], label: i32[]) { source: idx(images: "x", labels: "l") }
module Net() {
  axis n = 2
  param w: f32[n] = nn.ones
  fn (x: [..., n]) -> [...] { dot(x, w, over: n) }
}
train t {
  let net = Net()
  data: numbers
  batch: 1
  steps: 10
  rate: optim.flat(peak: 0.1)
  optimizer: optim.Sgd
  fn (x: f32[batch, n], label: i32[batch]) { mean(f32(net(real(x)))) }
}
eval e of t {
  data: numbers
  batch: 3
  let ridge = metrics.Ridge(width: 2, classes: 2, l2: 1)
  fn (x: f32[batch, n], label: i32[batch]) { ridge(x with n as width, label) }
  fn result() {
    let w = ridge.result()
    (a: w[width: 0][classes: 0], b: w[width: 1][classes: 0], c: w[width: 1][classes: 1])
  }
}
`, "t", Options{})
	m.call("eval.e.init", nil)
	m.call("eval.e", map[string][]float64{"x": {1, 0, 1, 1, 0, 2}, "label": {0, 1, 0}})
	got := m.call("eval.e.result", nil)
	// x'x + 1 = [3 1; 1 6], x'y = [0 0; 1 -1] with y of -1 and 1: its determinant is 17.
	for name, want := range map[string]float64{"a": -1.0 / 17, "b": 3.0 / 17, "c": -3.0 / 17} {
		near(t, name, got[name], []float64{want}, 1e-6)
	}
}

// The hybrid's stem without its projection to tokens is the body of ResNet-50: 25,557,032
// parameters less 2,049,000 of the classifier.
func TestResNetParameters(t *testing.T) {
	u, list := Load("t.vit", []byte(strings.Replace(hybrid, "STAGES", "[3, 4, 6, 3]", 1)), nil)
	if len(list) > 0 {
		t.Fatal(rendered(t, u, list))
	}
	p := lowerProgram(t, u, "t", Options{})
	n := parameters(p, func(name string) bool {
		return strings.HasPrefix(name, "net.stem.") && !strings.HasPrefix(name, "net.stem.embed.")
	})
	if n != 25_557_032-2_049_000 {
		t.Errorf("%d parameters", n)
	}
}

const hybrid = `edition 1
use vit, loss, optim, augment
data d -> (image: u8[row: 64, col: 64, channel: 3], label: i32[]) { source: idx(images: "i", labels: "l") }
train t {
  let net = vit.ViT(image: 64, patch: 1, width: 16, depth: 1, heads: 2, mlp: 32, classes: 10, stem: vit.ResNet(stages: STAGES))
  data: d
  batch: 4
  epochs: 1
  optimizer: optim.AdamW
  rate: optim.flat(peak: 1e-3)
  fn (image: u8[batch, row, col, channel], label: i32[batch]) {
    mean(loss.softmax_xent(net(augment.pixels(image)), real(one_hot(label, net.classes)), over: classes))
  }
}
`

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

// machine runs a program's functions with the interpreter, by the names of their ports.
type machine struct {
	t     *testing.T
	p     *ir.Program
	state map[string]*interp.Tensor
}

// newMachine lowers the train block of a source and initialises its state.
func newMachine(t *testing.T, src, train string, o Options) *machine {
	t.Helper()
	u, list := Load("t.vit", []byte("edition 1\nuse nn, loss, optim, metrics, augment, vit\n"+src), nil)
	if len(list) > 0 {
		t.Fatal(rendered(t, u, list))
	}
	p := lowerProgram(t, u, train, o)
	if err := passes.Run(p.Module, []string{"simplify", "autodiff", "simplify"}, passes.Options{}); err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, p: p, state: map[string]*interp.Tensor{}}
	m.call("init", map[string][]float64{"seed": {float64(p.Train.Seed), 0}})
	return m
}

// call runs a function: state and accumulators are kept by name, other results returned.
func (m *machine) call(name string, inputs map[string][]float64) map[string][]float64 {
	m.t.Helper()
	f := m.p.Module.Func(name)
	if f == nil {
		m.t.Fatalf("no function %s", name)
	}
	args := make([]*interp.Tensor, len(f.Args))
	for i, port := range f.Args {
		if args[i] = m.state[port.Name]; port.Role == ir.RoleInput {
			args[i] = &interp.Tensor{Type: f.Body.Params[i].Type, F: inputs[port.Name]}
		}
		if args[i] == nil || len(args[i].F) != args[i].Type.Size() {
			m.t.Fatalf("%s: no value for %s", name, port.Name)
		}
	}
	out, err := interp.Run(f, args, interp.Options{})
	if err != nil {
		m.t.Fatal(err)
	}
	metrics := map[string][]float64{}
	for i, port := range f.Results {
		if port.Role == ir.RoleMetric {
			metrics[port.Name] = out[i].F
			continue
		}
		m.state[port.Name] = out[i]
	}
	return metrics
}

// noisy is a least program: a model of one parameter, the loss dot(w, x).
const least = `
data numbers -> (x: f32[n: 2]) { source: idx(images: "x") }
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
  optimizer: OPTIMIZER
  SETTINGS
  fn (x: f32[batch, n]) { mean(f32(net(real(x)))) }
}
`

func leastProgram(optimizer, settings string) string {
	return strings.NewReplacer("OPTIMIZER", optimizer, "SETTINGS", settings).Replace(least)
}

// Optimizers against their published recurrences, worked out here in float64.
func TestOptimizers(t *testing.T) {
	g := []float64{3, -0.5} // the loss is linear: its gradient is x
	type scalar struct{ w, m, v float64 }
	for _, c := range []struct {
		name, optimizer string
		step            func(s scalar, g, t float64) scalar
	}{
		{"sgd", "optim.Sgd(momentum: 0.5, decay: 0.1)", func(s scalar, g, _ float64) scalar {
			s.m = 0.5*s.m + g + 0.1*s.w
			s.w -= 0.1 * s.m
			return s
		}},
		{"nesterov", "optim.Sgd(momentum: 0.5, nesterov: true)", func(s scalar, g, _ float64) scalar {
			s.m = 0.5*s.m + g
			s.w -= 0.1 * (g + 0.5*s.m)
			return s
		}},
		{"adamw", "optim.AdamW(b1: 0.8, b2: 0.9, decay: 0.2)", func(s scalar, g, t float64) scalar {
			s.m, s.v = 0.8*s.m+0.2*g, 0.9*s.v+0.1*g*g
			s.w -= 0.1*(s.m/(1-math.Pow(0.8, t)))/(math.Sqrt(s.v/(1-math.Pow(0.9, t)))+1e-8) + 0.1*0.2*s.w
			return s
		}},
		{"adafactor", "optim.Adafactor(momentum: f32, decay: 0.3)", func(s scalar, g, t float64) scalar {
			b := math.Min(0.999, 1-math.Pow(t, -0.8))
			s.v = b*s.v + (1-b)*(g*g+1e-30)
			s.m = 0.9*s.m + 0.1*g/math.Sqrt(s.v)
			s.w -= 0.1 * (s.m + 0.3*s.w)
			return s
		}},
		{"fixed", "optim.Fixed", func(s scalar, _, _ float64) scalar { return s }},
		{"scaled", "optim.Scaled(by: 0.5, inner: optim.Sgd(momentum: 0.0))", func(s scalar, g, _ float64) scalar {
			s.w -= 0.05 * g
			return s
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, leastProgram(c.optimizer, ""), "t", Options{})
			want := []scalar{{w: 1}, {w: 1}}
			for step := 1; step <= 3; step++ {
				m.call("step", map[string][]float64{"x": g, "steps": {10}})
				for i := range want {
					want[i] = c.step(want[i], g[i], float64(step))
				}
				near(t, fmt.Sprintf("w after step %d", step), m.state["net.w"].F, []float64{want[0].w, want[1].w}, 1e-6)
			}
			near(t, "t", m.state["t"].F, []float64{3}, 0)
		})
	}
}

func TestClipAndAverage(t *testing.T) {
	m := newMachine(t, leastProgram("optim.Sgd(momentum: 0.0)", "clip: 1.0\n  ema: 0.9"), "t", Options{})
	got := m.call("step", map[string][]float64{"x": {3, 4}, "steps": {10}})
	near(t, "grad_norm", got["grad_norm"], []float64{5}, 1e-6)
	near(t, "loss", got["loss"], []float64{7}, 1e-6)
	near(t, "rate", got["rate"], []float64{0.1}, 1e-6)
	near(t, "w", m.state["net.w"].F, []float64{1 - 0.06, 1 - 0.08}, 1e-6)
	near(t, "ema", m.state["ema.net.w"].F, []float64{1 - 0.006, 1 - 0.008}, 1e-6)
	got = m.call("step", map[string][]float64{"x": {0, 0}, "steps": {10}})
	near(t, "grad_norm of nothing", got["grad_norm"], []float64{0}, 0)
	near(t, "w stays", m.state["net.w"].F, []float64{1 - 0.06, 1 - 0.08}, 1e-6)
}

// The norm leaves out parameters whose optimizer does not read the gradient.
func TestClipPassesOverFixed(t *testing.T) {
	m := newMachine(t, leastProgram("optim.Scaled(by: 0.5, inner: optim.Fixed)", "clip: 1.0"), "t", Options{})
	got := m.call("step", map[string][]float64{"x": {3, 4}, "steps": {10}})
	near(t, "grad_norm", got["grad_norm"], []float64{0}, 0)
}

const tower = `
data numbers -> (x: f32[width: 2]) { source: idx(images: "x") }
module Layer(width: axis, rate = 0.0) {
  axis out = width
  param w: f32[width, out] = nn.gaussian(std: 0.5)
  param b: f32[width] = nn.constant(0.5)
  state seen: f32[width] = nn.zeros
  fn (x: [..., width]) -> [..., width] {
    seen <- seen + mean(f32(x), over: batch)
    x + rate * tanh(dot(x, w, over: width) with out as width) + b
  }
}
module Tower(depth: int) {
  axis width = 2
  axis layer = depth
  let block = repeat layer as i { Layer(width, rate: i + 1) }
  fn (x: [..., width]) -> [..., width] { block(x) }
}
train t {
  let net = Tower(DEPTH)
  data: numbers
  batch: 3
  steps: 10
  rate: optim.flat(peak: 0.1)
  optimizer: OPTIMIZER
  fn (x: f32[batch, width]) { mean(f32(net(real(x))) ** 2) }
}
eval e of t {
  data: numbers
  batch: 2
  let m = metrics.Mean()
  fn (x: f32[batch, width]) { m(mean(f32(net(real(x))), over: width)) }
  fn result() { (mean: m.result()) }
}
`

func towerProgram(depth int, optimizer string) string {
	return strings.NewReplacer("DEPTH", fmt.Sprint(depth), "OPTIMIZER", optimizer).Replace(tower)
}

// unrolled is the tower with its layers written out, fed the repeated one's parameters.
func tanhTower(w, b [][]float64, x []float64) []float64 {
	out := append([]float64(nil), x...)
	for l := range w {
		y := append([]float64(nil), out...)
		for n := 0; n < len(out); n += 2 {
			for o := range 2 {
				y[n+o] += float64(l+1)*math.Tanh(out[n]*w[l][o]+out[n+1]*w[l][2+o]) + b[l][o]
			}
		}
		out = y
	}
	return out
}

// A repeat is one scan over stacked parameters: it computes what its turns do one by one,
// its states are stacked, and the program does not grow with the depth.
func TestRepeat(t *testing.T) {
	x := []float64{0.1, -0.2, 0.3, 0.4, -0.5, 0.6}
	m := newMachine(t, towerProgram(3, "optim.Sgd"), "t", Options{})
	w, b := m.state["net.block.w"], m.state["net.block.b"]
	var ws, bs [][]float64
	for l := range 3 {
		ws, bs = append(ws, w.F[4*l:4*l+4]), append(bs, b.F[2*l:2*l+2])
	}
	want := 0.0
	for _, y := range tanhTower(ws, bs, x) {
		want += y * y / 6
	}
	got := m.call("step", map[string][]float64{"x": x, "steps": {10}})
	near(t, "loss", got["loss"], []float64{want}, 1e-6)
	near(t, "state of the first turn", m.state["net.block.seen"].F[:2], []float64{-0.1 / 3, 0.8 / 3}, 1e-6)
	if m.state["net.block.seen"].F[4] == 0 {
		t.Error("the last turn's state is not written")
	}
	if fmt.Sprint(ws[0]) == fmt.Sprint(ws[1]) {
		t.Error("turns begin with the same values")
	}
	count := func(depth int) int {
		u, _ := Load("t.vit", []byte("edition 1\nuse nn, loss, optim, metrics\n"+towerProgram(depth, "optim.Sgd")), nil)
		return lowerProgram(t, u, "t", Options{}).Module.CountOps()
	}
	if one, many := count(1), count(40); one != many {
		t.Errorf("%d ops at depth 1, %d at depth 40", one, many)
	}
}

// States are written in training only; an evaluation begins with fresh accumulators.
func TestEvaluation(t *testing.T) {
	m := newMachine(t, towerProgram(2, "optim.Sgd"), "t", Options{EvalBatches: map[string][]int{"e": {1}}})
	seen := fmt.Sprint(m.state["net.block.seen"].F)
	m.call("eval.e.init", nil)
	m.call("eval.e", map[string][]float64{"x": {1, 2, 3, 4}})
	first := m.call("eval.e.result", nil)["mean"]
	m.call("eval.e.b1", map[string][]float64{"x": {1, 2}})
	if n := m.state["m.count"].F[0]; n != 3 {
		t.Errorf("%g examples counted, want 3", n)
	}
	m.call("eval.e.init", nil)
	m.call("eval.e", map[string][]float64{"x": {1, 2, 3, 4}})
	near(t, "again", m.call("eval.e.result", nil)["mean"], first, 0)
	if now := fmt.Sprint(m.state["net.block.seen"].F); now != seen {
		t.Errorf("an evaluation wrote a model's state: %s", now)
	}
}

// An optimizer is applied to all turns at once, but sees each turn's axes alone: what it
// sums, as Adafactor's row means, it sums within one turn.
func TestHiddenAxes(t *testing.T) {
	const own = `
module Norm(shape: axes) {
  state count: f32[] = nn.zeros
  fn (w: f32[shape], g: f32[shape], rate: f32[], t: f32[]) -> f32[shape] {
    count <- count + len(axes(w))
    w - rate * g / (sum(abs(g)) + 1e-6) + 0 * size(axes(g))
  }
}`
	m := newMachine(t, own+towerProgram(2, "Norm"), "t", Options{})
	before := append([]float64(nil), m.state["net.block.w"].F...)
	m.call("step", map[string][]float64{"x": {0.1, -0.2, 0.3, 0.4, -0.5, 0.6}, "steps": {10}})
	for l := range 2 {
		moved := 0.0
		for i := 4 * l; i < 4*l+4; i++ {
			moved += math.Abs(before[i] - m.state["net.block.w"].F[i])
		}
		near(t, fmt.Sprintf("turn %d moves by the rate", l), []float64{moved}, []float64{0.1}, 1e-4)
	}
	near(t, "visible axes", m.state["opt.net.block.w.count"].F, []float64{2, 2}, 0)
	m = newMachine(t, towerProgram(2, "optim.Adafactor(least: 2)"), "t", Options{})
	m.call("step", map[string][]float64{"x": {0.1, -0.2, 0.3, 0.4, -0.5, 0.6}, "steps": {10}})
	for _, leaf := range m.p.State {
		if leaf.Name == "opt.net.block.w.second.row" && leaf.Type.String() != "f32[layer:2, out:2]" && leaf.Type.String() != "f32[layer:2, width:2]" {
			t.Errorf("%s is %s", leaf.Name, leaf.Type)
		}
	}
}

// A length of zero is the identity, and a list of instances a chain.
func TestChains(t *testing.T) {
	src := `
data numbers -> (x: f32[width: 2]) { source: idx(images: "x") }
module Net() {
  axis width = 2
  axis none = 0
  let a = repeat none { nn.Linear(width, width) }
  let b = for i, k in [1, 2] { Times(k + i) }
  let c = for k in [] { Times(k) }
  fn (x: [..., width]) -> [..., width] { c(b(a(x))) }
}
module Times(k: float) {
  fn (x: [...]) -> [...] { k * x }
}
train t {
  let net = Net()
  param w: f32[] = nn.constant(2.0)
  data: numbers
  batch: 1
  steps: 10
  rate: optim.flat(peak: 0.1)
  optimizer: optim.Sgd
  fn (x: f32[batch, width]) { f32(w) * sum(f32(net(real(x)))) }
}`
	m := newMachine(t, src, "t", Options{})
	near(t, "loss", m.call("step", map[string][]float64{"x": {1, 2}, "steps": {10}})["loss"], []float64{2 * 3 * 3}, 1e-6)
}

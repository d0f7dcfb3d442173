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

// Adafactor's factored second moment against its recurrence, each turn of the loop apart.
func TestFactored(t *testing.T) {
	m := newMachine(t, towerProgram(2, "optim.Adafactor(least: 2, momentum: f32)"), "t", Options{})
	x := map[string][]float64{"x": {0.1, -0.2, 0.3, 0.4, -0.5, 0.6}, "steps": {10}}
	before := append([]float64(nil), m.state["net.block.w"].F...)
	g := numericGradient(t, m, "net.block.w", x)
	m.call("step", x)
	for l := range 2 {
		g, w, after := g[4*l:4*l+4], before[4*l:4*l+4], m.state["net.block.w"].F[4*l:4*l+4]
		row := []float64{(g[0]*g[0] + g[1]*g[1]) / 2, (g[2]*g[2] + g[3]*g[3]) / 2}
		col := []float64{(g[0]*g[0] + g[2]*g[2]) / 2, (g[1]*g[1] + g[3]*g[3]) / 2}
		for i := range 4 {
			second := row[i/2] * col[i%2] / ((row[0] + row[1]) / 2)
			want := w[i] - 0.1*0.1*g[i]/math.Sqrt(second)
			near(t, fmt.Sprintf("turn %d, weight %d", l, i), after[i:i+1], []float64{want}, 1e-4)
		}
	}
}

// numericGradient differentiates a step's loss by finite differences.
func numericGradient(t *testing.T, m *machine, name string, inputs map[string][]float64) []float64 {
	t.Helper()
	const h = 1e-2
	saved := m.state
	loss := func(i int, by float64) float64 {
		m.state = map[string]*interp.Tensor{}
		for k, v := range saved {
			m.state[k] = v
		}
		moved := &interp.Tensor{Type: saved[name].Type, F: append([]float64(nil), saved[name].F...)}
		moved.F[i] += by
		m.state[name] = moved
		return m.call("step", inputs)["loss"][0]
	}
	out := make([]float64, len(saved[name].F))
	for i := range out {
		out[i] = (8*(loss(i, h)-loss(i, -h)) - (loss(i, 2*h) - loss(i, -2*h))) / (12 * h)
	}
	m.state = saved
	return out
}

// Batch norm: statistics of the batch in training, running averages in evaluation.
func TestBatchNorm(t *testing.T) {
	m := newMachine(t, `
data numbers -> (x: f32[channel: 1]) { source: idx(images: "x") }
module Net() {
  axis channel = 1
  let norm = nn.BatchNorm(channel, momentum: 0.9)
  fn (x: [..., channel]) -> [..., channel] { norm(x) }
}
train t {
  let net = Net()
  data: numbers
  batch: 2
  steps: 10
  rate: optim.flat(peak: 0.1)
  optimizer: optim.Fixed
  fn (x: f32[batch, channel]) { sum(f32(net(real(x))) * x) }
}
eval e of t {
  data: numbers
  batch: 1
  let m = metrics.Mean()
  fn (x: f32[batch, channel]) { m(f32(net(real(x)))[channel: 0]) }
  fn result() { (mean: m.result()) }
}`, "t", Options{})
	got := m.call("step", map[string][]float64{"x": {1, 5}, "steps": {10}})
	near(t, "loss", got["loss"], []float64{4}, 1e-4) // (x - 3) / 2 = -1, 1
	near(t, "running mean", m.state["net.norm.avg"].F, []float64{0.3}, 1e-6)
	near(t, "running variance", m.state["net.norm.var"].F, []float64{0.9 + 0.4}, 1e-6)
	m.call("eval.e.init", nil)
	m.call("eval.e", map[string][]float64{"x": {2}})
	near(t, "in evaluation", m.call("eval.e.result", nil)["mean"], []float64{1.7 / math.Sqrt(1.3+1e-5)}, 1e-6)
}

// A frozen model draws nothing, writes nothing and has no optimizer; earlier evaluations'
// results are arguments of later ones; `weights: ema` reads the averages.
func TestFrozenAndEvaluations(t *testing.T) {
	m := newMachine(t, `
data numbers -> (x: f32[width: 2]) { source: idx(images: "x") }
module Net() {
  axis width = 2
  param w: f32[width] = nn.constant(3.0)
  state seen: f32[] = nn.zeros
  fn (x: [..., width]) -> [..., width] {
    seen <- seen + 1
    nn.dropout(x * w, 0.5)
  }
}
train t {
  let teacher = freeze(Net())
  param v: f32[] = nn.ones
  data: numbers
  batch: 1
  steps: 10
  ema: 0.5
  rate: optim.flat(peak: 0.1)
  optimizer: optim.Sgd(momentum: 0.0)
  fn (x: f32[batch, width]) { f32(v) * sum(f32(teacher(real(x)))) }
}
eval first of t {
  data: numbers
  batch: 1
  weights: ema
  let m = metrics.Mean()
  fn (x: f32[batch, width]) { m(expand(f32(v), batch)) }
  fn result() {
    axis two = 2
    (v: m.result(), pair: fill(2, two))
  }
}
eval second of first {
  data: numbers
  batch: 1
  let m = metrics.Mean()
  fn (x: f32[batch, width]) { m(sum(x, over: width) + first.v + sum(first.pair)) }
  fn result() { (sum: m.result()) }
}
`, "t", Options{})
	got := m.call("step", map[string][]float64{"x": {1, 2}, "steps": {10}})
	near(t, "loss", got["loss"], []float64{9}, 1e-6)
	near(t, "the teacher's state", m.state["teacher.seen"].F, []float64{0}, 0)
	near(t, "the teacher's weights", m.state["teacher.w"].F, []float64{3, 3}, 0)
	near(t, "v", m.state["v"].F, []float64{0.1}, 1e-6)
	if m.state["opt.teacher.w.m"] != nil || m.state["ema.teacher.w"] != nil {
		t.Error("a frozen parameter has an optimizer or an average")
	}
	x := map[string][]float64{"x": {10, 20}}
	m.call("eval.first.init", nil)
	m.call("eval.first", x)
	first := m.call("eval.first.result", nil)
	near(t, "the average of v", first["v"], []float64{0.55}, 1e-6)
	for name, v := range first {
		m.state["first."+name] = &interp.Tensor{Type: m.argType("eval.second", "first."+name), F: v}
	}
	m.call("eval.second.init", nil)
	m.call("eval.second", x)
	near(t, "sum", m.call("eval.second.result", nil)["sum"], []float64{30 + 0.55 + 4}, 1e-6)
}

// argType is the type of a function's argument.
func (m *machine) argType(name, port string) ir.Type {
	m.t.Helper()
	f := m.p.Module.Func(name)
	for i, p := range f.Args {
		if p.Name == port {
			return f.Body.Params[i].Type
		}
	}
	m.t.Fatalf("%s has no argument %s", name, port)
	return ir.Type{}
}

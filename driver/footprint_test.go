package driver

import (
	"strings"
	"testing"

	"vitc/ir"
)

// sharded is a program whose bytes can be counted by hand: one matrix, for which AdamW keeps two
// numbers each, and a plan for four devices.
const sharded = `edition 1
use optim, nn
data d -> (x: f32[width: 32]) { source: idx(images: "i", labels: "l") }
module Net(width: axis, mlp: axis) {
  param w: f32[width, mlp] = nn.xavier_uniform(from: width)
  fn (x: [..., width]) -> [..., mlp] { tanh(dot(x, w, over: width)) }
}
train t {
  axis width = 32
  axis mlp = 128
  let net = Net(width, mlp)
  data: d
  batch: 64
  steps: 1
  optimizer: optim.AdamW
  rate: optim.flat(peak: 0.1)
  fn (x: f32[batch, width]) { mean(f32(net(real(x)))) }
}
plan p for t {
  devices: cpu(4)
  mesh: (data: 2, model: 2)
  shard { SHARD }
}
`

// plannedProgram lowers `sharded` with some lines for its plan.
func plannedProgram(t *testing.T, lines string) *ir.Program {
	t.Helper()
	src := strings.NewReader(strings.Replace(sharded, "SHARD", lines, 1))
	p, _, err := Load(NewSources(), Source{File: Stdin, Stdin: src, Plan: "p"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFootprint(t *testing.T) {
	const whole = 32 * 128 * 4 // bytes of w
	for _, c := range []struct {
		lines         string
		param, inputs int64
	}{
		{"batch: data", whole, 64*32*4/2 + 4},
		{"batch: (data, model), params.width: data", whole / 2, 64*32*4/4 + 4},
		{"batch: data, params.width: data, mlp: model", whole / 4, 64*32*4/2 + 4},
		{"batch: (data, model), params.mlp: (data, model)", whole / 4, 64*32*4/4 + 4},
	} {
		p := plannedProgram(t, c.lines)
		f, _, err := footprint(p, p.Chosen())
		if err != nil {
			t.Fatal(err)
		}
		if f.Parameters != c.param || f.Optimizer != 2*c.param || f.Gradients != c.param || f.Inputs != c.inputs {
			t.Errorf("%s: parameters %d, optimizer %d, gradients %d, inputs %d; want %d, twice, as much, %d", c.lines, f.Parameters, f.Optimizer, f.Gradients, f.Inputs, c.param, c.inputs)
		}
		if state := f.Parameters + f.Optimizer + f.Buffers; !f.Fits || f.Devices != 4 || f.Function != "step" || f.Peak < state+f.Arena || f.Arena < f.Gradients {
			t.Errorf("%s: %+v", c.lines, f)
		}
	}
}

// What is proposed cuts the parameter that is held whole; without large ones memory goes to
// what is kept.
func TestFootprintTries(t *testing.T) {
	p := plannedProgram(t, "batch: data")
	plan := p.Chosen()
	for _, c := range []struct {
		f    Footprint
		want string
	}{
		{Footprint{Capacity: 10 << 10, Peak: 9 << 10}, "a smaller reserve, at the cost of overlap; shard { params.mlp: data }; more devices, or a smaller batch"},
		{Footprint{Capacity: 1 << 30, Peak: 2 << 30, Kept: 1 << 30}, `remat { "**": fit }; micro: 2; more devices, or a smaller batch`},
	} {
		if got := strings.Join(c.f.tries(p, plan), "; "); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

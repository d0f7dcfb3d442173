package testsuite

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"vitc/codegen"
	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
	"vitc/ir"
	"vitc/lang"
	"vitc/runtime/mapping"
)

// partsTail trains a module Part on random pictures. With b1 of 0, Adam's first moment is the gradient.
const partsTail = `
data given -> (image: f32[channel: CHANNELS, row: ROWS, col: COLS], label: i32[]) {
  source: given()
}

train fit {
  let net = Part(row: ROWS, col: COLS, channel: CHANNELS)
  data: given
  batch: BATCH
  steps: 1
  optimizer: optim.Adam(b1: 0.0)
  rate: optim.flat(peak: 1e-3)
  fn (image: f32[batch, channel, row, col], label: i32[batch]) { mean(f32(net(real(image), label))) }
}
`

// parts are the ops beyond those of a plain ViT, each as a module with parameters before and behind it, so that
// gradients pass through it. Upper case words are drawn.
var parts = map[string]string{
	"conv": `
  axis to = TO
  let conv = nn.Conv(channel, to, kernel: KERNEL, stride: STRIDE, pad: "PAD", standardise: FLAG, bias: true)
  param gain: f32[channel] = nn.gaussian(std: 1.0)
  fn (x: [batch, row, col, channel], label: i32[batch]) { tanh(conv(x * gain)) }`,
	"max_pool": `
  param gain: f32[channel] = nn.gaussian(std: 1.0)
  fn (x: [batch, row, col, channel], label: i32[batch]) {
    tanh(max_pool(x * gain, space: (row, col), window: KERNEL, stride: STRIDE, pad: "PAD"))
  }`,
	"gather": `
  axis vocab = VOCAB
  param table: f32[vocab, channel] = nn.gaussian(std: 1.0)
  fn (x: [batch, row, col, channel], label: i32[batch]) { tanh(x * table[vocab: label]) }`,
	"resize": `
  axis other = OTHER
  param table: f32[row, col, channel] = nn.gaussian(std: 1.0)
  param small: f32[other, col] = nn.gaussian(std: 1.0)
  fn (x: [batch, row, col, channel], label: i32[batch]) {
    tanh(x * table + sized(small, other, row)) + expand(mean(tanh(sized(x * table, row, other) * small), over: other), row)
  }`,
	"batch norm": `
  let norm = nn.BatchNorm(channel)
  param gain: f32[channel] = nn.gaussian(std: 1.0)
  fn (x: [batch, row, col, channel], label: i32[batch]) { tanh(norm(x * gain)) }`,
	"bottleneck": `
  let block = vit.Bottleneck(size(channel), 64, stride: STRIDE, norm: nn.BatchNorm, conv: nn.Conv(standardise: FLAG))
  fn (x: [batch, row, col, channel], label: i32[batch]) { tanh(block(x)) }`,
}

// sized resizes an axis, and names it as the axis whose size it takes.
const sized = `
fn sized(x: [..., from], from: axis, to: axis) -> [..., to] { to_size(x with from as along, along: size(to)) with along as to }
fn to_size(x: [..., along: _], along: axis) -> [..., along] { resize(x, over: along, FILTER) }
`

// partProgram draws the sizes of a part.
func partProgram(body string, r *rand.Rand) (text string, batch, channels, rows, cols, vocab int) {
	batch, channels, rows, cols, vocab = 1+r.IntN(5), 1+r.IntN(19), 4+r.IntN(9), 4+r.IntN(9), 1+r.IntN(9)
	filters := []string{`filter: "bilinear"`, `filter: "bicubic"`, `filter: "bicubic", antialias: true`, `antialias: true`, `corners: true`}
	words := strings.NewReplacer("BATCH", fmt.Sprint(batch), "CHANNELS", fmt.Sprint(channels), "ROWS", fmt.Sprint(rows), "COLS", fmt.Sprint(cols),
		"TO", fmt.Sprint(1+r.IntN(19)), "KERNEL", fmt.Sprint(1+r.IntN(4)), "STRIDE", fmt.Sprint(1+r.IntN(3)), "PAD", []string{"same", "valid"}[r.IntN(2)],
		"FLAG", fmt.Sprint(r.IntN(2) == 0), "VOCAB", fmt.Sprint(vocab), "OTHER", fmt.Sprint(1+r.IntN(20)), "FILTER", filters[r.IntN(len(filters))])
	text = words.Replace("edition 1\nuse nn, vit, optim\n" + sized + "\nmodule Part(row: axis, col: axis, channel: axis) {" + body + "\n}\n" + partsTail)
	return text, batch, channels, rows, cols, vocab
}

// partWithin bounds what the gradients and states of a part, and its loss, may differ by between targets, of
// their norms: sums in another order, and in bf16 the roundings of what these feed.
var partWithin = map[string]float64{"f32": 2e-5, "bf16": 2e-2}

// vanishing is the part of the largest gradient's norm that a gradient is held to where it is smaller: a
// batch norm takes scales out, so that gradients of what scales its input are the rounding of their
// terms, which are as large as other gradients'.
const vanishing = 0.1

// TestPartsAgree trains each part by a step on the interpreter and natively, at random sizes: losses,
// gradients and states agree.
func TestPartsAgree(t *testing.T) {
	_, err := toolchain.Find()
	llvmtest.SkipWithout(t, err)
	const draws = 3
	for name, body := range parts {
		for precision, within := range partWithin {
			t.Run(name+"/"+precision, func(t *testing.T) {
				for seed := range uint64(draws) {
					comparePart(t, body, precision, within, rand.New(rand.NewPCG(seed, 5)))
				}
			})
		}
	}
}

func comparePart(t *testing.T, body, precision string, within float64, r *rand.Rand) {
	t.Helper()
	text, batch, channels, rows, cols, vocab := partProgram(body, r)
	unit, list := lang.Load("part.vit", []byte(text), nil)
	if list.Err() != nil {
		t.Fatal(list)
	}
	inputs := map[string][]byte{"steps": mustBytes(1)}
	for range batch * channels * rows * cols {
		inputs["image"] = append(inputs["image"], mustBytes(float32(r.NormFloat64()))...)
	}
	for range batch {
		inputs["label"] = binary.LittleEndian.AppendUint32(inputs["label"], uint32(r.IntN(vocab)))
	}
	var want map[string][]float32
	for _, target := range []string{"ref", "cpu"} {
		p, list := lang.Lower(unit, "fit", lang.Options{Precision: precision})
		if list.Err() != nil {
			t.Fatal(list, "\n", text)
		}
		p.Start = &ir.Start{} // nothing to read
		got := stepped(t, p, openFamily(t, p, target, nil), inputs)
		if want == nil {
			want = got
			continue
		}
		floor := 0.0
		for _, w := range want {
			floor = math.Max(floor, vanishing*norm(w))
		}
		for name, w := range want {
			if miss := missOfNorm(got[name], w, math.Max(norm(w), floor)); !(miss <= within) {
				t.Errorf("%s misses the interpreter's by %.1e of its norm; tolerance %.0e\n%s", name, miss, within, text)
			}
		}
	}
}

// stepped runs a step, and reads the loss, the gradients and what else is state of the model.
func stepped(t *testing.T, p *ir.Program, m codegen.Machine, inputs map[string][]byte) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{"loss": mapping.FromBytes(call(t, m, "step", inputs)[0].Data)}
	for _, leaf := range p.State {
		moment := strings.HasPrefix(leaf.Name, "opt.") && strings.HasSuffix(leaf.Name, ".m")
		if !moment && !isStatistic(leaf.Name) {
			continue
		}
		b, err := m.Leaf(leaf.Name)
		if err != nil {
			t.Fatal(err)
		}
		out[leaf.Name] = mapping.FromBytes(bytes.Clone(b))
	}
	return out
}

func mustBytes(x float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)) }

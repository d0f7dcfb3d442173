package testsuite

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitc/codegen"
	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
	"vitc/driver"
	"vitc/ir"
	"vitc/lang"
	"vitc/runtime/mapping"
	"vitc/runtime/weights"
)

// member is a model of the family, in testdata/family/NAME.vit, and how its reference is read: of timm or
// transformers, or as Google's repositories save theirs.
type member struct {
	name  string
	start string // lines of the start table; FILE is the weights' path
	large bool   // its reference is too large to be kept here
	bare  bool   // the reference has no head: its features are compared
	apart bool   // the class token has no position in the reference
	npz   bool   // the reference is of oracle/flax_family.py, else of oracle/family.py
}

var family = []member{
	{name: "tok", start: `"net.**": weights.timm(FILE)`},
	{name: "gap", start: `"net.**": weights.timm(FILE)`},
	{name: "avg", start: `"net.**": weights.timm(FILE)`},
	{name: "avg_norm", start: `"net.**": weights.timm(FILE)`},
	{name: "map_erf", start: `"net.**": weights.timm(FILE)`},
	{name: "map", start: `"net.**": weights.timm(FILE)`},
	{name: "max", start: `"net.**": weights.timm(FILE)`},
	{name: "scaled", start: `"net.**": weights.timm(FILE, embed_class: false)`, apart: true},
	{name: "no_qkv_bias", start: `"net.**": weights.timm(FILE)`},
	{name: "parallel", start: `"net.**": weights.timm(FILE)`},
	{name: "hybrid_root", start: `"net.**": weights.timm(FILE)`},
	{name: "hybrid", start: `"net.**": weights.timm(FILE)`},
	{name: "hybrid_r26", start: `"net.**": weights.timm(FILE)`, large: true},
	{name: "hybrid_bn", start: `"net.**": weights.timm(FILE)`},
	{name: "hf_vit", start: `"net.**": weights.transformers(FILE)`},
	{name: "hf_pooler", start: `"net.**": weights.transformers(FILE)`},
	{name: "dinov2", start: `"net.**": weights.dinov2(FILE)`, bare: true},
	{name: "dinov2_head", start: `"net.**": weights.dinov2(FILE, root: "dinov2.")`},
	{name: "bv_map", start: `"net.**": weights.big_vision(FILE)`, npz: true},
	{name: "bv_tok", start: `"net.**": weights.big_vision(FILE)`, npz: true, apart: true},
	{name: "bv_scan", start: `"net.**": weights.big_vision(FILE, root: "params/")`, npz: true},
	{name: "vt_tok", start: `"net.**": weights.vision_transformer(FILE)`, npz: true},
	{name: "vt_gap", start: `"net.**": weights.vision_transformer(FILE)`, npz: true},
	{name: "vt_hybrid", start: `"net.**": weights.vision_transformer(FILE)`, npz: true},
}

// familyTail makes a program of a model: the loss of the references, and its outputs read out. With b1 of
// 0, Adam's first moment is the gradient.
const familyTail = `
use loss, optim, weights

data given -> (image: f32[channel: 3, row: SIZE, col: SIZE], label: i32[]) {
  source: given()
}

train fit {
  let net = NAME()
  data: given
  batch: BATCH
  steps: 1
  optimizer: optim.Adam(b1: 0.0)
  rate: optim.flat(peak: 1e-3)
  start { START }
  fn (image: f32[batch, channel, row, col], label: i32[batch]) {
    mean(loss.softmax_xent(OUTPUT, real(one_hot(label, net.AXIS)), over: AXIS))
  }
}

/// Holds the last batch's outputs, to be read out.
module Keep(rows: int, AXIS: axis) {
  axis batch = rows
  state z: f32[batch, AXIS] = nn.zeros
  fn (x: [batch, AXIS]) { z <- f32(x) }
  fn result() -> f32[batch, AXIS] { z }
}

eval infer of fit {
  data: given
  batch: BATCH
  let kept = Keep(BATCH, net.AXIS)
  fn (image: f32[batch, channel, row, col], label: i32[batch]) { kept(OUTPUT) }
  fn result() { (output: kept.result()) }
}
`

// familyFolder holds the references: those here, or those that VITC_FAMILY names.
func familyFolder() string {
	if dir := os.Getenv("VITC_FAMILY"); dir != "" {
		return dir
	}
	return filepath.Join("testdata", "family")
}

// reference opens a part of a member's reference.
func (m member) reference(t *testing.T, part string) weights.File {
	t.Helper()
	ext := ".safetensors"
	if m.npz {
		ext = ".npz"
	}
	f, err := weights.Open(filepath.Join(familyFolder(), m.name+"."+part+ext))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// program lowers the member's file with familyTail for a batch of pictures.
func (m member) program(t *testing.T, pictures []int) *ir.Program {
	t.Helper()
	name := filepath.Join("testdata", "family", m.name+".vit")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	output, axis := "net(real(image))", "classes"
	if m.bare {
		output, axis = "net.features(real(image))", "width"
	}
	tail := strings.NewReplacer("SIZE", fmt.Sprint(pictures[2]), "BATCH", fmt.Sprint(pictures[0]), "NAME", m.name, "OUTPUT", output, "AXIS", axis,
		"START", strings.ReplaceAll(m.start, "FILE", `"weights"`)).Replace(familyTail)
	unit, list := lang.Load(name, []byte(string(text)+tail), os.ReadFile)
	if list.Err() != nil {
		t.Fatal(list)
	}
	p, list := lang.Lower(unit, "fit", lang.Options{})
	if list.Err() != nil {
		t.Fatal(list)
	}
	return p
}

// imported reads a file of the reference through the program's import block: weights, or
// gradients, which lie where the weights do.
func imported(t *testing.T, p *ir.Program, path string) map[string][]float32 {
	t.Helper()
	files := mapping.NewFiles(func(string) string { return path })
	defer files.Close()
	found, list := mapping.Find(p.Start.Fills, files)
	if list.Err() != nil {
		t.Fatal(list)
	}
	f, err := files.Get("weights")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range p.Start.Files {
		if d := mapping.Leftover(f, mapping.Unread(f, found, block.Spare, block.Unused), block.Pos); d != nil {
			t.Fatal(d)
		}
	}
	out := map[string][]float32{}
	for _, x := range found {
		if x.Way.Value == nil && strings.HasPrefix(x.Leaf, "net.head.") {
			continue // a head that the file does not have
		}
		if out[x.Leaf], err = x.Value(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func openFamily(t *testing.T, p *ir.Program, target string, weights map[string][]float32) codegen.Machine {
	t.Helper()
	chosen, _, err := driver.ChooseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	built, err := driver.Build(context.Background(), p, chosen, driver.MachineOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	m, err := built.Open(driver.MachineOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	call(t, m, "init", map[string][]byte{"seed": make([]byte, 8)})
	for _, fill := range p.Start.Fills {
		if weights[fill.Leaf] == nil {
			continue
		}
		data, err := mapping.Bytes(fill.Type.DType, weights[fill.Leaf])
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetLeaf(fill.Leaf, data); err != nil {
			t.Fatal(err)
		}
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

// TestFamily holds every kind of model against timm, transformers and JAX, weights brought in by import
// blocks: outputs within 1e-5 of the largest, the gradient of each parameter within 1e-4 of its
// norm.
func TestFamily(t *testing.T) {
	for _, target := range []string{"ref", "cpu"} {
		for _, m := range family {
			if m.large && os.Getenv("VITC_FAMILY") == "" {
				continue // `make oracle` makes its reference
			}
			t.Run(target+"/"+m.name, func(t *testing.T) {
				if target == "cpu" {
					_, err := toolchain.Find()
					llvmtest.SkipWithout(t, err)
				}
				m.check(t, target)
			})
		}
	}
}

func (m member) check(t *testing.T, target string) {
	batch := m.reference(t, "batch")
	image, _ := weights.Lookup(batch, "image")
	p := m.program(t, image.Shape)
	machine := openFamily(t, p, target, imported(t, p, m.reference(t, "weights").Name()))
	inputs := map[string][]byte{"image": raw(t, batch, "image"), "label": raw(t, batch, "label")}

	call(t, machine, "eval.infer.init", nil)
	call(t, machine, "eval.infer", inputs)
	got := mapping.FromBytes(call(t, machine, "eval.infer.result", nil)[0].Data)
	forward := missOfLargest(got, float64s(raw(t, batch, "output")))
	if !(forward <= logitsWithin) {
		t.Errorf("outputs miss by %.2e of the largest; tolerance %.0e", forward, logitsWithin)
	}

	inputs["steps"] = binary.LittleEndian.AppendUint32(nil, math.Float32bits(1))
	call(t, machine, "step", inputs)
	worst, at := m.gradients(t, p, machine)
	t.Logf("outputs miss by %.1e, gradients by %.1e (%s)", forward, worst, at)
}

// gradients compares that of every parameter, and tells the worst miss.
func (m member) gradients(t *testing.T, p *ir.Program, machine codegen.Machine) (worst float64, at string) {
	t.Helper()
	want := imported(t, p, m.reference(t, "grads").Name())
	for _, fill := range p.Start.Fills {
		if want[fill.Leaf] == nil || isStatistic(fill.Leaf) {
			continue
		}
		bytes, err := machine.Leaf("opt." + fill.Leaf + ".m")
		if err != nil {
			t.Fatal(err)
		}
		miss := missOfNorm(mapping.FromBytes(bytes), m.gradient(want, fill.Leaf), scale(want, fill.Leaf))
		if !(miss <= gradientWithin) {
			t.Errorf("the gradient of %s misses by %.2e of its norm; tolerance %.0e", fill.Leaf, miss, gradientWithin)
		}
		if miss >= worst {
			worst, at = miss, fill.Leaf
		}
	}
	return worst, at
}

// isStatistic reports whether a leaf is batch norm's running mean or variance, which has no gradient.
func isStatistic(leaf string) bool {
	return strings.HasSuffix(leaf, ".avg") || strings.HasSuffix(leaf, ".var")
}

// gradient is what the reference says. Where the class token is a sum of two in the reference, the
// gradient of either is ours, and the import block adds them.
func (m member) gradient(want map[string][]float32, leaf string) []float32 {
	g := want[leaf]
	if leaf == "net.pool.token" && !m.apart {
		half := make([]float32, len(g))
		for i := range g {
			half[i] = g[i] / 2
		}
		return half
	}
	return g
}

// scale is the norm that a gradient's miss is measured against. Softmax does not see a shift of all
// keys, so that the gradient of their last bias is zero but for rounding: the queries' norm stands for it.
func scale(want map[string][]float32, leaf string) float64 {
	queries := strings.NewReplacer("attn.bk", "attn.bq", "norm_k.shift", "norm_q.shift").Replace(leaf)
	return math.Max(norm(want[leaf]), norm(want[queries]))
}

func norm(x []float32) float64 {
	n := 0.0
	for _, v := range x {
		n += float64(v) * float64(v)
	}
	return math.Sqrt(n)
}

func missOfNorm(got, want []float32, scale float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	miss := 0.0
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		miss += d * d
	}
	return math.Sqrt(miss) / scale
}

func missOfLargest(got []float32, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	largest, miss := 0.0, 0.0
	for i, w := range want {
		largest, miss = math.Max(largest, math.Abs(w)), math.Max(miss, math.Abs(float64(got[i])-w))
	}
	return miss / largest
}

func raw(t *testing.T, f weights.File, name string) []byte {
	t.Helper()
	b, err := f.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func float64s(b []byte) []float64 {
	out := make([]float64, len(b)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}

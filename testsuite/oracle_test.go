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

	"vitc/bench"
	"vitc/codegen"
	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
	"vitc/driver"
	"vitc/ir"
	"vitc/lang"
	"vitc/runtime/safetensors"
)

// The oracle is PyTorch with timm, in f64: logits, the first step's gradients, and parameters
// after three steps of AdamW. Tolerances, relative to the reference's norm: logits 1e-5,
// gradients 1e-4, three steps' change 1e-3: small multiples of what PyTorch's own f32 misses by.
const (
	logitsWithin   = 1e-5
	gradientWithin = 1e-4
	changeWithin   = 1e-3
)

// oracleFolders lists where reference files may lie: the small ones stand here, larger ones
// beside the checkout.
func oracleFolders() []string {
	return []string{"testdata/oracle", os.Getenv("VITC_ORACLE"), "../../shared/oracle"}
}

type oracle struct {
	t     *testing.T
	c     bench.Config
	start *ir.Start // where the model's leaves lie in timm's files
	files map[string]*safetensors.File
}

func openOracle(t *testing.T, name string) *oracle {
	c, err := bench.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{t: t, c: c, files: map[string]*safetensors.File{}}
	for _, part := range []string{"weights", "batch", "reference", "grads", "after3"} {
		for _, dir := range oracleFolders() {
			f, err := safetensors.Open(filepath.Join(dir, name+"."+part+".safetensors"))
			if err == nil {
				o.files[part] = f
				t.Cleanup(func() { f.Close() })
				break
			}
		}
		if o.files[part] == nil {
			return nil
		}
	}
	return o
}

func (o *oracle) floats(part, name string) []float64 {
	o.t.Helper()
	f := o.files[part]
	info, ok := f.Lookup(name)
	if !ok {
		o.t.Fatalf("%s has no %s", part, name)
	}
	raw, err := f.Read(name)
	if err != nil {
		o.t.Fatal(err)
	}
	var out []float64
	for at := 0; at < len(raw); at += info.DType.Size() {
		if info.DType.Size() == 8 {
			out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(raw[at:])))
		} else {
			out = append(out, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[at:]))))
		}
	}
	return out
}

// machine builds the peers' program for a target and gives it the oracle's weights.
func (o *oracle) machine(target string, batch int) codegen.Machine {
	o.t.Helper()
	t, _, err := driver.ChooseTarget(target)
	if err != nil {
		o.t.Fatal(err)
	}
	unit, list := lang.Load("peer.vit", bench.Source, func(path string) ([]byte, error) { return nil, os.ErrNotExist })
	if list.Err() != nil {
		o.t.Fatal(list)
	}
	p, list := lang.Lower(unit, "peer", lang.Options{Params: o.c.Params(batch)})
	if list.Err() != nil {
		o.t.Fatal(list)
	}
	built, err := driver.Build(context.Background(), p, t, driver.MachineOptions{Threads: 2})
	if err != nil {
		o.t.Fatal(err)
	}
	m, err := built.Open(driver.MachineOptions{Threads: 2})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { m.Close() })
	o.call(m, "init", map[string][]byte{"seed": make([]byte, 8)})
	o.start = p.Start
	leaves, err := bench.FromTimm(o.start, o.files["weights"].Name())
	if err != nil {
		o.t.Fatal(err)
	}
	for _, fill := range o.start.Fills {
		if err := m.SetLeaf(fill.Leaf, bench.Bytes(leaves[fill.Leaf])); err != nil {
			o.t.Fatal(err)
		}
	}
	return m
}

func (o *oracle) call(m codegen.Machine, fn string, inputs map[string][]byte) []codegen.Result {
	o.t.Helper()
	out, err := m.Call(context.Background(), fn, inputs)
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

// leaves reads every parameter, or another leaf that each parameter has, in timm's layout.
func (o *oracle) leaves(m codegen.Machine, pattern string) map[string][]float32 {
	o.t.Helper()
	ours := map[string][]float32{}
	for _, fill := range o.start.Fills {
		b, err := m.Leaf(fmt.Sprintf(pattern, fill.Leaf))
		if err != nil {
			o.t.Fatal(err)
		}
		ours[fill.Leaf] = bench.Floats(b)
	}
	tensors, err := bench.ToTimm(o.start, ours)
	if err != nil {
		o.t.Fatal(err)
	}
	return tensors
}

func TestOracle(t *testing.T) {
	for _, target := range []string{"ref", "cpu", "xla"} {
		for _, model := range []string{"oracle-2layer", "tiny-mnist", "ti16"} {
			o := openOracle(t, model)
			if o == nil && model == "ti16" {
				continue // its weights are too large to be kept here
			}
			t.Run(target+"/"+model, func(t *testing.T) {
				if o == nil {
					t.Fatal("the reference files are missing")
				}
				if target == "cpu" {
					_, err := toolchain.Find()
					llvmtest.SkipWithout(t, err)
				}
				if target == "xla" {
					skipWithoutXLA(t)
				}
				o.t = t
				o.check(target)
			})
		}
	}
}

func (o *oracle) check(target string) {
	inputs, err := bench.Batch(o.files["batch"].Name())
	if err != nil {
		o.t.Fatal(err)
	}
	m := o.machine(target, len(inputs["label"])/4)
	o.call(m, "eval.infer.init", nil)
	o.call(m, "eval.infer", inputs)
	logits := bench.Floats(o.call(m, "eval.infer.result", nil)[0].Data)
	o.near("logits", logits, o.floats("reference", "logits_f64"), logitsWithin)

	start := o.leaves(m, "%s")
	inputs["steps"] = bench.Bytes([]float32{bench.LearningSteps})
	losses := o.floats("reference", "losses_f64")
	for step := range 3 {
		loss := bench.Floats(o.call(m, "step", inputs)[0].Data)
		o.near(fmt.Sprintf("loss of step %d", step+1), loss, losses[step:step+1], logitsWithin*10)
		if step == 0 {
			o.gradients(m)
		}
	}
	o.changes(start, o.leaves(m, "%s"))
}

// gradients reads the first step's gradients out of Adam's first moment, (1-b1) g.
func (o *oracle) gradients(m codegen.Machine) {
	for name, moment := range o.leaves(m, "opt.%s.adam.m") {
		for i := range moment {
			moment[i] /= 0.1
		}
		o.compare("gradient of "+name, name, o.floats("grads", name), moment, nil, gradientWithin)
	}
}

func (o *oracle) changes(before, after map[string][]float32) {
	for name := range after {
		o.compare("change of "+name, name, o.floats("after3", name), after[name], before[name], changeWithin)
	}
}

// compare holds a tensor, less what it was before, against the reference: the whole of it, or a
// digest (norm, sum, 16 samples) for large models.
func (o *oracle) compare(what, name string, want []float64, got, before []float32, within float64) {
	o.t.Helper()
	digest := len(want) == 18 && len(got) != 18
	was := make([]float64, len(got))
	for i, b := range before {
		was[i] = float64(b)
	}
	at := make([]int, 0, len(got))
	total := 0.0 // norm of the whole tensor, where the digest tells it
	if digest {
		if before == nil {
			total = want[0]
		}
		want = want[2:]
		for k := range want {
			at = append(at, k*len(got)/16)
		}
	} else {
		for k := range got {
			at = append(at, k)
		}
	}
	norm, miss := 0.0, 0.0
	for k, i := range at {
		if o.keyBias(name, i) {
			continue // its gradient is zero but for rounding, and Adam blows that up
		}
		w, g := want[k]-was[i], float64(got[i])-was[i]
		norm += w * w
		miss += (w - g) * (w - g)
	}
	if total > 0 { // the samples stand for all elements
		norm, miss = total*total, miss*float64(len(got))/float64(len(at))
	}
	if !(math.Sqrt(miss) <= within*math.Sqrt(norm)) {
		o.t.Errorf("%s misses by %.2e of its norm %.3g, tolerance %.0e", what, math.Sqrt(miss/norm), math.Sqrt(norm), within)
	}
}

func (o *oracle) keyBias(name string, i int) bool {
	return strings.HasSuffix(name, "qkv.bias") && i >= o.c.Width && i < 2*o.c.Width
}

func (o *oracle) near(what string, got []float32, want []float64, within float64) {
	o.t.Helper()
	largest, miss := 0.0, 0.0
	for i, w := range want {
		largest = math.Max(largest, math.Abs(w))
		miss = math.Max(miss, math.Abs(float64(got[i])-w))
	}
	if !(miss <= within*largest) || len(got) != len(want) {
		o.t.Errorf("%s misses by %.2e of the largest, %.4g; tolerance %.0e", what, miss/largest, largest, within)
	}
}

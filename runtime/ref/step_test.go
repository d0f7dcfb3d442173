package ref_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
	"vitc/runtime/ref"
)

// vit opens a ViT with small parameters, and gives the inputs of a step.
func vit(t testing.TB, c irtest.ViT) (codegen.Machine, map[string][]byte) {
	t.Helper()
	mod := c.Step()
	if err := passes.Run(mod, passes.Pipeline("ref"), passes.Options{}); err != nil {
		t.Fatal(err)
	}
	m, err := ref.Open(&ir.Program{Module: mod})
	if err != nil {
		t.Fatal(err)
	}
	wave := func(n int, scale float64) []byte {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(scale * math.Sin(float64(i*i)))
		}
		return floats(x...)
	}
	inputs := map[string][]byte{}
	f := mod.Funcs[0]
	for i, p := range f.Args {
		switch size := f.Body.Params[i].Type.Size(); p.Name {
		case "image":
			inputs[p.Name] = wave(size, 1)
		case "label":
			for k := range size {
				inputs[p.Name] = binary.LittleEndian.AppendUint32(inputs[p.Name], uint32(k%c.Classes))
			}
		default:
			if err := m.SetLeaf(p.Name, wave(size, 0.2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m, inputs
}

func lossOf(t testing.TB, m codegen.Machine, inputs map[string][]byte) float64 {
	t.Helper()
	out, err := m.Call(context.Background(), "step", inputs)
	if err != nil {
		t.Fatal(err)
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(out[0].Data)))
}

// A small ViT learns one batch by heart.
func TestStepLearns(t *testing.T) {
	m, inputs := vit(t, irtest.ViT{Batch: 4, Tokens: 5, Patch: 6, Width: 8, Heads: 2, Depth: 2, Classes: 4})
	first, last := lossOf(t, m, inputs), 0.0
	for range 60 {
		last = lossOf(t, m, inputs)
	}
	if !(last < first/10) {
		t.Errorf("the loss went from %g to %g in 60 steps", first, last)
	}
}

func BenchmarkStep(b *testing.B) {
	for _, d := range []ir.DType{ir.F32, ir.BF16} {
		b.Run(d.String(), func(b *testing.B) {
			m, inputs := vit(b, irtest.ViT{Batch: 32, Tokens: 49, Patch: 16, Width: 64, Heads: 4, Depth: 4, Classes: 10, DType: d})
			for b.Loop() {
				lossOf(b, m, inputs)
			}
		})
	}
}

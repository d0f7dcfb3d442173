package native_test

import (
	"context"
	"testing"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

func vitModule(t testing.TB, c irtest.ViT) *ir.Module {
	t.Helper()
	m := c.Step()
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// A step of a ViT gives what the interpreter gives, at every level and in both precisions.
func TestViTStep(t *testing.T) {
	eachLevel(t, func(t *testing.T, isa cpu.Level) {
		for _, c := range []struct {
			dtype ir.DType
			tol   float64
		}{{ir.F32, 1e-4}, {ir.BF16, 0.05}} {
			m := vitModule(t, irtest.ViT{Batch: 3, Tokens: 17, Patch: 6, Width: 40, Heads: 2, Depth: 2, Classes: 5, DType: c.dtype})
			compare(t, m, "step", isa, 2, c.tol)
		}
	})
}

func benchViT(b *testing.B, c irtest.ViT, threads int) {
	m := vitModule(b, c)
	mach := open(b, m, cpu.Detect().Level, threads)
	f := m.Funcs[0]
	inputs := map[string][]byte{}
	for i, p := range f.Args {
		x := interp.New(f.Body.Params[i].Type)
		for k := range x.F {
			x.F[k] = 0.02 * float64((k*7919)%101-50) / 50
			if x.Type.DType == ir.I32 {
				x.F[k] = float64(k % c.Classes)
			}
		}
		if p.Role == ir.RoleState {
			if err := mach.SetLeaf(p.Name, x.Bytes()); err != nil {
				b.Fatal(err)
			}
		} else {
			inputs[p.Name] = x.Bytes()
		}
	}
	step := func(m codegen.Machine) {
		if _, err := m.Call(context.Background(), "step", inputs); err != nil {
			b.Fatal(err)
		}
	}
	step(mach)
	for b.Loop() {
		step(mach)
	}
	b.ReportMetric(float64(c.Batch*b.N)/b.Elapsed().Seconds(), "images/s")
}

func BenchmarkViTStep(b *testing.B) {
	c := irtest.ViT{Batch: 128, Tokens: 17, Patch: 49, Width: 64, Heads: 4, Depth: 6, Classes: 10}
	b.Run("f32/1", func(b *testing.B) { benchViT(b, c, 1) })
	b.Run("f32/2", func(b *testing.B) { benchViT(b, c, 2) })
	c.DType = ir.BF16
	b.Run("bf16/1", func(b *testing.B) { benchViT(b, c, 1) })
}

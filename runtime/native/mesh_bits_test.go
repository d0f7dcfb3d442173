package native_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
	"vitc/runtime/native"
)

// Data parallelism changes no bit of a step: 1, 2, 4 and 8 virtual devices compute the same, for
// sums that are short, that are long enough to be cut, and of single examples, gradients whole or in
// slices of the batch, collectives each by itself or joined. Without the pass order they do not, or
// this test would say nothing.
func TestDataParallelKeepsBits(t *testing.T) {
	cut := irtest.ViT{Batch: 64, Tokens: 64, Patch: 48, Width: 64, Heads: 2, Depth: 1, Classes: 10}
	for _, c := range []irtest.ViT{
		{Batch: 16, Tokens: 5, Patch: 6, Width: 24, Heads: 2, Depth: 2, Classes: 5},
		{Batch: 8, Tokens: 3, Patch: 2, Width: 8, Heads: 1, Depth: 1, Classes: 3},
		cut,
	} {
		for _, micro := range []int{1, 2} {
			if c.Batch/micro%8 != 0 {
				continue // no whole chunks
			}
			first := dataParallel(t, c, 1, micro, passes.Config{Ordered: true})
			for _, n := range []int{2, 4, 8} {
				for k, got := range dataParallel(t, c, n, micro, passes.Config{Ordered: true, Eager: n > 2}) {
					if !bytes.Equal(first[k], got) {
						t.Errorf("%+v: result %d of %d devices and %d slices differs", c, k+1, n, micro)
					}
				}
			}
		}
	}
	if slices.EqualFunc(dataParallel(t, cut, 1, 1, passes.Config{}), dataParallel(t, cut, 8, 1, passes.Config{}), bytes.Equal) {
		t.Error("sums as they come are the same, too: the programs are too small to tell")
	}
}

// dataParallel is what n devices make of a step, its state and then its loss.
func dataParallel(t *testing.T, c irtest.ViT, n, micro int, conf passes.Config) [][]byte {
	t.Helper()
	m := c.Step()
	one := m.Funcs[0]
	conf.Plan = &ir.Plan{Devices: ir.Devices{Platform: "cpu", Shape: []int{n}}, Mesh: ir.Mesh{{Name: "data", Size: n}},
		Shard: []ir.ShardLine{{Axis: "batch", Over: []string{"data"}}}, Micro: micro}
	r := rand.New(rand.NewPCG(3, 4))
	var args []*interp.Tensor
	for _, p := range one.Body.Params {
		x := interp.New(p.Type)
		for k := range x.F {
			if x.F[k] = x.Type.DType.Round(0.1 * r.NormFloat64()); x.Type.DType == ir.I32 {
				x.F[k] = float64(k % c.Classes)
			}
		}
		args = append(args, x)
	}
	f := &ir.Func{Name: one.Name, Args: one.Args, Results: one.Results}
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{Config: conf}); err != nil {
		t.Fatal(err)
	}
	mach, err := native.Open(compile(t, m, cpu.Detect().Level), native.Options{Threads: 2})
	if err != nil {
		t.Fatal(fmt.Errorf("%d devices: %w", n, err))
	}
	defer mach.Close()
	return onWhole(t, mach, f, args)
}

package native_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/passes"
	"vitc/runtime/dist"
	"vitc/runtime/native"
)

// Every row of collectives, on the mesh (x:2, y:2), each device a machine of its own as processes
// have it: the bytes are those that the mesh interpreter gives.
func TestCollectives(t *testing.T) {
	for _, line := range []string{
		"%y: i32[] = axis_index over=(y, x)",
		"%y: f32[a:1, b:2] = block %v dim=0 over=y step=0",
		"%y: f32[a:2, b:1] = block %v dim=1 over=x step=1",
		"%y: f32[a:4, b:2] = all_gather %v dim=0 over=y",
		"%y: f32[a:2, b:8] = all_gather %v dim=1 over=(y, x)",
		"%y: f32[a:2, b:2] = all_reduce %v over=(x, y) kind=sum",
		"%y: f32[a:2, b:2] = all_reduce %v over=y kind=max",
		"%y: f32[a:1, b:2] = reduce_scatter %v dim=0 over=y",
		"%y: f32[a:4, b:1] = all_to_all %v dim=0 to=1 over=x",
		"%y: f32[a:2, b:2] = permute %v over=(x, y) step=1",
		"%b: f32[a:1, b:2] = block %v dim=0 over=y step=0\n%y: f32[a:2, b:2] = put %v, %b dim=0 over=y step=1",
	} {
		m := collective(t, line)
		args := make([][]*interp.Tensor, 4)
		for d := range args {
			x := &interp.Tensor{Type: m.Funcs[0].Body.Params[0].Type, F: []float64{float64(d), 1.5, -float64(d), 7}}
			args[d] = []*interp.Tensor{x}
		}
		want, err := interp.RunMesh(m.Mesh, m.Funcs[0], args, interp.Options{})
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got := eachRank(t, m, func(d int, mach codegen.Machine) ([]codegen.Result, error) {
			return mach.Call(context.Background(), "f", map[string][]byte{"v": args[d][0].Bytes()})
		})
		for d := range got {
			if !bytes.Equal(got[d][0].Data, want[d][0].Bytes()) {
				t.Errorf("%s\ndevice %d has %v, expected %v", line, d, got[d][0].Data, want[d][0].F)
			}
		}
	}
}

// collective is a scheduled module for four devices of a collective alone.
func collective(t *testing.T, line string) *ir.Module {
	t.Helper()
	ty := line[strings.LastIndex(line, "%y: ")+4 : strings.LastIndex(line, " = ")]
	m, err := ir.Parse("ir partitioned mesh(x:2, y:2)\nfunc @f(%v: f32[a:2, b:2]{?x, ?y} input=\"v\") -> (" + ty + "{?x, ?y} output=\"y\") {\n" +
		strings.ReplaceAll(line, "] =", "]{?x, ?y} =") + "\nyield %y }")
	if err == nil {
		err = passes.Run(m, []string{"fuse", "memory"}, passes.Options{})
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return m
}

// eachRank opens a machine for each device of a mesh, as processes would, and has each do something
// at the same time.
func eachRank[R any](t *testing.T, m *ir.Module, do func(device int, mach codegen.Machine) (R, error)) []R {
	t.Helper()
	b := compile(t, m, cpu.Baseline)
	ends := dist.Memory(m.Mesh.Devices())
	out, errs := make([]R, len(ends)), make([]error, len(ends))
	var wg sync.WaitGroup
	for d, end := range ends {
		mach, err := native.Open(b, native.Options{Threads: 1, Ranks: []dist.Transport{end}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { mach.Close() })
		wg.Go(func() { out[d], errs[d] = do(d, mach) })
	}
	wg.Wait()
	for d, err := range errs {
		if err != nil {
			t.Fatalf("device %d: %v", d, err)
		}
	}
	return out
}

package native_test

import (
	"fmt"
	"testing"

	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/irtest"
)

// alone makes a scheduled module of one fusion: its operands become inputs, its results
// outputs.
func alone(op *ir.Op) *ir.Module {
	body := &ir.Region{}
	f := &ir.Func{Name: "f", Body: body, Precision: ir.F32}
	m := map[*ir.Value]*ir.Value{}
	for _, v := range op.In {
		if m[v] != nil {
			continue
		}
		i := len(body.Params)
		p := &ir.Value{Name: fmt.Sprintf("x%d", i), Type: v.Type, Mem: &ir.Slot{Space: fmt.Sprintf("arg%d", i), Bytes: v.Type.Bytes()}}
		m[v] = p
		body.Params = append(body.Params, p)
		f.Args = append(f.Args, ir.Port{Role: ir.RoleInput, Name: p.Name})
	}
	c := op.Clone(m)
	body.Ops = []*ir.Op{c}
	for i, v := range c.Out {
		v.Mem = &ir.Slot{Space: fmt.Sprintf("res%d", i), Bytes: v.Type.Bytes()}
		body.Yield = append(body.Yield, v)
		f.Results = append(f.Results, ir.Port{Role: ir.RoleOutput, Name: fmt.Sprintf("y%d", i)})
	}
	return &ir.Module{Phase: ir.Scheduled, Funcs: []*ir.Func{f}}
}

// fusions lists the fusions of a module with different texts.
func fusions(m *ir.Module) []*ir.Op {
	var ops []*ir.Op
	seen := map[string]bool{}
	for _, f := range m.Funcs {
		f.Body.Walk(func(op *ir.Op) {
			if op.Row.Name != "fusion" {
				return
			}
			if text := alone(op).String(); !seen[text] {
				seen[text] = true
				ops = append(ops, op)
			}
		})
	}
	return ops
}

// Every kernel of a ViT's step, on operands of its own.
func TestViTKernels(t *testing.T) {
	c := irtest.ViT{Batch: 3, Tokens: 17, Patch: 6, Width: 40, Heads: 2, Depth: 2, Classes: 5}
	for _, d := range []ir.DType{ir.F32, ir.BF16} {
		c.DType = d
		for i, op := range fusions(vitModule(t, c)) {
			t.Run(fmt.Sprintf("%v/%d", d, i), func(t *testing.T) {
				eachLevel(t, func(t *testing.T, isa cpu.Level) { compare(t, alone(op), "f", isa, 2, 1e-4) })
			})
		}
	}
}

package xla

import (
	"math"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// A ViT's step on XLA's devices, its gradients exchanged block by block and its products in rings
// wherever that can be done, and its small collectives out of the loops, computes what the interpreter does of the whole.
func TestOverlappedViT(t *testing.T) {
	skipWithout(t)
	for name, text := range map[string]string{
		"fsdp":   "mesh x:4 y:2\nmicro 2\nbatch: (x, y)\nparams.mlp: (x, y)\nparams.head: x\nparams.width: (y, x)",
		"tensor": "mesh data:2 model:4\nbatch: data\nmlp: model\nhead: model\nwidth: model\nparams.width: data",
	} {
		t.Run(name, func(t *testing.T) { overlapped(t, text) })
	}
}

func overlapped(t *testing.T, text string) {
	plan, err := irtest.Plan(text)
	if err != nil {
		t.Fatal(err)
	}
	c := irtest.ViT{Batch: 16, Tokens: 4, Patch: 2, Width: 16, Heads: 4, Depth: 2, Classes: 6}
	s := &spread{one: c.Step(), many: c.Step()}
	if err := passes.Run(s.one, passes.Pipeline("ref"), passes.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := passes.Run(s.many, passes.Pipeline("xla"), passes.Options{Config: passes.Config{Plan: plan, Eager: true}}); err != nil {
		t.Fatal(err)
	}
	many := s.many.String()
	for what, sign := range map[string]string{"sent": " permute ", "exchanged": " fence ", "multiplied in a ring": " step=-1"} {
		if !strings.Contains(many, sign) {
			t.Fatalf("nothing is %s:\n%s", what, many)
		}
	}
	for _, p := range s.one.Funcs[0].Body.Params {
		x := interp.New(p.Type)
		for k := range x.F {
			if x.F[k] = 0.5 * math.Sin(float64(k*k+len(s.args))); p.Type.DType == ir.I32 {
				x.F[k] = float64(k % c.Classes)
			}
		}
		s.args = append(s.args, x)
	}
	s.check(t)
}

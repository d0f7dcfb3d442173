package xla

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
	"vitc/runtime/pjrt"
)

// spread is a random program with gradients, differentiated, and the same for the devices of a
// random plan; nil where the plan is refused.
type spread struct {
	one, many *ir.Module
	args      []*interp.Tensor
}

var drawSpread = rapid.Custom(func(t *rapid.T) *spread {
	s := &spread{one: irtest.Draw(t, irtest.Config{Ops: 12, Sizes: irtest.LayoutSizes}).Grad}
	var plan *ir.Plan
	sliding := rapid.IntRange(0, 3).Draw(t, "sliding") == 0
	if sliding {
		s.one, plan = irtest.DrawSliding(t, irtest.Sliding{Layers: 2, Pools: true})
	}
	if err := passes.Run(s.one, []string{"simplify", "autodiff", "simplify"}, passes.Options{}); err != nil {
		t.Fatalf("%v\n%s", err, s.one)
	}
	if !sliding {
		plan = irtest.DrawPlan(t, s.one.Funcs[0])
	}
	s.args = irtest.Args(t, s.one.Funcs[0])
	many, err := ir.Parse(s.one.String())
	if err != nil {
		t.Fatal(err)
	}
	err = passes.Run(many, []string{"propagate", "partition", "collectives", "fence"}, passes.Options{Config: passes.Config{Plan: plan, Eager: true}})
	if _, refused := err.(diag.List); refused {
		return s
	}
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, plan, s.one)
	}
	s.many = many
	return s
})

// A random program laid out over XLA's devices by a random plan computes what the interpreter does
// of the whole, gradients and state included: to some hundred roundings of f32, by which sums in
// another order and XLA's elementary functions differ.
func TestRandomProgramsOnMeshes(t *testing.T) {
	skipWithout(t)
	ran := 0
	for i := range 24 {
		s := drawSpread.Example(i)
		if s.many == nil {
			continue
		}
		ran++
		t.Run(fmt.Sprint(i), func(t *testing.T) { s.check(t) })
	}
	if ran < 12 {
		t.Errorf("%d of 24 plans were taken", ran)
	}
}

func (s *spread) check(t *testing.T) {
	f := s.one.Funcs[0]
	want, err := interp.Run(f, s.args, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for k, got := range s.run(t) {
		x, err := interp.FromBytes(want[k].Type, got)
		if err != nil {
			t.Fatal(err)
		}
		scale := 1.0
		for _, w := range want[k].F {
			if a := math.Abs(w); a < math.Inf(1) {
				scale = max(scale, a)
			}
		}
		for e, w := range want[k].F {
			if g := x.F[e]; !(g == w || g != g && w != w || math.Abs(g-w) <= 2e-5*scale) {
				t.Fatalf("%s [%d]: %g on the mesh, %g on one device\n%s\n%s", f.Results[k].Name, e, g, w, s.one, s.many)
			}
		}
	}
}

// run gives the whole results of the program on the devices.
func (s *spread) run(t *testing.T) [][]byte {
	t.Helper()
	m, err := Open(&ir.Program{Module: s.many}, Options{Plugin: pjrt.CPU})
	if err != nil {
		t.Fatalf("%v\n%s", err, s.many)
	}
	defer m.Close()
	inputs, f := map[string][]byte{}, s.one.Funcs[0]
	for i, a := range f.Args {
		if !held(a.Role) {
			inputs[a.Name] = s.args[i].Bytes()
		} else if err := m.SetLeaf(a.Name, s.args[i].Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	out, err := m.Call(context.Background(), f.Name, inputs)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, r := range f.Results {
		if held(r.Role) {
			all = append(all, leafOf(t, m, r.Name))
		} else {
			all, out = append(all, out[0].Data), out[1:]
		}
	}
	return all
}

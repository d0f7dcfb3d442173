package native_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
	"vitc/runtime/native"
)

// spread is a random program with gradients, differentiated, and the same for the devices of a
// random plan, scheduled; nil where the plan is refused.
type spread struct {
	one, many *ir.Module
	args      []*interp.Tensor
}

var drawSpread = rapid.Custom(func(t *rapid.T) *spread {
	p := irtest.Draw(t, irtest.Config{Ops: 12, Kinks: true, Sizes: irtest.LayoutSizes})
	one, plan := p.Grad, (*ir.Plan)(nil)
	sliding := rapid.IntRange(0, 3).Draw(t, "sliding") == 0
	if sliding {
		one, plan = irtest.DrawSliding(t, irtest.Sliding{Layers: 2, Pools: true})
	}
	run := func(m *ir.Module, o passes.Options, names ...string) error { return passes.Run(m, names, o) }
	if err := run(one, passes.Options{}, "simplify", "autodiff", "simplify"); err != nil {
		t.Fatalf("%v\n%s", err, one)
	}
	if !sliding {
		plan = irtest.DrawPlan(t, one.Funcs[0])
	}
	s := &spread{one: one, args: irtest.Args(t, one.Funcs[0])}
	many, err := ir.Parse(one.String())
	if err != nil {
		t.Fatal(err)
	}
	err = run(many, passes.Options{Config: passes.Config{Plan: plan, Eager: true}}, "propagate", "partition", "collectives", "prefetch", "fuse", "asynchronous", "memory")
	if _, refused := err.(diag.List); refused {
		return s
	}
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, plan, one)
	}
	s.many = many
	return s
})

// spreadTolerance is relative to the largest number of a result: some hundred roundings of f32, by
// which sums in another order and native functions differ.
const spreadTolerance = 1e-5

// A program laid out over virtual devices computes what it does on one, gradients and state
// included, whatever the mesh and the plan; and with more threads the same bytes.
func TestMeshKeepsPrograms(t *testing.T) {
	ran := 0
	for seed := range 60 {
		s := drawSpread.Example(seed)
		if s.many == nil {
			continue
		}
		ran++
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := compile(t, s.many, cpu.Detect().Level)
			want, err := interp.Run(s.one.Funcs[0], s.args, interp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var first [][]byte
			for _, threads := range []int{1, 16} {
				mach, err := native.Open(b, native.Options{Threads: threads})
				if err != nil {
					t.Fatalf("%v\n%s", err, s.many)
				}
				defer mach.Close()
				got := onWhole(t, mach, s.one.Funcs[0], s.args)
				for i, p := range s.one.Funcs[0].Results {
					same(t, p.Name, want[i], got[i], spreadTolerance)
					if first != nil && !bytes.Equal(first[i], got[i]) {
						t.Errorf("%s differs with the number of threads", p.Name)
					}
				}
				first = got
			}
			if t.Failed() {
				t.Logf("%s\n%s", s.one, s.many)
			}
		})
	}
	if ran < 30 {
		t.Errorf("%d of 60 plans were taken", ran)
	}
}

// onWhole runs a function on whole arguments and gives its whole results, state too.
func onWhole(t testing.TB, mach codegen.Machine, f *ir.Func, args []*interp.Tensor) [][]byte {
	t.Helper()
	inputs := map[string][]byte{}
	held := func(r ir.Role) bool { return r == ir.RoleState || r == ir.RoleAcc }
	for i, a := range f.Args {
		if !held(a.Role) {
			inputs[a.Name] = args[i].Bytes()
		} else if err := mach.SetLeaf(a.Name, args[i].Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	out, err := mach.Call(context.Background(), f.Name, inputs)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, r := range f.Results {
		if !held(r.Role) {
			all, out = append(all, out[0].Data), out[1:]
			continue
		}
		data, err := mach.Leaf(r.Name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

package passes_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// meshes of up to 8 devices and 3 axes.
var meshes = []ir.Mesh{
	{{Name: "x", Size: 1}}, {{Name: "x", Size: 2}}, {{Name: "x", Size: 3}}, {{Name: "x", Size: 4}}, {{Name: "x", Size: 8}},
	{{Name: "x", Size: 2}, {Name: "y", Size: 2}}, {{Name: "x", Size: 3}, {Name: "y", Size: 2}},
	{{Name: "x", Size: 2}, {Name: "y", Size: 2}, {Name: "z", Size: 2}},
}

// spmdCase is a differentiated program and a plan for it.
type spmdCase struct {
	m    *ir.Module
	plan *ir.Plan
	args []*interp.Tensor
}

// drawSPMD draws a program with gradients, and a plan whose lines speak of its dims by labels that
// say what divides them.
func drawSPMD(t *rapid.T) spmdCase {
	p := irtest.Draw(t, irtest.Config{Ops: 12, Kinks: rapid.Bool().Draw(t, "kinks"), Sizes: []int{1, 2, 4, 4, 6, 7, 8, 12, 15}})
	m := through(t, p.Grad, "simplify", "autodiff", "simplify")
	sizes := relabel(t, m.Funcs[0])
	plan := &ir.Plan{Mesh: rapid.SampledFrom(meshes).Draw(t, "mesh")}
	for range rapid.IntRange(1, 5).Draw(t, "lines") {
		l := ir.ShardLine{Axis: rapid.SampledFrom(labels).Draw(t, "axis"), Params: rapid.Bool().Draw(t, "params"),
			Path: rapid.SampledFrom([]string{"", "", "w0", "w1"}).Draw(t, "path")}
		for _, a := range rapid.Permutation(plan.Mesh).Draw(t, "order") {
			n := plan.Mesh.Size(append(l.Over, a.Name)...)
			if size := sizes[l.Axis]; rapid.Bool().Draw(t, "over") && ((size+n-1)/n*n-size)*8 <= (size+n-1)/n*n {
				l.Over = append(l.Over, a.Name)
			}
		}
		if len(l.Over) > 0 {
			plan.Shard = append(plan.Shard, l)
		}
	}
	return spmdCase{m, plan, irtest.Args(t, m.Funcs[0])}
}

var labels = []string{"of8", "of12", "of4", "of6", "of2", "of15", "of7", "batch"}

// relabel names each dim by what divides its size, and gives each label the size that is the
// hardest to divide. An input's first dim may be its batch.
func relabel(t *rapid.T, f *ir.Func) map[string]int {
	sizes := map[string]int{"of8": 8, "of12": 12, "of4": 4, "of6": 6, "of2": 2, "of15": 15, "of7": 7}
	name := func(v *ir.Value) {
		v.Type.Dims = append([]ir.Dim(nil), v.Type.Dims...)
		for i, d := range v.Type.Dims {
			v.Type.Dims[i].Label = "odd"
			for _, l := range labels[:7] {
				if d.Size%sizes[l] == 0 {
					v.Type.Dims[i].Label = l
					break
				}
			}
		}
	}
	for i, v := range f.Body.Params {
		if name(v); f.Args[i].Name == "x" && v.Type.Rank() > 0 && rapid.Bool().Draw(t, "batch") {
			sizes["batch"] = v.Type.Dims[0].Size
			v.Type.Dims[0].Label = "batch"
		}
	}
	f.Body.Walk(func(op *ir.Op) {
		for _, v := range op.Out {
			name(v)
		}
		if op.Body != nil {
			for _, v := range op.Body.Params {
				name(v)
			}
		}
	})
	return sizes
}

// spread is the case's program for the devices of its plan.
func (c spmdCase) spread(t *rapid.T, names ...string) *ir.Module {
	t.Helper()
	m := through(t, c.m)
	err := passes.Run(m, names, passes.Options{Config: passes.Config{Plan: c.plan}})
	if list, ok := err.(diag.List); ok {
		t.Skip(list)
	}
	if err != nil {
		t.Fatalf("%v\n%+v\n%s", err, c.plan, c.m)
	}
	return m
}

// onMesh runs a partitioned module on whole arguments.
func onMesh(m *ir.Module, args []*interp.Tensor, like *ir.Func) ([]*interp.Tensor, error) {
	var types []ir.Type
	for _, v := range like.Body.Yield {
		types = append(types, v.Type)
	}
	return interp.RunWhole(m.Mesh, m.Funcs[0], args, types, interp.Options{})
}

// Sums in another order differ by some roundings of their largest term: 10⁻⁵ of the largest number
// of a result is about a hundred of f32.
const spmdTolerance = 1e-5

// far says where results differ by more than sums in another order may, "" where they do not.
func far(want, got []*interp.Tensor) (i, k int, yes bool) {
	for i := range want {
		scale := 1.0
		for _, w := range want[i].F {
			if a := math.Abs(w); a < math.Inf(1) {
				scale = max(scale, a)
			}
		}
		for k, w := range want[i].F {
			if g := got[i].F[k]; !(w == g || w != w && g != g || math.Abs(w-g) <= spmdTolerance*scale) {
				return i, k, true
			}
		}
	}
	return 0, 0, false
}

// A partitioned program computes on a mesh what it computes on one device, gradients and steps
// included; and so it does once it has kernels and memory.
func TestPartitionKeepsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSPMD(t)
		want := evaluate(t, c.m, retyped(c.m, c.args), interp.Options{})
		partitioned := c.spread(t, "propagate", "partition")
		planned := c.spread(t, "propagate", "partition", "fuse", "memory")
		for _, m := range []*ir.Module{partitioned, planned} {
			got, err := onMesh(m, retyped(c.m, c.args), c.m.Funcs[0])
			if err != nil {
				t.Fatalf("%v\n%+v\n%s\n%s", err, c.plan, c.m, m)
			}
			if i, k, yes := far(want, got); yes {
				t.Fatalf("result %d [%d]: %g becomes %g\n%+v\n%s\n%s", i+1, k, want[i].F[k], got[i].F[k], c.plan, c.m, m)
			}
		}
		for _, e := range checkMemory(planned.Funcs[0]) {
			t.Errorf("%s\n%s", e, planned)
		}
	})
}

// Propagation alone moves nothing: on one device its reshards are identities.
func TestPropagateKeepsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSPMD(t)
		m := c.spread(t, "propagate")
		want, got := evaluate(t, c.m, retyped(c.m, c.args), interp.Options{}), evaluate(t, m, retyped(c.m, c.args), interp.Options{})
		if i, k, yes := far(want, got); yes {
			t.Fatalf("result %d [%d]: %g becomes %g\n%+v\n%s\n%s", i+1, k, want[i].F[k], got[i].F[k], c.plan, c.m, m)
		}
	})
}

// A module without a plan goes through as it is.
func TestNoPlanNoChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSPMD(t)
		if m := through(t, c.m, "order", "propagate", "partition"); m.String() != c.m.String() {
			t.Fatalf("%s\nbecomes\n%s", c.m, m)
		}
	})
}

package stablehlo_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/codegen/stablehlo"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

var common = []string{"simplify", "autodiff", "simplify", "precision", "simplify"}

// What XLA computes of a random program with its gradients is what the interpreter does. In f32
// they differ by the rounding of sums and elementary functions, some 10⁻⁷ an op. In bf16 XLA may
// keep a value's f32 bits from one op to the next: a rounding of 2⁻⁹ less, which the programs'
// bounded slopes multiply by some ten; kinks would by any number.
func TestProgramsKeepNumbers(t *testing.T) {
	c := xla(t)
	rapid.Check(t, func(t *rapid.T) {
		dtype := rapid.SampledFrom([]ir.DType{ir.F32, ir.BF16}).Draw(t, "dtype")
		config := irtest.Config{Ops: 14, DType: dtype, Kinks: dtype == ir.F32 && rapid.Bool().Draw(t, "kinks")}
		tolerance := map[ir.DType]float64{ir.F32: 2e-5, ir.BF16: 0.05}[dtype]
		f := through(t, irtest.Draw(t, config).Grad, passes.Config{}, common...).Funcs[0]
		args := irtest.Args(t, f)
		got, err := alone(c, f, args)
		if err != nil {
			t.Fatal(err)
		}
		if d := far(interpreted(t, f, args), got, tolerance); d != "" {
			t.Fatalf("%s\n%s", d, &ir.Module{Phase: ir.Differentiated, Funcs: []*ir.Func{f}})
		}
	})
}

// meshCase is a differentiated program, and a plan whose lines shard its parameters and inputs.
type meshCase struct {
	m    *ir.Module
	plan *ir.Plan
	args []*interp.Tensor
}

func drawMesh(t *rapid.T, sizes []int) meshCase {
	p := irtest.Draw(t, irtest.Config{Ops: 10, Sizes: sizes})
	m := through(t, p.Grad, passes.Config{}, common...)
	plan := &ir.Plan{Mesh: rapid.SampledFrom([]ir.Mesh{
		{{Name: "x", Size: 2}}, {{Name: "x", Size: 4}}, {{Name: "x", Size: 8}}, {{Name: "x", Size: 2}, {Name: "y", Size: 2}},
		{{Name: "x", Size: 2}, {Name: "y", Size: 4}}}).Draw(t, "mesh")}
	for _, label := range []string{"batch", "width", "token"} {
		if a := rapid.SampledFrom(append(plan.Mesh, ir.MeshAxis{})).Draw(t, label); a.Name != "" {
			plan.Shard = append(plan.Shard, ir.ShardLine{Axis: label, Over: []string{a.Name}})
		}
	}
	return meshCase{m, plan, irtest.Args(t, m.Funcs[0])}
}

// spread is the case's program for the plan's devices; a plan that does not fit is left out.
func (c meshCase) spread(t *rapid.T, names ...string) *ir.Module {
	m := parsed(t, c.m.String())
	err := passes.Run(m, names, passes.Options{Config: passes.Config{Plan: c.plan}})
	if list, ok := err.(diag.List); ok {
		t.Skip(list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A program that our passes divided computes on XLA's devices what it does on one of ours.
func TestPartitionedKeepsNumbers(t *testing.T) {
	client := xla(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawMesh(t, []int{1, 2, 4, 7, 8, 12, 15})
		m := c.spread(t, "propagate", "partition")
		f, mesh := m.Funcs[0], c.plan.Mesh
		held, err := execute(client, f, stablehlo.Options{Mode: stablehlo.Manual, Mesh: mesh}, split(mesh, f.Body.Params, c.args), typesOf(f.Body.Yield))
		if err != nil {
			t.Fatal(err)
		}
		want := interpreted(t, c.m.Funcs[0], c.args)
		if d := far(want, joined(t, mesh, held, typesOf(f.Body.Yield), want), 2e-5); d != "" {
			t.Fatalf("%s\n%s", d, m)
		}
	})
}

// So does one that XLA divides by our annotations. Its arguments and results must divide evenly.
func TestAnnotatedKeepsNumbers(t *testing.T) {
	client := xla(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawMesh(t, []int{8, 16})
		f, mesh := c.spread(t, "propagate").Funcs[0], c.plan.Mesh
		params := local(mesh, f.Body.Params)
		held, err := execute(client, f, stablehlo.Options{Mode: stablehlo.Annotated, Mesh: mesh}, split(mesh, params, c.args), typesOf(local(mesh, f.Body.Yield)))
		if uneven(mesh, append(slices.Clone(f.Body.Params), f.Body.Yield...)) {
			var refused *stablehlo.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "even pieces only") {
				t.Fatalf("uneven pieces: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		want := interpreted(t, c.m.Funcs[0], c.args)
		if d := far(want, joined(t, mesh, held, typesOf(local(mesh, f.Body.Yield)), want), 2e-5); d != "" {
			t.Fatalf("%s\n%+v\n%s", d, c.plan, c.m)
		}
	})
}

// uneven reports whether some value is cut in pieces of several sizes.
func uneven(mesh ir.Mesh, values []*ir.Value) bool {
	for _, v := range values {
		for d, dim := range v.Type.Dims {
			if dim.Size%mesh.Size(v.Type.Shard.Of(d)...) != 0 {
				return true
			}
		}
	}
	return false
}

// split gives each device what it holds of whole arguments.
func split(mesh ir.Mesh, params []*ir.Value, args []*interp.Tensor) [][]*interp.Tensor {
	in := make([][]*interp.Tensor, mesh.Devices())
	for d := range in {
		for i, p := range params {
			in[d] = append(in[d], interp.Split(mesh, d, args[i], p.Type))
		}
	}
	return in
}

// joined puts together what the devices hold of results, which they must agree on.
func joined(t fataler, mesh ir.Mesh, held [][]*interp.Tensor, types []ir.Type, like []*interp.Tensor) []*interp.Tensor {
	t.Helper()
	out := make([]*interp.Tensor, len(like))
	for i := range like {
		var parts []*interp.Tensor
		for d := range held {
			parts = append(parts, &interp.Tensor{Type: types[i], F: held[d][i].F})
		}
		var err error
		if out[i], err = interp.Join(mesh, parts, like[i].Type); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// local are values of the types that a device holds of them.
func local(mesh ir.Mesh, vs []*ir.Value) []*ir.Value {
	out := make([]*ir.Value, len(vs))
	for i, v := range vs {
		w := *v
		w.Type.Dims = append([]ir.Dim(nil), v.Type.Dims...)
		for d := range w.Type.Dims {
			w.Type.Dims[d].Size /= mesh.Size(v.Type.Shard.Of(d)...)
		}
		out[i] = &w
	}
	return out
}

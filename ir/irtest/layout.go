package irtest

import (
	"pgregory.net/rapid"

	"vitc/ir"
)

// Meshes are of up to 8 devices and 3 axes.
var Meshes = []ir.Mesh{
	{{Name: "x", Size: 1}}, {{Name: "x", Size: 2}}, {{Name: "x", Size: 3}}, {{Name: "x", Size: 4}}, {{Name: "x", Size: 8}},
	{{Name: "x", Size: 2}, {Name: "y", Size: 2}}, {{Name: "x", Size: 3}, {Name: "y", Size: 2}},
	{{Name: "x", Size: 2}, {Name: "y", Size: 2}, {Name: "z", Size: 2}},
}

// LayoutSizes are sizes of dims that some of the meshes divide, and some do not.
var LayoutSizes = []int{1, 2, 4, 4, 6, 7, 8, 12, 15}

// labels say what divides a dim; batch is an input's first one.
var labels = []string{"of8", "of12", "of4", "of6", "of2", "of15", "of7", "batch"}

// DrawPlan draws a plan for a function whose dims have LayoutSizes. Its lines speak of dims by
// labels that say what divides them: the function's dims are named so.
func DrawPlan(t *rapid.T, f *ir.Func) *ir.Plan {
	sizes := relabel(t, f)
	plan := &ir.Plan{Mesh: rapid.SampledFrom(Meshes).Draw(t, "mesh")}
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
	return plan
}

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

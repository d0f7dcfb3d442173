package stablehlo_test

import (
	"testing"

	"vitc/codegen/stablehlo"
	"vitc/ir"
	"vitc/ir/interp"
)

// Every row of the class Collective, over axes in either order, steps beyond the ring, and inside
// a loop. Whole numbers sum up exactly in any order.
const collectives = `ir partitioned mesh(x:2, y:4)
func @f(%a: f32[n:4, m:8]{n@(y, x)} input="a", %b: f32[n:2, m:8]{n@(y, x)} input="b") -> (
    i32[]{?x, ?y} output="o0", f32[n:8, m:8]{n@y, ?x} output="o1", f32[n:4, m:8]{?x, ?y} output="o2", f32[n:2, m:8]{?x, ?y} output="o3",
    f32[n:4, m:8]{?x, ?y} output="o4", f32[n:4, m:8]{?x, ?y} output="o5", f32[n:4, m:2]{?x, ?y} output="o6",
    f32[n:16, m:2]{?x, ?y} output="o7", f32[n:4, m:8]{?x, ?y} output="o8", f32[n:4, m:8]{?x, ?y} output="o9") {
  %o0: i32[]{?x, ?y} = axis_index over=(y, x)
  %o1: f32[n:8, m:8]{n@y, ?x} = all_gather %a dim=0 over=x
  %o2: f32[n:4, m:8]{?x, ?y} = permute %a over=(x, y) step=-3
  %o3: f32[n:2, m:8]{?x, ?y} = block %a dim=0 over=x step=5
  %o4: f32[n:4, m:8]{?x, ?y} = put %a, %b dim=0 over=x step=1
  %o5: f32[n:4, m:8]{?x, ?y} = all_reduce %a over=x kind=max
  %o6: f32[n:4, m:2]{?x, ?y} = reduce_scatter %a dim=1 over=y
  %o7: f32[n:16, m:2]{?x, ?y} = all_to_all %a dim=0 to=1 over=y
  %o8: f32[n:4, m:8]{?x, ?y} = scan length=3 carry(%c=%o2) {
    %p: f32[n:4, m:8]{?x, ?y} = permute %c over=y step=1
    %i: i32[]{?x, ?y} = axis_index over=y
    %k: f32[]{?x, ?y} = cast %i
    %q: f32[n:4, m:8]{?x, ?y} = add %p, %k
    yield %q
  }
  %o9: f32[n:4, m:8]{?x, ?y} = all_reduce %a over=(y, x) kind=sum
  yield %o0, %o1, %o2, %o3, %o4, %o5, %o6, %o7, %o8, %o9
}`

func TestCollectives(t *testing.T) {
	c := xla(t)
	m := parsed(t, collectives)
	f := m.Funcs[0]
	seen := map[string]bool{}
	f.Body.Walk(func(op *ir.Op) { seen[op.Row.Name] = true })
	for _, r := range ir.Rows() {
		if r.Class == ir.Collective && !seen[r.Whole().Name] { // the ends of one are refused
			t.Errorf("row %s has no case", r.Name)
		}
	}
	args := make([][]*interp.Tensor, m.Mesh.Devices())
	for d := range args {
		for i, p := range f.Body.Params {
			x := interp.New(p.Type)
			for k := range x.F {
				x.F[k] = float64((d+1)*100*(i+1) + k)
			}
			args[d] = append(args[d], x)
		}
	}
	want, err := interp.RunMesh(m.Mesh, f, args, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// What devices hold of each result is looked at as it is: as blocks of a whole along a new dim.
	got, err := execute(c, spreadOut(f), stablehlo.Options{Mode: stablehlo.Manual, Mesh: m.Mesh}, args, typesOf(spreadOut(f).Body.Yield))
	if err != nil {
		t.Fatal(err)
	}
	for d := range want {
		if diff := far(want[d], got[d], 0); diff != "" {
			t.Errorf("device %d: %s", d, diff)
		}
	}
}

// spreadOut gives a function's results the meaning of blocks, cut along a leading dim over the
// whole mesh, so that each device's own comes out.
func spreadOut(f *ir.Func) *ir.Func {
	g := *f
	g.Body = f.Body.Clone(map[*ir.Value]*ir.Value{})
	b := &ir.Builder{Region: g.Body}
	for i, v := range g.Body.Yield {
		t := v.Type.Sharded(nil)
		t.Dims = append([]ir.Dim{{Label: "device", Size: 1}}, t.Dims...)
		r := ir.PointwiseRule(nil, v.Type)
		r.In = []ir.Term{r.Out[0]}
		r.Out = []ir.Term{append(ir.Term{ir.DimFactors{}}, r.Out[0]...)}
		w := b.Rearrange(v, r, t.Dims)
		w.Type = t.WithDim(0, "x", "y")
		g.Body.Yield[i] = w
	}
	return &g
}

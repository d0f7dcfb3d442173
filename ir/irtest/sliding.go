package irtest

import (
	"fmt"
	"math"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
)

// Sliding says what programs of windows contain.
type Sliding struct {
	Layers int  // at most
	Pools  bool // maxima over windows, beside convolutions
	// Around: each window has its place within it, as under the padding `same`, so that whatever
	// reaches over an edge counts. Else windows lie anywhere, and may see nothing.
	Around bool
}

// slider builds one program of windows.
type slider struct {
	Sliding
	t *rapid.T
	f *ir.Func
	b *ir.Builder
}

// DrawSliding draws a program of convolutions and poolings over images, with the gradients of a loss
// by the images and the filters, and a plan that shares rows among devices, alone or beside examples.
// In most layers strides fill the rows.
func DrawSliding(t *rapid.T, c Sliding) (*ir.Module, *ir.Plan) {
	plan := &ir.Plan{Mesh: rapid.SampledFrom(Meshes[1:]).Draw(t, "mesh"), Overlap: ir.OverlapRing, Micro: 1}
	var over []string
	for _, a := range plan.Mesh[:rapid.IntRange(1, len(plan.Mesh)).Draw(t, "axes of rows")] {
		over = append(over, a.Name)
	}
	plan.Shard = []ir.ShardLine{{Axis: "row", Over: over}, {Axis: "batch", Over: []string{plan.Mesh[len(plan.Mesh)-1].Name}}}
	s := &slider{Sliding: c, t: t, f: &ir.Func{Name: "step", Body: &ir.Region{}}}
	s.b = &ir.Builder{Region: s.f.Body}
	rows := plan.Mesh.Size(over...) * rapid.SampledFrom([]int{2, 4, 6}).Draw(t, "rows")
	y := s.arg(ir.RoleInput, "x", ir.T(ir.F32, ir.Dim{Label: "batch", Size: 2}, ir.Dim{Label: "row", Size: rows}, ir.Dim{Label: "col", Size: 3}, ir.Dim{Label: "c", Size: 2}))
	for range rapid.IntRange(1, c.Layers).Draw(t, "layers") {
		if c.Pools && rapid.IntRange(0, 2).Draw(t, "pool") == 0 {
			y = s.pool(y)
		} else {
			y = s.conv(y)
		}
	}
	s.finish(y)
	return &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{s.f}}, plan
}

// finish yields the last layer, a loss, and its gradients by all arguments.
func (s *slider) finish(y *ir.Value) {
	loss := s.b.SumAll(s.b.Mul(y, y))
	by := append([]*ir.Value{loss}, s.f.Body.Params...)
	s.f.Results = []ir.Port{{Role: ir.RoleMetric, Name: "loss"}, {Role: ir.RoleOutput, Name: "y"}}
	s.f.Body.Yield = []*ir.Value{loss, y}
	for i, d := range s.b.Emit(&ir.Op{Row: ir.Lookup("grad"), In: by}, nil) {
		s.f.Results = append(s.f.Results, ir.Port{Role: ir.RoleOutput, Name: "d" + s.f.Args[i].Name})
		s.f.Body.Yield = append(s.f.Body.Yield, d)
	}
}

func (s *slider) arg(role ir.Role, name string, t ir.Type) *ir.Value {
	s.f.Args = append(s.f.Args, ir.Port{Role: role, Name: name})
	return s.b.Param(name, t)
}

// rows slides along the rows: so that strides fill them, or, now and then, anyhow.
func (s *slider) rows(x *ir.Value, fill string) *ir.Value {
	n := x.Type.Dims[1].Size
	a := ir.WindowAttrs{Dim: 1, Size: rapid.IntRange(1, 5).Draw(s.t, "size"), Stride: rapid.IntRange(1, 3).Draw(s.t, "stride"),
		Lo: rapid.IntRange(-1, 4).Draw(s.t, "lo"), Fill: fill}
	if s.Around {
		a.Lo = max(0, min(a.Lo, a.Size-1))
	}
	count := n / a.Stride
	if n%a.Stride != 0 || rapid.IntRange(0, 5).Draw(s.t, "uneven") == 0 {
		count = rapid.IntRange(1, n).Draw(s.t, "windows")
	}
	a.Hi = (count-1)*a.Stride + a.Size - n - a.Lo
	return s.b.Window(x, a, "row", "ky")
}

// pool is the maximum of each window; of one that sees nothing, tanh makes -1.
func (s *slider) pool(x *ir.Value) *ir.Value {
	x = s.rows(x, "lowest")
	x = s.b.ReduceTo("max", x, ir.MustRule("brkci->brci"), append(x.Type.Dims[:2:2], x.Type.Dims[3:]...))
	return s.b.Unary("tanh", x)
}

// conv is over rows and columns.
func (s *slider) conv(x *ir.Value) *ir.Value {
	x = s.b.Window(s.rows(x, ""), ir.WindowAttrs{Dim: 3, Size: 3, Stride: 1, Lo: 1, Hi: 1}, "col", "kx")
	dims := x.Type.Dims
	w := s.arg(ir.RoleState, fmt.Sprint("w", len(s.f.Args)), ir.T(ir.F32, dims[2], dims[4], dims[5], ir.Dim{Label: "o", Size: 2}))
	return s.b.Unary("tanh", s.b.Dot(x, w, ir.MustRule("brkcji,kjio->brco")))
}

// Distinct gives arguments of which no number is another's: whatever is mixed up shows.
func Distinct(f *ir.Func) []*interp.Tensor {
	var args []*interp.Tensor
	at := 0.0
	for _, p := range f.Body.Params {
		x := interp.New(p.Type)
		for k := range x.F {
			at++
			x.F[k] = p.Type.DType.Round(math.Sin(at * at))
		}
		args = append(args, x)
	}
	return args
}

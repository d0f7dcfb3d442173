// Package disttest draws collectives at random, for tests of transports.
package disttest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/runtime/dist"
)

// Sample is a collective drawn at random, as a function of one op.
type Sample struct {
	Mesh ir.Mesh
	f    *ir.Func
	text string
	args [][]*interp.Tensor
}

var dtypes = []ir.DType{ir.F32, ir.BF16, ir.F16, ir.I32, ir.U32, ir.U8, ir.Bool}

// Draw draws a collective, on a mesh of its own where none is given.
func Draw(t *rapid.T, mesh ir.Mesh) Sample {
	s := Sample{Mesh: mesh}
	if mesh == nil {
		s.Mesh = drawMesh(t)
	}
	text := drawText(t, s.Mesh)
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s.f, s.text = m.Funcs[0], text
	for range s.Mesh.Devices() {
		var args []*interp.Tensor
		for _, p := range s.f.Body.Params {
			args = append(args, drawTensor(t, p.Type))
		}
		s.args = append(s.args, args)
	}
	return s
}

func drawMesh(t *rapid.T) ir.Mesh {
	var m ir.Mesh
	for i := range rapid.IntRange(1, 3).Draw(t, "axes") {
		m = append(m, ir.MeshAxis{Name: string(rune('x' + i)), Size: rapid.SampledFrom([]int{1, 2, 3, 4}[:4-i]).Draw(t, "size")})
	}
	return m
}

// drawText writes a function of one collective, whose values differ between all devices.
func drawText(t *rapid.T, mesh ir.Mesh) string {
	var places, over, axes []string
	for i := range mesh {
		places = append(places, mesh[i].Name)
		axes = append(axes, fmt.Sprintf("%s:%d", mesh[i].Name, mesh[i].Size))
	}
	shard := "{?" + strings.Join(places, ", ?") + "}"
	over = rapid.Permutation(places).Draw(t, "order")[:rapid.IntRange(1, len(places)).Draw(t, "over")]
	op := drawOp(t, mesh.Size(over...))
	d := rapid.SampledFrom(dtypes).Draw(t, "dtype")
	var names, params []string
	for i, in := range op.in {
		names = append(names, fmt.Sprintf("%%v%d", i))
		params = append(params, fmt.Sprintf("%%v%d: %s%s input=\"v%d\"", i, typeOf(d, in), shard, i))
	}
	out := typeOf(d, op.out)
	if op.name == "axis_index" {
		out = ir.T(ir.I32)
	}
	return fmt.Sprintf("ir partitioned mesh(%s)\nfunc @f(%s) -> (%s%s output=\"y\") {\n  %%y: %s%s = %s %s over=(%s) %s\n  yield %%y\n}",
		strings.Join(axes, ", "), strings.Join(params, ", "), out, shard, out, shard, op.name, strings.Join(names, ", "), strings.Join(over, ", "), op.attrs)
}

// Check runs the collective twice on one device, and compares with the bits that the interpreter
// gives it. Every device of the mesh must do so at once.
func (s Sample) Check(ctx context.Context, t dist.Transport) error {
	c, err := dist.New(s.Mesh, t)
	if err != nil {
		return err
	}
	for range 2 {
		x, err := s.ready(c, 0)
		if err != nil {
			return err
		}
		if s.f.Body.Ops[0].Row.Name == "all_reduce" && s.Mesh[0].Size%2 == 1 {
			x.out = x.in[0] // in place
		}
		if err := x.run(ctx); err != nil {
			return err
		}
		if err := x.check(t.Rank()); err != nil {
			return err
		}
	}
	return nil
}

type drawnOp struct {
	name, attrs string
	in          [][]int
	out         []int
}

// drawOp draws an op for a group of n.
func drawOp(t *rapid.T, n int) drawnOp {
	dims := rapid.SliceOfN(rapid.IntRange(1, 5), 2, 4).Draw(t, "dims")
	if rapid.Bool().Draw(t, "large") {
		dims[0] *= 97
	}
	dim := rapid.IntRange(0, len(dims)-1).Draw(t, "dim")
	step := rapid.IntRange(-5, 5).Draw(t, "step")
	at := fmt.Sprintf("dim=%d", dim)
	switch name := rapid.SampledFrom([]string{"axis_index", "block", "put", "all_gather", "reduce_scatter", "all_reduce", "all_to_all", "permute"}).Draw(t, "op"); name {
	case "axis_index":
		return drawnOp{name, "", nil, nil}
	case "block":
		return drawnOp{name, fmt.Sprintf("%s step=%d", at, step), [][]int{times(dims, dim, n)}, dims}
	case "put":
		return drawnOp{name, fmt.Sprintf("%s step=%d", at, step), [][]int{times(dims, dim, n), dims}, times(dims, dim, n)}
	case "all_gather":
		return drawnOp{name, at, [][]int{dims}, times(dims, dim, n)}
	case "reduce_scatter":
		return drawnOp{name, at, [][]int{times(dims, dim, n)}, dims}
	case "all_reduce":
		return drawnOp{name, "kind=" + rapid.SampledFrom([]string{"sum", "max", "min"}).Draw(t, "kind"), [][]int{dims}, dims}
	case "permute":
		return drawnOp{name, fmt.Sprintf("step=%d", step), [][]int{dims}, dims}
	default:
		to := (dim + rapid.IntRange(1, len(dims)-1).Draw(t, "to")) % len(dims)
		return drawnOp{name, fmt.Sprintf("%s to=%d", at, to), [][]int{times(dims, to, n)}, times(dims, dim, n)}
	}
}

func times(dims []int, dim, n int) []int {
	dims = slices.Clone(dims)
	dims[dim] *= n
	return dims
}

func typeOf(d ir.DType, sizes []int) ir.Type {
	t := ir.T(d)
	for i, n := range sizes {
		t.Dims = append(t.Dims, ir.Dim{Label: string(rune('a' + i)), Size: n})
	}
	return t
}

// drawTensor fills a tensor from a drawn seed: drawing every element would be slow.
func drawTensor(t *rapid.T, ty ir.Type) *interp.Tensor {
	state := rapid.Uint64().Draw(t, "values")
	x := interp.New(ty)
	for i := range x.F {
		state = state*6364136223846793005 + 1442695040888963407
		x.F[i] = ty.DType.Round(float64(int64(state>>20)) * 0x1p-30)
		if ty.DType.Float() && state>>58 == 0 {
			x.F[i] = []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1)}[state>>20&3]
		}
	}
	return x
}

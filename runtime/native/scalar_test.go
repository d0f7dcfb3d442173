package native_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/passes"
)

// edges are values at which scalar ops go wrong, by dtype; all are exact in it.
func edges(d ir.DType) []float64 {
	switch d {
	case ir.Bool:
		return []float64{0, 1}
	case ir.U8:
		return []float64{0, 1, 2, 7, 8, 31, 32, 127, 128, 255}
	case ir.I32:
		return []float64{0, 1, -1, 2, -2, 7, 31, 32, 33, 1000, -1000, math.MaxInt32, math.MinInt32, math.MinInt32 + 1}
	case ir.U32:
		return []float64{0, 1, 2, 7, 31, 32, 33, 1000, 1 << 31, math.MaxInt32, math.MaxUint32}
	}
	var out []float64
	for _, x := range []float64{0, 1, -1, 0.5, -0.5, 2, 3, -3, 7.25, 100, -100, 1e-3, 255.5, 256, 1e10, -1e10, 4294967296,
		2147483648, -2147483648, 1e-30, 65504, math.Inf(1), math.NaN(), math.Copysign(0, -1)} {
		out = append(out, d.Round(x))
	}
	return out
}

// grid is n operands that take all combinations of the edges.
func grid(d ir.DType, n int) [][]float64 {
	e := edges(d)
	total := 1
	for range n {
		total *= len(e)
	}
	args := make([][]float64, n)
	for i := range total {
		for k := range n {
			args[k] = append(args[k], e[i%len(e)])
			i /= len(e)
		}
	}
	return args
}

// scalarCase is one op at one dtype.
type scalarCase struct {
	name  string
	row   *ir.Row
	attrs any
	in    []ir.DType
	out   ir.DType
}

// scalarCases lists every pointwise row at every dtype that it takes, casts between all.
func scalarCases() []scalarCase {
	all := []ir.DType{ir.F32, ir.BF16, ir.F16, ir.I32, ir.U32, ir.U8, ir.Bool}
	var cs []scalarCase
	for _, r := range ir.Rows() {
		if r.Class != ir.Pointwise {
			continue
		}
		for _, d := range all {
			switch r.Name {
			case "cast":
				for _, to := range all {
					cs = append(cs, scalarCase{fmt.Sprintf("cast.%v.%v", d, to), r, nil, []ir.DType{d}, to})
				}
			case "compare":
				for _, dir := range []string{"eq", "ne", "lt", "le", "gt", "ge"} {
					cs = append(cs, scalarCase{fmt.Sprintf("%s.%v", dir, d), r, &ir.CompareAttrs{Dir: dir}, []ir.DType{d, d}, ir.Bool})
				}
			case "select":
				cs = append(cs, scalarCase{fmt.Sprintf("select.%v", d), r, nil, []ir.DType{ir.Bool, d, d}, d})
			default:
				in := make([]ir.DType, r.In)
				for i := range in {
					in[i] = d
				}
				cs = append(cs, scalarCase{fmt.Sprintf("%s.%v", r.Name, d), r, nil, in, d})
			}
		}
	}
	return cs
}

// scalarModule has every case that its row admits as an output.
func scalarModule(cs []scalarCase) (*ir.Module, [][][]float64) {
	f := &ir.Func{Name: "f", Body: &ir.Region{}, Precision: ir.F32}
	b := &ir.Builder{Region: f.Body}
	var data [][][]float64
	for _, c := range cs {
		args := make([][]float64, len(c.in))
		for i, x := range grid(c.in[len(c.in)-1], len(c.in)) {
			args[i] = x
		}
		if c.row.Name == "select" {
			for i := range args[0] {
				args[0][i] = float64(i % 2)
			}
		}
		op := &ir.Op{Row: c.row, Attrs: c.attrs}
		dim := ir.Dim{Label: "n", Size: len(args[0])}
		for _, d := range c.in {
			op.In = append(op.In, &ir.Value{Type: ir.T(d, dim)})
		}
		want := []ir.Type{ir.T(c.out, dim)}
		if _, err := c.row.Types(op, want); err != nil {
			continue
		}
		for i, d := range c.in {
			name := fmt.Sprintf("%s.%d", c.name, i)
			op.In[i] = b.Param(name, ir.T(d, dim))
			f.Args = append(f.Args, ir.Port{Role: ir.RoleInput, Name: name})
		}
		f.Body.Yield = append(f.Body.Yield, b.Emit(op, want)[0])
		f.Results = append(f.Results, ir.Port{Role: ir.RoleOutput, Name: c.name})
		data = append(data, args)
	}
	return &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{f}}, data
}

// ulps is how far the elementary functions may be off, in units of the result's last place;
// all else is exact. sin and cos of huge arguments are as precise as those of small ones.
var ulps = map[string]float64{"exp": 2, "log": 2, "log1p": 3, "rsqrt": 2, "tanh": 3, "erf": 4, "logistic": 4, "sin": 2, "cos": 2, "pow": 2}

// Every scalar op gives at the edges what the interpreter gives.
func TestScalarOps(t *testing.T) {
	m, data := scalarModule(scalarCases())
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
		t.Fatal(err)
	}
	f := m.Funcs[0]
	var args []*interp.Tensor
	inputs := map[string][]byte{}
	n := 0
	for _, ops := range data {
		for _, x := range ops {
			a := &interp.Tensor{Type: f.Body.Params[n].Type, F: x}
			args, inputs[f.Args[n].Name] = append(args, a), a.Bytes()
			n++
		}
	}
	want, err := interp.Run(f, args, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	eachLevel(t, func(t *testing.T, isa cpu.Level) {
		got, err := open(t, m, isa, 1).Call(context.Background(), "f", inputs)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range f.Results {
			sameScalars(t, r.Name, want[i], got[i].Data, data[i])
		}
	})
}

func sameScalars(t *testing.T, name string, want *interp.Tensor, data []byte, args [][]float64) {
	t.Helper()
	got, err := interp.FromBytes(want.Type, data)
	if err != nil {
		t.Fatal(err)
	}
	op := name[:len(name)-len(want.Type.DType.String())-1]
	for i, w := range want.F {
		g := got.F[i]
		if g == w || g != g && w != w || want.Type.DType.Float() && math.Abs(g-w) <= ulps[op]*ulp(want.Type.DType, w) {
			continue
		}
		var at []float64
		for _, x := range args {
			at = append(at, x[i])
		}
		t.Errorf("%s%v is %v, want %v", name, at, g, w)
		return
	}
}

// ulp is the unit in the last place of x in a dtype.
func ulp(d ir.DType, x float64) float64 {
	bits := map[ir.DType]int{ir.F32: 24, ir.BF16: 8, ir.F16: 11}[d]
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e, -125)-bits)
}

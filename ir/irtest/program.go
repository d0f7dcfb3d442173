// Package irtest draws random well-typed IR programs for property tests: small, odd shapes, and
// values in tame ranges, so that gradients can be compared with finite differences.
package irtest

import (
	"fmt"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
)

// Config chooses what programs contain.
type Config struct {
	Ops     int      // ops in the body, about; 0: 8
	DType   ir.DType // of floats; Invalid: F32
	Kinks   bool     // max, min, abs, compare with select, reduce to a maximum, argmax, floor
	NoScans bool
	Sizes   []int // of dims; nil: 1 to 6
}

// Program is one random program, twice: Grad yields all that Plain yields, then the gradient of
// the loss by each state parameter. Result 0 is the loss.
type Program struct {
	Plain, Grad *ir.Module
	Params      []int // the arguments that Grad differentiates by
}

// sizes of dims; 2, 4 and 6 can be split.
var sizes = []int{1, 2, 3, 4, 5, 6}

// maxSize bounds the elements of a value.
const maxSize = 120

// Draw makes a program.
func Draw(t *rapid.T, c Config) *Program {
	if c.Ops == 0 {
		c.Ops = 8
	}
	if c.DType == ir.Invalid {
		c.DType = ir.F32
	}
	if c.Sizes == nil {
		c.Sizes = sizes
	}
	body := &ir.Region{}
	g := &gen{t: t, c: c, b: &ir.Builder{Region: body}}
	f := &ir.Func{Name: "f", Body: body}
	if c.DType == ir.Real {
		f.Precision = rapid.SampledFrom([]ir.DType{ir.F32, ir.BF16}).Draw(t, "precision")
	}
	p := &Program{}
	g.params(f, p)
	for range g.count("ops", 1, c.Ops) {
		g.op()
	}
	loss := g.loss(f)
	p.Plain = &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{f}}
	p.Grad = &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{withGrad(f, loss, p.Params)}}
	return p
}

// params adds one to three state parameters, an input, a key, and ids.
func (g *gen) params(f *ir.Func, p *Program) {
	add := func(role ir.Role, name string, t ir.Type) *ir.Value {
		f.Args = append(f.Args, ir.Port{Role: role, Name: name})
		return g.b.Param(name, t)
	}
	for i := range g.count("states", 1, 3) {
		p.Params = append(p.Params, len(f.Args))
		g.put(add(ir.RoleState, fmt.Sprintf("w%d", i), g.shape()), 1)
	}
	g.put(add(ir.RoleInput, "x", g.shape()), 1)
	g.key = add(ir.RoleInput, "key", ir.T(ir.U32, ir.Dim{Label: "k", Size: 2}))
	g.ids = add(ir.RoleInput, "ids", ir.T(ir.I32, ir.Dim{Label: "n", Size: 3}))
}

// loss sums some values up, and yields it with a few of them.
func (g *gen) loss(f *ir.Func) *ir.Value {
	total := g.scalar(g.pool[len(g.pool)-1])
	for range g.count("terms", 0, 2) {
		total = g.b.Add(total, g.scalar(g.pick()))
	}
	total = g.b.Cast(total, ir.F32)
	f.Results = append(f.Results, ir.Port{Role: ir.RoleMetric, Name: "loss"})
	f.Body.Yield = append(f.Body.Yield, total)
	for i := range g.count("outputs", 0, 2) {
		f.Results = append(f.Results, ir.Port{Role: ir.RoleOutput, Name: fmt.Sprintf("y%d", i)})
		f.Body.Yield = append(f.Body.Yield, g.pick().v)
	}
	return total
}

// scalar is the mean of a value, of magnitude 1 at most.
func (g *gen) scalar(x val) *ir.Value {
	s := g.tame(x, 1).v
	if s.Type.Rank() > 0 {
		s = g.b.MulC(g.b.SumAll(s), 1/float64(s.Type.Size()))
	}
	return s
}

// withGrad is a copy of f that also yields the gradient of its loss by some arguments, and
// replaces each of those by a step downhill.
func withGrad(f *ir.Func, loss *ir.Value, by []int) *ir.Func {
	m := map[*ir.Value]*ir.Value{}
	body := f.Body.Clone(m)
	g := &ir.Func{Name: f.Name, Precision: f.Precision, Body: body,
		Args: append([]ir.Port(nil), f.Args...), Results: append([]ir.Port(nil), f.Results...)}
	in := []*ir.Value{m[loss]}
	for _, i := range by {
		in = append(in, body.Params[i])
	}
	b := &ir.Builder{Region: body}
	grads := b.Emit(&ir.Op{Row: ir.Lookup("grad"), In: in}, nil)
	for k, i := range by {
		g.Results = append(g.Results, ir.Port{Role: ir.RoleOutput, Name: "d" + f.Args[i].Name})
		body.Yield = append(body.Yield, grads[k])
	}
	for k, i := range by {
		g.Results = append(g.Results, f.Args[i])
		body.Yield = append(body.Yield, b.Sub(body.Params[i], b.MulC(grads[k], 0.5)))
	}
	return g
}

// Args draws arguments: floats from -1 to 1, ids partly out of range.
func Args(t *rapid.T, f *ir.Func) []*interp.Tensor {
	var args []*interp.Tensor
	for i, p := range f.Body.Params {
		x := interp.New(p.Type)
		for k := range x.F {
			switch {
			case p.Type.DType.Float():
				// a multiple of 2⁻⁷ is exact in bf16 too
				x.F[k] = float64(rapid.IntRange(-128, 128).Draw(t, f.Args[i].Name)) / 128
			case p.Type.DType == ir.I32:
				x.F[k] = float64(rapid.IntRange(-1, 6).Draw(t, f.Args[i].Name))
			default:
				x.F[k] = p.Type.DType.Round(float64(rapid.Uint32().Draw(t, f.Args[i].Name)))
			}
		}
		args = append(args, x)
	}
	return args
}

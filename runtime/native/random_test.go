package native_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
)

// sizes leave rests at every level, and some fill vectors exactly.
var sizes = []int{1, 2, 3, 5, 8, 10, 16, 17, 31, 33, 64, 70, 150}

// author writes random functions over some axes.
type author struct {
	*rand.Rand
	f    *ir.Func
	b    *ir.Builder
	axes []ir.Dim
	// pool holds the values made so far, by the axes that they have, as bits.
	pool map[int][]*ir.Value
}

func newAuthor(seed uint64) *author {
	a := &author{Rand: rand.New(rand.NewPCG(seed, 7)), f: &ir.Func{Name: "f", Body: &ir.Region{}, Precision: ir.F32}, pool: map[int][]*ir.Value{}}
	a.b = &ir.Builder{Region: a.f.Body}
	return a
}

func (a *author) dims(mask int) []ir.Dim {
	var ds []ir.Dim
	for i, d := range a.axes {
		if mask>>i&1 != 0 {
			ds = append(ds, d)
		}
	}
	return ds
}

func (a *author) term(mask int) (t ir.Term) {
	for i := range a.axes {
		if mask>>i&1 != 0 {
			t = append(t, ir.DimFactors{i})
		}
	}
	return t
}

// rule is from the axes of one mask to those of another.
func (a *author) rule(from, to int) ir.Rule {
	r := ir.Rule{}
	for i, d := range a.axes {
		r.Factors = append(r.Factors, ir.Factor{Name: byte('a' + i), Size: d.Size})
	}
	return r.Swap([]ir.Term{a.term(from)}, a.term(to))
}

func (a *author) input(t ir.Type) *ir.Value {
	name := fmt.Sprintf("x%d", len(a.f.Args))
	a.f.Args = append(a.f.Args, ir.Port{Role: ir.RoleInput, Name: name})
	return a.b.Param(name, t)
}

func (a *author) output(v *ir.Value) {
	a.f.Results = append(a.f.Results, ir.Port{Role: ir.RoleOutput, Name: fmt.Sprintf("y%d", len(a.f.Results))})
	a.f.Body.Yield = append(a.f.Body.Yield, v)
}

func pick[T any](a *author, xs []T) T { return xs[a.IntN(len(xs))] }

// loops writes pointwise ops, spreads and reductions over up to three axes.
func (a *author) loops() *ir.Module {
	for i := range 1 + a.IntN(3) {
		a.axes = append(a.axes, ir.Dim{Label: string(rune('a' + i)), Size: pick(a, sizes)})
	}
	full := 1<<len(a.axes) - 1
	for range 2 {
		a.keep(a.input(ir.T(ir.F32, a.dims(full)...)))
	}
	a.keep(a.input(ir.T(pick(a, []ir.DType{ir.F32, ir.BF16}), a.dims(full)...)))
	part := a.IntN(full + 1)
	a.keep(a.input(ir.T(ir.F32, a.dims(part)...)))
	var last *ir.Value
	for range 4 + a.IntN(12) {
		last = a.step(full)
	}
	a.output(last)
	a.replace(last)
	for mask := range full + 1 {
		if vs := a.pool[mask]; len(vs) > 0 && a.IntN(2) == 0 {
			if v := pick(a, vs); v.Def != nil && v != last {
				a.output(v)
			}
		}
	}
	return &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{a.f}}
}

// replace makes a state of an argument of a value's type, if there is one, with the value as
// what it becomes: kernels then write where they read.
func (a *author) replace(v *ir.Value) {
	for i, p := range a.f.Body.Params {
		if p.Type.Same(v.Type) && v.Def != nil {
			a.f.Args[i].Role = ir.RoleState
			a.f.Results[len(a.f.Results)-1] = a.f.Args[i]
			return
		}
	}
}

// keep puts a value, as f32, among those with the axes it has.
func (a *author) keep(v *ir.Value) *ir.Value {
	v = a.b.Cast(v, ir.F32)
	mask := 0
	for i, d := range a.axes {
		if slices.Contains(v.Type.Dims, d) {
			mask |= 1 << i
		}
	}
	a.pool[mask] = append(a.pool[mask], v)
	return v
}

// step makes a value from others. All stay small, so that errors do.
func (a *author) step(full int) *ir.Value {
	masks := []int{}
	for m := range full + 1 {
		if len(a.pool[m]) > 0 {
			masks = append(masks, m)
		}
	}
	m := pick(a, masks)
	x, y := pick(a, a.pool[m]), pick(a, a.pool[m])
	switch a.IntN(8) {
	case 0:
		return a.keep(a.b.Unary(pick(a, []string{"tanh", "neg", "abs", "erf", "logistic"}), x))
	case 1:
		return a.keep(a.b.Unary("tanh", a.b.Binary(pick(a, []string{"add", "sub", "mul"}), x, y)))
	case 2:
		return a.keep(a.b.Binary(pick(a, []string{"max", "min", "mul"}), x, y))
	case 3:
		if len(x.Type.Dims) > 0 {
			i := a.b.Cast(a.b.Iota(x.Type.As(ir.I32), a.IntN(x.Type.Rank())), ir.F32)
			return a.keep(a.b.Select(a.b.Compare("lt", i, a.b.Num(i, 3)), x, y))
		}
		return a.keep(a.b.AddC(x, 0.25))
	case 4:
		return a.keep(a.b.Cast(a.b.Cast(x, ir.BF16), ir.F32))
	case 5, 6:
		return a.spread(x, m, full)
	}
	return a.sum(x, m)
}

func (a *author) spread(x *ir.Value, m, full int) *ir.Value {
	to := m | a.IntN(full+1)
	return a.keep(a.b.Broadcast(x, a.rule(m, to), a.dims(to)))
}

func (a *author) sum(x *ir.Value, m int) *ir.Value {
	to := m & a.Int()
	n := 1.0
	for _, d := range a.dims(m &^ to) {
		n *= float64(d.Size)
	}
	kind := pick(a, []string{"sum", "sum", "max", "min"})
	y := a.b.ReduceTo(kind, x, a.rule(m, to), a.dims(to))
	if kind == "sum" {
		y = a.b.MulC(y, 1/n)
	}
	return a.keep(y)
}

// dot writes a product with up to two factors of each class in any order, and perhaps ops
// after it.
func (a *author) dot() *ir.Module {
	var in [2]ir.Term
	var out ir.Term
	r := ir.Rule{}
	for class := range 4 {
		for range a.IntN(3) {
			f := len(r.Factors)
			size := pick(a, []int{1, 2, 3, 4, 7, 16, 17, 20, 33})
			r.Factors = append(r.Factors, ir.Factor{Name: byte('a' + f), Size: size})
			a.axes = append(a.axes, ir.Dim{Label: string(rune('a' + f)), Size: size})
			put := func(t *ir.Term) { *t = slices.Insert(*t, a.IntN(len(*t)+1), ir.DimFactors{f}) }
			if class != 1 {
				put(&in[0])
			}
			if class != 2 {
				put(&in[1])
			}
			if class != 3 {
				put(&out)
			}
		}
	}
	d := pick(a, []ir.DType{ir.F32, ir.F32, ir.BF16})
	tensor := func(t ir.Term) *ir.Value {
		ty := ir.Type{DType: d}
		for _, f := range t {
			ty.Dims = append(ty.Dims, a.axes[f[0]])
		}
		return a.input(ty)
	}
	y := a.b.Dot(tensor(in[0]), tensor(in[1]), r.Swap([]ir.Term{in[0], in[1]}, out))
	if a.IntN(2) == 0 {
		a.output(y)
	}
	if a.IntN(2) == 0 {
		y = a.b.Unary("tanh", y)
	}
	if a.IntN(2) == 0 {
		y = a.b.Add(tensor(out), y)
	}
	if n := len(out); n > 0 && a.IntN(2) == 0 {
		some := ir.Term{out[a.IntN(n)]}
		y = a.b.Add(y, a.b.Broadcast(tensor(some), r.Swap([]ir.Term{some}, out), y.Type.Dims))
	}
	a.output(y)
	return &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{a.f}}
}

// randomly compares random functions at every level, and the bits of one thread with those
// of three.
func randomly(t *testing.T, count int, write func(*author) *ir.Module) {
	for seed := range uint64(count) {
		m := write(newAuthor(seed))
		src := m.String()
		if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, src)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			eachLevel(t, func(t *testing.T, isa cpu.Level) { compare(t, m, "f", isa, 1, 1e-4) })
			threadsAgree(t, m)
		})
	}
}

func threadsAgree(t *testing.T, m *ir.Module) {
	t.Helper()
	f := m.Func("f")
	r := rand.New(rand.NewPCG(3, 4))
	inputs := map[string][]byte{}
	states := map[string][]byte{}
	for i, p := range f.Body.Params {
		to := inputs
		if f.Args[i].Role == ir.RoleState {
			to = states
		}
		to[f.Args[i].Name] = tensor(r, p.Type).Bytes()
	}
	var first [][]byte
	for _, threads := range []int{1, 3} {
		got := called(t, open(t, m, cpu.Detect().Level, threads), inputs, states)
		for i, g := range got {
			if threads == 1 {
				first = append(first, g.Data)
			} else if !slices.Equal(first[i], g.Data) {
				t.Errorf("%s has other bits on %d threads than on one\n%s", g.Name, threads, m)
			}
		}
	}
}

// called gives what @f gives, then the states that it leaves.
func called(t *testing.T, mach codegen.Machine, inputs, states map[string][]byte) []codegen.Result {
	t.Helper()
	for name, data := range states {
		if err := mach.SetLeaf(name, data); err != nil {
			t.Fatal(err)
		}
	}
	got, err := mach.Call(context.Background(), "f", inputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		data, err := mach.Leaf(name)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, codegen.Result{Name: name, Data: data})
	}
	return got
}

func TestRandomLoops(t *testing.T) { randomly(t, 40, (*author).loops) }

// Small programs of all ops, with loops, gradients and states that are replaced.
func TestRandomPrograms(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) *ir.Module {
		d := rapid.SampledFrom([]ir.DType{ir.F32, ir.Real, ir.BF16}).Draw(t, "dtype")
		return irtest.Draw(t, irtest.Config{Ops: 25, Kinks: true, DType: d}).Grad
	})
	for seed := range 60 {
		m := draw.Example(seed)
		src := m.String()
		if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, src)
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { compare(t, m, "f", cpu.Detect().Level, 2, 1e-3) })
	}
}

func TestRandomDots(t *testing.T) { randomly(t, 40, (*author).dot) }

package llvm

import (
	"math"
	"slices"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// solve emits two kernels: the first factors each matrix of the batch into UᵀU, a task each;
// the second solves Uᵀy = b and Ux = y for some columns of right hand sides a task.
func (u *unit) solve(fusion, op *ir.Op) {
	t := op.In[1].Type
	s := solver{n: t.Dims[t.Rank()-2].Size, c: t.Dims[t.Rank()-1].Size, lanes: u.module.ISA.Lanes()}
	batch := t.Size() / (s.n * s.c)
	given := func(i int) ref { return operandRef(fusion, slices.Index(fusion.Body.Params, op.In[i])) }
	factors := u.reserve(batch * s.n * s.n * ir.F32.Bytes())
	u.solveKernel(s, []ref{given(0), factors}, batch, s.factor)
	blocks := (s.c + s.lanes - 1) / s.lanes
	u.solveKernel(s, []ref{factors, given(1), resultRef(fusion, 0)}, batch*blocks, func(b *emit.Builder, p []value.Value, task value.Value) {
		system := b.UDiv(task, emit.Int(blocks))
		col := b.Mul(b.URem(task, emit.Int(blocks)), emit.Int(s.lanes))
		from := b.Add(b.Mul(system, emit.Int(s.n*s.c)), col)
		count := b.SMin(b.Sub(emit.Int(s.c), col), emit.Int(s.lanes))
		s.substitute(b, s.at(b, p[0], b.Mul(system, emit.Int(s.n*s.n))), s.at(b, p[1], from), s.at(b, p[2], from), b.TailMask(s.lanes, count))
	})
}

func (u *unit) solveKernel(s solver, args []ref, tasks int, body func(b *emit.Builder, p []value.Value, task value.Value)) {
	name := u.next()
	b, ka := u.module.Kernel(name)
	p := make([]value.Value, len(args))
	for i := range p {
		p[i] = b.LoadArg(ka.Args, i)
	}
	b.For("task", ka.Lo, ka.Hi, func(i value.Value) { body(b, p, i) })
	b.Ret(nil)
	u.calls = append(u.calls, call{name, args, tasks, 0})
}

// solver emits the solution of n equations with c right hand sides.
type solver struct{ n, c, lanes int }

func (s solver) at(b *emit.Builder, p, i value.Value) value.Value { return b.At(emit.F32, p, i) }

// entry is where element i, j of a square matrix lies.
func (s solver) entry(b *emit.Builder, p, i, j value.Value) value.Value {
	return s.at(b, p, b.Add(b.Mul(i, emit.Int(s.n)), j))
}

func (s solver) load(b *emit.Builder, p value.Value) value.Value { return b.Load(emit.F32, p, 4) }

// row runs over columns from..n, some lanes at a time.
func (s solver) row(b *emit.Builder, from value.Value, body func(j, mask value.Value)) {
	b.Loop("row", from, emit.Int(s.n), emit.Int(s.lanes), nil, func(j value.Value, _ []value.Value) []value.Value {
		body(j, b.TailMask(s.lanes, b.SMin(b.Sub(emit.Int(s.n), j), emit.Int(s.lanes))))
		return nil
	})
}

// factor emits Cholesky's factorisation of one matrix's symmetric part, row by row of U: the
// rest of the matrix loses what each row accounts for. A pivot that is not positive becomes
// NaN, which then spreads over the whole solution.
func (s solver) factor(b *emit.Builder, p []value.Value, task value.Value) {
	first := b.Mul(task, emit.Int(s.n*s.n))
	a, u := s.at(b, p[0], first), s.at(b, p[1], first)
	v := emit.Vec(emit.F32, s.lanes)
	s.symmetric(b, a, u)
	b.For("pivot", emit.Int(0), emit.Int(s.n), func(k value.Value) {
		at := s.entry(b, u, k, k)
		x := s.load(b, at)
		x = b.Select(b.FCmp(enum.FPredOGT, x, emit.Float(0)), b.Sqrt(x), emit.Float(math.NaN()))
		b.Store(x, at, 4)
		pivot, next := b.Splat(x, s.lanes), b.Add(k, emit.Int(1))
		s.row(b, next, func(j, mask value.Value) {
			at := s.entry(b, u, k, j)
			b.MaskedStore(b.FDiv(b.MaskedLoad(v, at, mask, 4), pivot), at, mask, 4)
		})
		b.For("below", next, emit.Int(s.n), func(i value.Value) {
			f := b.Splat(s.load(b, s.entry(b, u, k, i)), s.lanes)
			s.row(b, i, func(j, mask value.Value) {
				at := s.entry(b, u, i, j)
				x, y := b.MaskedLoad(v, at, mask, 4), b.MaskedLoad(v, s.entry(b, u, k, j), mask, 4)
				b.MaskedStore(b.FSub(x, b.FMul(f, y)), at, mask, 4)
			})
		})
	})
}

// symmetric copies the upper triangle of (A + Aᵀ)/2.
func (s solver) symmetric(b *emit.Builder, a, u value.Value) {
	b.For("i", emit.Int(0), emit.Int(s.n), func(i value.Value) {
		b.For("j", i, emit.Int(s.n), func(j value.Value) {
			x, y := s.load(b, s.entry(b, a, i, j)), s.load(b, s.entry(b, a, j, i))
			half := emit.Float(0.5)
			b.Store(b.FAdd(b.FMul(x, half), b.FMul(y, half)), s.entry(b, u, i, j), 4)
		})
	})
}

// substitute solves some columns forward, then backward.
func (s solver) substitute(b *emit.Builder, u, y, x, mask value.Value) {
	v := emit.Vec(emit.F32, s.lanes)
	place := func(p, i value.Value) value.Value { return s.at(b, p, b.Mul(i, emit.Int(s.c))) }
	rest := func(i, sum, lo, hi value.Value, factor func(k value.Value) value.Value) {
		end := b.Loop("known", lo, hi, emit.Int(1), []value.Value{sum}, func(k value.Value, sum []value.Value) []value.Value {
			f := b.Splat(s.load(b, factor(k)), s.lanes)
			return []value.Value{b.FSub(sum[0], b.FMul(f, b.MaskedLoad(v, place(x, k), mask, 4)))}
		})
		pivot := b.Splat(s.load(b, s.entry(b, u, i, i)), s.lanes)
		b.MaskedStore(b.FDiv(end[0], pivot), place(x, i), mask, 4)
	}
	b.For("forward", emit.Int(0), emit.Int(s.n), func(i value.Value) {
		rest(i, b.MaskedLoad(v, place(y, i), mask, 4), emit.Int(0), i, func(k value.Value) value.Value { return s.entry(b, u, k, i) })
	})
	b.For("backward", emit.Int(0), emit.Int(s.n), func(n value.Value) {
		i := b.Sub(emit.Int(s.n-1), n)
		rest(i, b.MaskedLoad(v, place(x, i), mask, 4), b.Add(i, emit.Int(1)), emit.Int(s.n), func(k value.Value) value.Value { return s.entry(b, u, i, k) })
	})
}

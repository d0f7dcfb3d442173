package stablehlo

import (
	"slices"

	"vitc/ir"
)

// operand is an operand of an op with a rule, and the factor of each of its dims, each once:
// where a factor stands twice, the op reads the diagonal.
func (e *emitter) operand(op *ir.Op, i int) (value, []int) {
	return e.undiagonal(e.of(op.In[i]), plainTerm(op.Rule.In[i]))
}

// plainTerm lists the factors of a term of one factor a dim.
func plainTerm(t ir.Term) []int {
	fs := make([]int, len(t))
	for i, d := range t {
		fs[i] = d[0]
	}
	return fs
}

// undiagonal sums the second dim of each repeated factor away, all but the diagonal being 0.
func (e *emitter) undiagonal(x value, term []int) (value, []int) {
	for j := 1; j < len(term); j++ {
		if i := slices.Index(term, term[j]); i < j {
			x = e.reduce("sum", e.diagonal(x, i, j), []int{j})
			return e.undiagonal(x, slices.Delete(slices.Clone(term), j, j+1))
		}
	}
	return x, term
}

// diagonal is x where the positions along two dims are equal, else 0.
func (e *emitter) diagonal(x value, i, j int) value {
	at := x.as(i32)
	return e.choose(e.compare("EQ", e.iota(at, i), e.iota(at, j)), x, e.constant(x.tensor, 0))
}

// arrange brings x, whose dims have the given factors, to the dims of others: sums what is not
// wanted, transposes, and repeats along what is missing.
func (e *emitter) arrange(x value, have, want []int, r ir.Rule) value {
	var extra, kept []int
	for i, f := range have {
		if slices.Contains(want, f) {
			kept = append(kept, f)
		} else {
			extra = append(extra, i)
		}
	}
	x = e.reduce("sum", x, extra)
	var perm, dims []int
	for i, f := range want {
		if k := slices.Index(kept, f); k >= 0 {
			perm, dims = append(perm, k), append(dims, i)
		}
	}
	shape := make([]int, len(want))
	for i, f := range want {
		shape[i] = r.Factors[f].Size
	}
	return e.broadcast(e.transpose(x, perm), shape, dims)
}

// result brings x to the dims of a result's term; a factor that stands twice there fills the
// diagonal, with 0 beside it.
func (e *emitter) result(x value, have []int, term ir.Term, r ir.Rule) value {
	want := plainTerm(term)
	var once, dims, shape []int
	for i, f := range want {
		shape = append(shape, r.Factors[f].Size)
		if !slices.Contains(once, f) {
			once, dims = append(once, f), append(dims, i)
		}
	}
	x = e.broadcast(e.arrange(x, have, once, r), shape, dims)
	for j, f := range want {
		if i := slices.Index(want, f); i < j {
			x = e.diagonal(x, i, j)
		}
	}
	return x
}

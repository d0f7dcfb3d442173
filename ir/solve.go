package ir

import "fmt"

func routineRows() []*Row {
	return []*Row{
		// solve A, b: the x with A·x = b, for symmetric positive definite A [.., n, n] in f32 and
		// b [.., n, c]; dims before those are a batch. What is solved with is (A + Aᵀ)/2. Where
		// that is not positive definite x is NaN: nothing traps.
		{Name: "solve", Class: Routine, In: 2, Out: 1, Types: solveTypes, Index: solveIndex, VJP: solveVJP},
	}
}

// Solve builds the x with A·x = b; see the row.
func (b *Builder) Solve(a, y *Value) *Value { return b.Apply("solve", nil, nil, a, y) }

func solveTypes(op *Op, want []Type) ([]Type, error) {
	a, y := op.In[0].Type, op.In[1].Type
	if a.DType != F32 || y.DType != F32 {
		return nil, fmt.Errorf("solve of %s and %s", a.DType, y.DType)
	}
	n := a.Rank() - 2
	if n < 0 || y.Rank() != a.Rank() || a.Dims[n].Size != a.Dims[n+1].Size ||
		!T(F32, a.Dims[:n+1]...).SameShape(T(F32, y.Dims[:n+1]...)) {
		return nil, fmt.Errorf("solve of %s and %s: wants [.., n, n] and [.., n, c]", a, y)
	}
	t := T(F32, append([]Dim(nil), y.Dims...)...)
	t.Dims[n] = a.Dims[n+1]
	return labelled(t, want), nil
}

// solveIndex is [bpq,bpc->bqc] with p and q whole.
func solveIndex(op *Op) Rule {
	a, y := op.In[0].Type, op.In[1].Type
	n := a.Rank() - 2
	r := PointwiseRule([]Type{a}, a)
	c := len(r.Factors)
	r.Factors[n].Kind, r.Factors[n+1].Kind = Whole, Whole
	r.Factors = append(r.Factors, Factor{Name: factorNames[c%len(factorNames)], Size: y.Dims[n+1].Size})
	batch := r.Out[0][:n:n]
	r.In = append(r.In, append(batch, DimFactors{n}, DimFactors{c}))
	r.Out = []Term{append(batch, DimFactors{n + 1}, DimFactors{c})}
	return r
}

// solveVJP: with z = solve(A, d), db = z and dA = -z·xᵀ, of which A's symmetric part, the only
// one that counts, gets the symmetric part.
func solveVJP(b *Builder, op *Op, d []*Value) []*Value {
	a, x := op.In[0], op.Out[0]
	z := b.Apply("solve", nil, &op.In[1].Type, a, d[0])
	r := RuleOf(op)
	g := b.MulC(b.DotTo(z, x, r.Swap([]Term{r.In[1], r.Out[0]}, r.In[0]), a.Type.Dims), -0.5)
	n := a.Type.Rank() - 2
	turned := append(append(Term{}, r.In[0][:n]...), r.In[0][n+1], r.In[0][n])
	return []*Value{b.Add(g, b.Rearrange(g, r.Swap([]Term{r.In[0]}, turned), a.Type.Dims)), z}
}

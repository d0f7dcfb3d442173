package interp

import "vitc/ir"

// along sees a tensor as outer × n × inner around one dim.
func along(t ir.Type, dim int) (outer, n, inner int) {
	inner = t.Strides()[dim]
	n = t.Dims[dim].Size
	return t.Size() / (n * inner), n, inner
}

// moveDim copies count positions of a dim, from one place in one tensor to another in another.
func moveDim(from, to ir.Type, dim, src, dst, count int) func(x, y []float64) {
	outer, n, inner := along(from, dim)
	_, m, _ := along(to, dim)
	return func(x, y []float64) {
		for o := range outer {
			i, j := (o*n+src)*inner, (o*m+dst)*inner
			copy(y[j:j+count*inner], x[i:i+count*inner])
		}
	}
}

func slice(op *ir.Op) body {
	a := op.Attrs.(*ir.SliceAttrs)
	f := moveDim(op.In[0].Type, op.Out[0].Type, a.Dim, a.From, 0, a.To-a.From)
	return func(in [][]float64, out []float64) { f(in[0], out) }
}

func pad(op *ir.Op) body {
	a := op.Attrs.(*ir.PadAttrs)
	f := moveDim(op.In[0].Type, op.Out[0].Type, a.Dim, 0, a.Lo, op.In[0].Type.Dims[a.Dim].Size)
	return func(in [][]float64, out []float64) { f(in[0], out) }
}

// roll moves the head of the dim to place by, and the tail to the beginning.
func roll(op *ir.Op) body {
	a, t := op.Attrs.(*ir.RollAttrs), op.In[0].Type
	n := t.Dims[a.Dim].Size
	by := (a.By%n + n) % n
	head := moveDim(t, t, a.Dim, 0, by, n-by)
	tail := moveDim(t, t, a.Dim, n-by, 0, by)
	return func(in [][]float64, out []float64) {
		head(in[0], out)
		tail(in[0], out)
	}
}

func concat(op *ir.Op) body {
	dim, at := op.Attrs.(*ir.ConcatAttrs).Dim, 0
	moves := make([]func(x, y []float64), len(op.In))
	for i, v := range op.In {
		n := v.Type.Dims[dim].Size
		moves[i] = moveDim(v.Type, op.Out[0].Type, dim, 0, at, n)
		at += n
	}
	return func(in [][]float64, out []float64) {
		for i, f := range moves {
			f(in[i], out)
		}
	}
}

// argmax gives the first of the largest, or the first NaN.
func argmax(op *ir.Op) body {
	outer, n, inner := along(op.In[0].Type, op.Attrs.(*ir.ArgmaxAttrs).Dim)
	return func(in [][]float64, out []float64) {
		x := in[0]
		for o := range outer {
			for i := range inner {
				base, best := o*n*inner+i, 0
				for k := 1; k < n; k++ {
					if v, w := x[base+k*inner], x[base+best*inner]; w == w && (v > w || v != v) {
						best = k
					}
				}
				out[o*inner+i] = float64(best)
			}
		}
	}
}

// lookup is the loop nest of a gather or scatter_add without the looked-up factor, over the
// tensor that has it (at position 0 of it), the ids, and the other; and that factor's stride and
// size.
func lookup(op *ir.Op, has, ids, other ir.Term, types [3]ir.Type) (n nest, stride, size int) {
	r := op.Rule
	looked, err := ir.Looked(op)
	if err != nil {
		panic(&ir.Bug{Msg: err.Error(), Pos: op.Pos}) // the verifier has let it pass
	}
	byFactor := factorStrides(r, has, types[0])
	var order []int
	for _, f := range factorsOf(other, ids, has) {
		if f != looked {
			order = append(order, f)
		}
	}
	n = newNest(r, order, byFactor, factorStrides(r, ids, types[1]), factorStrides(r, other, types[2]))
	return n, byFactor[looked], r.Factors[looked].Size
}

// picks calls f with the places of the table and of the other tensor, for the ids in range.
func picks(n nest, stride, size int, ids []float64, f func(table, other int)) {
	count, step := n.inner()
	n.rows(func(at []int) {
		t, i, o := at[0], at[1], at[2]
		for range count {
			if id := int(ids[i]); id >= 0 && id < size {
				f(t+id*stride, o)
			}
			t, i, o = t+step[0], i+step[1], o+step[2]
		}
	})
}

// gather leaves zeros where an id is out of range.
func gather(op *ir.Op) body {
	n, stride, size := lookup(op, op.Rule.In[0], op.Rule.In[1], op.Rule.Out[0],
		[3]ir.Type{op.In[0].Type, op.In[1].Type, op.Out[0].Type})
	return func(in [][]float64, out []float64) {
		picks(n, stride, size, in[1], func(t, o int) { out[o] = in[0][t] })
	}
}

// scatterAdd drops what has an id out of range.
func scatterAdd(op *ir.Op) body {
	n, stride, size := lookup(op, op.Rule.Out[0], op.Rule.In[0], op.Rule.In[1],
		[3]ir.Type{op.Out[0].Type, op.In[0].Type, op.In[1].Type})
	return func(in [][]float64, out []float64) {
		picks(n, stride, size, in[0], func(t, o int) { out[t] += in[1][o] })
	}
}

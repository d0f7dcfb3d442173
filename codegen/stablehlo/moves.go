package stablehlo

import "vitc/ir"

func slice(e *emitter, op *ir.Op) []value {
	a := op.Attrs.(*ir.SliceAttrs)
	return []value{e.cut(e.of(op.In[0]), a.Dim, a.From, a.To, 1)}
}

func pad(e *emitter, op *ir.Op) []value {
	a := op.Attrs.(*ir.PadAttrs)
	return []value{e.pad(e.of(op.In[0]), 0, a.Dim, a.Lo, a.Hi)}
}

// roll puts the tail of a dim before its head.
func roll(e *emitter, op *ir.Op) []value {
	a, x := op.Attrs.(*ir.RollAttrs), e.of(op.In[0])
	n := x.shape[a.Dim]
	by := (a.By%n + n) % n
	if by == 0 {
		return []value{x}
	}
	return []value{e.concat(a.Dim, e.cut(x, a.Dim, n-by, n, 1), e.cut(x, a.Dim, 0, n-by, 1))}
}

func concat(e *emitter, op *ir.Op) []value {
	return []value{e.concat(op.Attrs.(*ir.ConcatAttrs).Dim, e.all(op.In)...)}
}

// argmax is the least position of those that hold the largest; where that is NaN, of the NaNs,
// which alone differ from themselves.
func argmax(e *emitter, op *ir.Op) []value {
	x, dim := e.of(op.In[0]), op.Attrs.(*ir.ArgmaxAttrs).Dim
	var others []int
	for i := range x.shape {
		if i != dim {
			others = append(others, i)
		}
	}
	won := e.compare("EQ", x, e.broadcast(e.reduce("max", x, []int{dim}), x.shape, others))
	if x.elem.float() {
		won = e.binary("or", won, e.compare("NE", x, x))
	}
	at := x.as(i32)
	places := e.choose(won, e.iota(at, dim), e.constant(at, float64(x.shape[dim])))
	return []value{e.reduce("min", places, []int{dim})}
}

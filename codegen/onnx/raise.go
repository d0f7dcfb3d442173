package onnx

import (
	"math"
	"slices"

	"vitc/ir"
)

// What runtimes have kernels for is written as one operator: layer normalisation, softmax, GELU and
// convolution, recognised by the ops that they expand to. Those ops have been written when the
// last of them is reached; what nothing reads is pruned in the end.

// raise writes an op that ends one of the patterns, nil where it ends none.
func (e *emitter) raise(op *ir.Op, env environment) *value {
	switch op.Row.Name {
	case "mul":
		if g := geluOf(op); g != nil {
			return e.emit("Gelu", op.Out[0].Type, e.nameList(e.full(e.of(env, g.x))), attribute{"approximate", g.form})
		}
		return e.norm(normOf(op.Out[0]), op, env)
	case "add":
		return e.norm(normOf(op.Out[0]), op, env)
	case "div":
		if x, axis := softmaxOf(op); x != nil {
			return e.emit("Softmax", op.Out[0].Type, e.nameList(e.full(e.of(env, x))), attribute{"axis", axis})
		}
	case "dot":
		if c := convOf(op); c != nil {
			return e.conv(c, op, env)
		}
	}
	return nil
}

// made is the op that makes a value, if it is of the row; else nil.
func made(v *ir.Value, row string) *ir.Op {
	if v.Def != nil && v.Def.Row.Name == row {
		return v.Def
	}
	return nil
}

// isNear reports whether a value is a literal that f32 rounds to x.
func isNear(v *ir.Value, x float64) bool { return v.Lit != nil && float32(*v.Lit) == float32(x) }

// split finds an operand of a commutative op for which ok holds, and the other one.
func split(op *ir.Op, ok func(*ir.Value) bool) (found, other *ir.Value) {
	for i, v := range op.In {
		if ok(v) {
			return v, op.In[1-i]
		}
	}
	return nil, nil
}

// dropped is the dim of the longer term that the shorter lacks, the others standing in the same
// order; -1 where that is not so.
func dropped(long, short ir.Term) int {
	a, b := flat(long), flat(short)
	if len(a) != len(b)+1 {
		return -1
	}
	k := 0
	for k < len(b) && a[k] == b[k] {
		k++
	}
	if !slices.Equal(a[k+1:], b[k:]) {
		return -1
	}
	return k
}

// spread is what a broadcast repeats along one new dim, and that dim.
func spread(v *ir.Value) (x *ir.Value, dim int) {
	op := made(v, "broadcast")
	if op == nil {
		return nil, -1
	}
	if dim = dropped(op.Rule.Out[0], op.Rule.In[0]); dim < 0 {
		return nil, -1
	}
	return op.In[0], dim
}

// reduced is what is reduced along one dim by kind, and that dim.
func reduced(v *ir.Value, kind string) (x *ir.Value, dim int) {
	op := made(v, "reduce")
	if op == nil || op.Attrs.(*ir.ReduceAttrs).Kind != kind {
		return nil, -1
	}
	if dim = dropped(op.Rule.In[0], op.Rule.Out[0]); dim < 0 {
		return nil, -1
	}
	return op.In[0], dim
}

// repeats is the x of which v repeats a reduction along the dim that it reduced, and that dim.
func repeats(v *ir.Value, reduction func(*ir.Value) (*ir.Value, int)) (x *ir.Value, dim int) {
	r, at := spread(v)
	if r == nil {
		return nil, -1
	}
	if x, dim = reduction(r); x == nil || dim != at {
		return nil, -1
	}
	return x, dim
}

// softmaxOf recognises exp(x - max x) / sum of itself along one dim.
func softmaxOf(op *ir.Op) (x *ir.Value, axis int) {
	e := made(op.In[0], "exp")
	sum, axis := repeats(op.In[1], func(v *ir.Value) (*ir.Value, int) { return reduced(v, "sum") })
	if e == nil || sum != op.In[0] {
		return nil, -1
	}
	less := made(e.In[0], "sub")
	if less == nil {
		return nil, -1
	}
	most, at := repeats(less.In[1], func(v *ir.Value) (*ir.Value, int) { return reduced(v, "max") })
	if most == nil || most != less.In[0] || at != axis {
		return nil, -1
	}
	return most, axis
}

// gelu is a GELU of x, in ONNX's name of its form.
type gelu struct {
	x    *ir.Value
	form string
}

// geluOf recognises (0.5 x)(1 + erf(x / sqrt 2)) and (0.5 x)(1 + tanh(sqrt(2/pi)(x + 0.044715 x³))).
func geluOf(op *ir.Op) *gelu {
	half, rest := split(op, func(v *ir.Value) bool {
		m := made(v, "mul")
		return m != nil && (isNear(m.In[0], 0.5) || isNear(m.In[1], 0.5))
	})
	if half == nil || made(rest, "add") == nil {
		return nil
	}
	_, x := split(half.Def, func(v *ir.Value) bool { return isNear(v, 0.5) })
	one, s := split(rest.Def, func(v *ir.Value) bool { return isNear(v, 1) })
	if one == nil {
		return nil
	}
	if f := made(s, "erf"); f != nil {
		if d := made(f.In[0], "div"); d != nil && d.In[0] == x && isNear(d.In[1], math.Sqrt2) {
			return &gelu{x, "none"}
		}
	}
	if f := made(s, "tanh"); f != nil && isTanhArgument(f.In[0], x) {
		return &gelu{x, "tanh"}
	}
	return nil
}

func isTanhArgument(v, x *ir.Value) bool {
	sum := factorOf(v, math.Sqrt(2/math.Pi))
	if sum == nil || made(sum, "add") == nil {
		return false
	}
	_, cubic := split(sum.Def, func(v *ir.Value) bool { return v == x })
	if cubic == nil {
		return false
	}
	cube := factorOf(cubic, 0.044715)
	if cube == nil || made(cube, "mul") == nil {
		return false
	}
	_, square := split(cube.Def, func(v *ir.Value) bool { return v == x })
	s := (*ir.Op)(nil)
	if square != nil {
		s = made(square, "mul")
	}
	return s != nil && s.In[0] == x && s.In[1] == x
}

// factorOf is the other operand of a product with a number, nil where v is none. Programs write
// their numbers with few digits.
func factorOf(v *ir.Value, c float64) *ir.Value {
	m := made(v, "mul")
	if m == nil {
		return nil
	}
	_, other := split(m, func(v *ir.Value) bool { return v.Lit != nil && math.Abs(*v.Lit-c) < 1e-7*c })
	return other
}

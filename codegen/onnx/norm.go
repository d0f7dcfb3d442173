package onnx

import (
	"encoding/binary"
	"math"

	"vitc/ir"
)

// norm is a layer normalisation along the last dim; gain and shift are vectors, nil where there
// are none.
type norm struct {
	x           *ir.Value
	eps         float64
	gain, shift *ir.Value
}

// normOf recognises c·rsqrt(mean(c²) + eps), c = x - mean(x), times a gain, plus a shift.
func normOf(v *ir.Value) *norm {
	if add := made(v, "add"); add != nil {
		for i, side := range add.In {
			n := scaledOf(side)
			if shift := vector(add.In[1-i]); n != nil && shift != nil {
				n.shift = shift
				return n
			}
		}
		return nil
	}
	return scaledOf(v)
}

// scaledOf recognises a norm without a shift.
func scaledOf(v *ir.Value) *norm {
	mul := made(v, "mul")
	if mul == nil {
		return nil
	}
	for i, side := range mul.In {
		if n := centredOf(side, mul.In[1-i]); n != nil {
			return n
		}
		inner := made(side, "mul")
		gain := vector(mul.In[1-i])
		if inner == nil || gain == nil {
			continue
		}
		for k := range inner.In {
			if n := centredOf(inner.In[k], inner.In[1-k]); n != nil {
				n.gain = gain
				return n
			}
		}
	}
	return nil
}

// centredOf recognises c = x - mean(x) times the repeated reciprocal of its deviation.
func centredOf(c, r *ir.Value) *norm {
	sub := made(c, "sub")
	root, dim := spread(r)
	if sub == nil || root == nil || dim != c.Type.Rank()-1 || made(root, "rsqrt") == nil {
		return nil
	}
	x, at := repeats(sub.In[1], meanOf)
	if x == nil || x != sub.In[0] || at != dim {
		return nil
	}
	add := made(root.Def.In[0], "add")
	if add == nil || add.In[1].Lit == nil {
		return nil
	}
	square, at := meanOf(add.In[0])
	if square == nil || at != dim {
		return nil
	}
	if m := made(square, "mul"); m == nil || m.In[0] != c || m.In[1] != c {
		return nil
	}
	return &norm{x: x, eps: *add.In[1].Lit}
}

// meanOf is what is averaged along one dim.
func meanOf(v *ir.Value) (x *ir.Value, dim int) {
	m := made(v, "mul")
	if m == nil {
		return nil, -1
	}
	lit, sum := split(m, func(v *ir.Value) bool { return v.Lit != nil })
	if lit == nil {
		return nil, -1
	}
	if x, dim = reduced(sum, "sum"); x == nil || !isNear(lit, 1/float64(x.Type.Dims[dim].Size)) {
		return nil, -1
	}
	return x, dim
}

// vector is what a broadcast repeats along all dims but the last, nil for anything else.
func vector(v *ir.Value) *ir.Value {
	op := made(v, "broadcast")
	if op == nil || len(op.Rule.In[0]) != 1 || op.Rule.In[0][0][0] != op.Rule.Out[0][len(op.Rule.Out[0])-1][0] {
		return nil
	}
	return op.In[0]
}

// norm writes a LayerNormalization, whose gain ONNX demands.
func (e *emitter) norm(n *norm, op *ir.Op, env environment) *value {
	if n == nil {
		return nil
	}
	t := op.Out[0].Type
	last := t.Dims[t.Rank()-1]
	inputs := e.nameList(e.full(e.of(env, n.x)))
	if n.gain != nil {
		inputs = append(inputs, e.name(e.full(e.of(env, n.gain))))
	} else {
		inputs = append(inputs, e.name(ones(last)))
	}
	if n.shift != nil {
		inputs = append(inputs, e.name(e.full(e.of(env, n.shift))))
	}
	return e.emit("LayerNormalization", t, inputs, attribute{"axis", -1}, attribute{"epsilon", n.eps})
}

func ones(d ir.Dim) *value {
	v := &value{t: ir.T(ir.F32, d), name: "ones"}
	for range d.Size {
		v.data = binary.LittleEndian.AppendUint32(v.data, math.Float32bits(1))
	}
	return v
}

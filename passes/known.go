package passes

import (
	"fmt"
	"slices"

	"vitc/ir"
)

// knownValue gives the value that an op of one result is known to have, nil if none is.
func knownValue(b *ir.Builder, op *ir.Op) *ir.Value {
	if len(op.Out) != 1 || op.Body != nil {
		return nil
	}
	for _, rule := range []func(*ir.Builder, *ir.Op) *ir.Value{foldFloats, identities, powers, views, scalars} {
		if v := rule(b, op); v != nil && (v.Lit == nil || op.Out[0].Type.Rank() == 0) && v.Type.Same(op.Out[0].Type) {
			return v
		}
	}
	return nil
}

// foldFloats computes pointwise float ops of literals.
func foldFloats(b *ir.Builder, op *ir.Op) *ir.Value {
	if op.Row.Class != ir.Pointwise || !op.Out[0].Type.DType.Float() || op.Row.Scalar == nil {
		return nil
	}
	x := make([]float64, len(op.In))
	for i, v := range op.In {
		if v.Lit == nil {
			return nil
		}
		x[i] = *v.Lit
	}
	return ir.Literal(op.Out[0].Type.DType, op.Row.Scalar(op.Attrs, x))
}

// identities: x+0, x-0, x·1, x/1, x^1, select of one value, casts to the same dtype.
func identities(_ *ir.Builder, op *ir.Op) *ir.Value {
	in := func(i int) *ir.Value { return op.In[i] }
	switch op.Row.Name {
	case "add", "or", "xor":
		if in(1).Is(0) {
			return in(0)
		}
		if in(0).Is(0) {
			return in(1)
		}
	case "sub", "shl", "shr":
		if in(1).Is(0) {
			return in(0)
		}
	case "mul":
		if in(1).Is(1) {
			return in(0)
		}
		if in(0).Is(1) {
			return in(1)
		}
	case "div", "pow":
		if in(1).Is(1) {
			return in(0)
		}
	case "select":
		if in(1) == in(2) {
			return in(1)
		}
		if in(0).Lit != nil {
			if in(0).Is(0) {
				return in(2)
			}
			return in(1)
		}
	case "cast":
		if in(0).Type.DType == op.Out[0].Type.DType {
			return in(0)
		}
	case "neg":
		if d := in(0).Def; d != nil && d.Row.Name == "neg" {
			return d.In[0]
		}
	}
	return nil
}

// powers turns small whole exponents into products, and halves into square roots: these are as
// pow but at -infinity, whose power is infinity or 0 and whose root is NaN.
func powers(b *ir.Builder, op *ir.Op) *ir.Value {
	if op.Row.Name != "pow" || op.In[1].Lit == nil {
		return nil
	}
	x, p := op.In[0], *op.In[1].Lit
	switch p {
	case 2:
		return b.Mul(x, x)
	case 3:
		return b.Mul(x, b.Mul(x, x))
	case 0.5:
		return b.Unary("sqrt", x)
	case -0.5:
		return b.Unary("rsqrt", x)
	case -1:
		return b.Div(b.Num(x, 1), x)
	}
	return nil
}

// views: rearranges, slices, pads and rolls that move nothing; rearranges of rearranges that
// undo each other; broadcasts over nothing new; windows of one position, which are only a dim
// of size 1.
func views(b *ir.Builder, op *ir.Op) *ir.Value {
	x := op.Out[0]
	switch op.Row.Name {
	case "rearrange", "broadcast":
		if op.In[0].Lit != nil {
			return nil // a region's yield, spread because it may not be a literal
		}
		if termsEqual(op.Rule.In[0], op.Rule.Out[0]) {
			return op.In[0]
		}
		d := op.In[0].Def
		if d != nil && d.Row.Name == op.Row.Name && op.Row.Name == "rearrange" && undoes(d, op) {
			return d.In[0]
		}
	case "slice", "pad":
		if op.In[0].Type.SameShape(x.Type) {
			return op.In[0]
		}
	case "roll":
		a := op.Attrs.(*ir.RollAttrs)
		if a.By%x.Type.Dims[a.Dim].Size == 0 {
			return op.In[0]
		}
	case "window", "unwindow":
		return single(b, op)
	}
	return nil
}

// single turns windows of one position, one for each position, into a view.
func single(b *ir.Builder, op *ir.Op) *ir.Value {
	a := op.Attrs.(*ir.WindowAttrs)
	if a.Size != 1 || a.Stride != 1 || a.Lo != 0 || a.Hi != 0 {
		return nil
	}
	full := op.Out[0]
	if op.Row.Name == "unwindow" {
		full = op.In[0]
	}
	r := ir.PointwiseRule([]ir.Type{full.Type}, full.Type)
	with, without := slices.Clone(r.Out[0]), slices.Clone(r.Out[0])
	with[a.Dim+1] = ir.DimFactors{}
	without = slices.Delete(without, a.Dim+1, a.Dim+2)
	if op.Row.Name == "window" {
		return b.Rearrange(op.In[0], r.Swap([]ir.Term{without}, with), full.Type.Dims)
	}
	return b.Rearrange(op.In[0], r.Swap([]ir.Term{with}, without), op.Out[0].Type.Dims)
}

// scalars computes on scalars what would be computed on scalars spread, and spreads the result.
func scalars(b *ir.Builder, op *ir.Op) *ir.Value {
	if op.Row.Class != ir.Pointwise || op.Out[0].Type.Rank() == 0 {
		return nil
	}
	in := make([]*ir.Value, len(op.In))
	for i, v := range op.In {
		switch {
		case v.Type.Rank() == 0:
			in[i] = v
		case v.Def != nil && v.Def.Row.Name == "broadcast" && v.Def.In[0].Type.Rank() == 0:
			in[i] = v.Def.In[0]
		default:
			return nil
		}
	}
	t := ir.Type{DType: op.Out[0].Type.DType}
	return b.Fill(b.Apply(op.Row.Name, op.Attrs, &t, in...), op.Out[0].Type.Dims)
}

func termsEqual(a, b ir.Term) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// undoes reports whether the second rearrange brings back the first's operand: its rule is the
// first's turned round.
func undoes(first, second *ir.Op) bool {
	back := first.Rule.Swap(first.Rule.Out, first.Rule.In[0])
	if !first.In[0].Type.Same(second.Out[0].Type) || len(back.Factors) != len(second.Rule.Factors) {
		return false
	}
	s := second.Rule.Swap(second.Rule.In, second.Rule.Out[0])
	for i := range back.Factors {
		if back.Factors[i].Size != s.Factors[i].Size {
			return false
		}
	}
	return termsEqual(back.In[0], s.In[0]) && termsEqual(back.Out[0], s.Out[0])
}

// joinScalars lets a pointwise op take a spread scalar as the scalar it is, where another
// operand already has the shape.
func joinScalars(op *ir.Op) {
	if op.Row.Class != ir.Pointwise {
		return
	}
	for i, v := range op.In {
		if v.Def == nil || v.Def.Row.Name != "broadcast" || v.Def.In[0].Type.Rank() != 0 {
			continue
		}
		for j, w := range op.In {
			if j != i && w.Type.Rank() > 0 {
				op.In[i] = v.Def.In[0]
				break
			}
		}
	}
}

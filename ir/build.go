package ir

import "vitc/ir/diag"

// Builder appends ops to a region. A call that breaks a row's rule is a bug of the caller, and
// panics with *Bug: front ends check first, and the pass driver recovers.
type Builder struct {
	Region *Region
	Pos    *diag.Loc // given to what is built
}

// Emit infers an op's results, appends it and returns them.
func (b *Builder) Emit(op *Op, want []Type) []*Value {
	types, err := infer(op, want)
	if err != nil {
		panic(&Bug{Msg: err.Error(), Pos: b.Pos})
	}
	if op.Pos == nil {
		op.Pos = b.Pos
	}
	op.Out = make([]*Value, len(types))
	for i, t := range types {
		op.Out[i] = &Value{Type: t, Def: op, Pos: op.Pos}
	}
	b.Region.Ops = append(b.Region.Ops, op)
	return op.Out
}

// Apply builds an op of one result that carries no rule.
func (b *Builder) Apply(name string, attrs any, want *Type, in ...*Value) *Value {
	return b.Carry(name, attrs, Rule{}, want, in...)
}

// Carry builds an op of one result with the rule it carries.
func (b *Builder) Carry(name string, attrs any, rule Rule, want *Type, in ...*Value) *Value {
	row := Lookup(name)
	if row == nil {
		panic(&Bug{Msg: "no op " + name, Pos: b.Pos})
	}
	if attrs == nil && row.Attrs != nil {
		attrs = row.Attrs()
	}
	if v := foldLiterals(row, attrs, in); v != nil {
		return v
	}
	var ws []Type
	if want != nil {
		ws = []Type{*want}
	}
	return b.Emit(&Op{Row: row, In: in, Rule: rule, Attrs: attrs}, ws)[0]
}

// foldLiterals computes a pointwise op of float literals.
func foldLiterals(row *Row, attrs any, in []*Value) *Value {
	if row.Class != Pointwise || row.Name == "cast" || row.Name == "compare" || row.Name == "select" {
		return nil
	}
	x := make([]float64, len(in))
	for i, v := range in {
		if v.Lit == nil || !v.Type.DType.Float() {
			return nil
		}
		x[i] = *v.Lit
	}
	return Literal(in[0].Type.DType, row.Scalar(attrs, x))
}

// Num is a literal of the dtype of like.
func (b *Builder) Num(like *Value, x float64) *Value { return Literal(like.Type.DType, x) }

// Unary and Binary build pointwise ops by name.
func (b *Builder) Unary(name string, x *Value) *Value { return b.Apply(name, nil, nil, x) }

// Binary builds x op y.
func (b *Builder) Binary(name string, x, y *Value) *Value { return b.Apply(name, nil, nil, x, y) }

// Neg is -x.
func (b *Builder) Neg(x *Value) *Value { return b.Unary("neg", x) }

// Add is x + y.
func (b *Builder) Add(x, y *Value) *Value { return b.Binary("add", x, y) }

// Sub is x - y.
func (b *Builder) Sub(x, y *Value) *Value { return b.Binary("sub", x, y) }

// Mul is x * y.
func (b *Builder) Mul(x, y *Value) *Value { return b.Binary("mul", x, y) }

// Div is x / y.
func (b *Builder) Div(x, y *Value) *Value { return b.Binary("div", x, y) }

// AddC is x + c.
func (b *Builder) AddC(x *Value, c float64) *Value { return b.Add(x, b.Num(x, c)) }

// MulC is x * c.
func (b *Builder) MulC(x *Value, c float64) *Value { return b.Mul(x, b.Num(x, c)) }

// Cast converts x; to its own dtype it is x.
func (b *Builder) Cast(x *Value, to DType) *Value {
	if x.Type.DType == to {
		return x
	}
	if x.Lit != nil {
		return Literal(to, Convert(*x.Lit, x.Type.DType, to))
	}
	t := x.Type.As(to)
	return b.Apply("cast", nil, &t, x)
}

// Compare builds a comparison: eq ne lt le gt ge.
func (b *Builder) Compare(dir string, x, y *Value) *Value {
	return b.Apply("compare", &CompareAttrs{dir}, nil, x, y)
}

// Select is x where c, else y.
func (b *Builder) Select(c, x, y *Value) *Value { return b.Apply("select", nil, nil, c, x, y) }

// Dot builds a product with its rule; DotTo also names the result's dims.
func (b *Builder) Dot(x, y *Value, r Rule) *Value { return b.Carry("dot", nil, r, nil, x, y) }

// DotTo builds a product whose result has the given dims.
func (b *Builder) DotTo(x, y *Value, r Rule, dims []Dim) *Value {
	t := T(x.Type.DType, dims...)
	return b.Carry("dot", nil, r, &t, x, y)
}

// ReduceTo reduces by kind (sum, max, min) to the given dims.
func (b *Builder) ReduceTo(kind string, x *Value, r Rule, dims []Dim) *Value {
	t := T(x.Type.DType, dims...)
	return b.Carry("reduce", &ReduceAttrs{kind}, r, &t, x)
}

// SumAll sums every element.
func (b *Builder) SumAll(x *Value) *Value {
	r := PointwiseRule([]Type{x.Type}, x.Type)
	return b.ReduceTo("sum", x, r.Swap(r.In, Term{}), nil)
}

// Broadcast spreads x over the given dims.
func (b *Builder) Broadcast(x *Value, r Rule, dims []Dim) *Value {
	t := T(x.Type.DType, dims...)
	return b.Carry("broadcast", nil, r, &t, x)
}

// Fill is a tensor of one value: a rank-0 value spread over dims.
func (b *Builder) Fill(x *Value, dims []Dim) *Value {
	t := T(x.Type.DType, dims...)
	r := PointwiseRule([]Type{x.Type}, t)
	return b.Broadcast(x, r, dims)
}

// Rearrange splits, permutes and merges dims.
func (b *Builder) Rearrange(x *Value, r Rule, dims []Dim) *Value {
	t := T(x.Type.DType, dims...)
	return b.Carry("rearrange", nil, r, &t, x)
}

// Iota gives each element its position along a dim.
func (b *Builder) Iota(t Type, dim int) *Value { return b.Apply("iota", &IotaAttrs{dim}, &t) }

// RngBits draws u32 words, from the beginning or from one position a dim; see the row.
func (b *Builder) RngBits(key, at *Value, dims []Dim, strides []int, from ...*Value) *Value {
	t := T(U32, dims...)
	return b.Apply("rng_bits", &RngAttrs{strides}, &t, append([]*Value{key, at}, from...)...)
}

// Slice keeps positions from..to of a dim.
func (b *Builder) Slice(x *Value, dim, from, to int) *Value {
	return b.Apply("slice", &SliceAttrs{dim, from, to}, nil, x)
}

// Pad adds zeros around a dim.
func (b *Builder) Pad(x *Value, dim, lo, hi int) *Value {
	return b.Apply("pad", &PadAttrs{dim, lo, hi}, nil, x)
}

// Roll turns a dim.
func (b *Builder) Roll(x *Value, dim, by int) *Value {
	return b.Apply("roll", &RollAttrs{dim, by}, nil, x)
}

// Concat joins values along a dim.
func (b *Builder) Concat(dim int, in ...*Value) *Value {
	return b.Apply("concat", &ConcatAttrs{dim}, nil, in...)
}

// Argmax gives the first position of the largest element along a dim.
func (b *Builder) Argmax(x *Value, dim int) *Value {
	return b.Apply("argmax", &ArgmaxAttrs{dim}, nil, x)
}

// Scan builds a loop from a finished, closed body.
func (b *Builder) Scan(a ScanAttrs, in []*Value, body *Region) []*Value {
	return b.Emit(&Op{Row: Lookup("scan"), In: in, Attrs: &a, Body: body}, nil)
}

// Param adds a parameter to the region.
func (b *Builder) Param(name string, t Type) *Value {
	v := &Value{Name: name, Type: t, Pos: b.Pos}
	b.Region.Params = append(b.Region.Params, v)
	return v
}

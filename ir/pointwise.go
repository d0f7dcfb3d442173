package ir

import (
	"fmt"
	"math"
)

// Pointwise rows: one scalar body at every position. A rank-0 operand joins any of them.

// domain says which dtypes a pointwise row takes.
type domain uint8

const (
	floats domain = 1 << iota
	ints
	bools
	numbers = floats | ints
)

func (d domain) admits(t DType) bool {
	switch {
	case t.Float():
		return d&floats != 0
	case t == Bool:
		return d&bools != 0
	}
	return d&ints != 0
}

// pointTypes is the typing of rows whose operands and result share a dtype.
func pointTypes(dom domain) func(*Op, []Type) ([]Type, error) {
	return func(op *Op, _ []Type) ([]Type, error) {
		t, err := joinShapes(op.In)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op.Row.Name, err)
		}
		for _, v := range op.In {
			if v.Type.DType != op.In[0].Type.DType {
				return nil, fmt.Errorf("%s of %s and %s", op.Row.Name, op.In[0].Type.DType, v.Type.DType)
			}
		}
		if !dom.admits(op.In[0].Type.DType) {
			return nil, fmt.Errorf("%s does not take %s", op.Row.Name, op.In[0].Type.DType)
		}
		return []Type{t.As(op.In[0].Type.DType)}, nil
	}
}

// joinShapes is the shape of the operands of rank above 0, which must agree.
func joinShapes(in []*Value) (Type, error) {
	var t Type
	ranked := false
	for _, v := range in {
		switch {
		case v.Type.Rank() == 0:
		case !ranked:
			t, ranked = v.Type, true
		case !t.SameShape(v.Type):
			return t, fmt.Errorf("operands %s and %s differ", t, v.Type)
		}
	}
	return t, nil
}

func pointIndex(op *Op) Rule { return PointwiseRule(typesOf(op.In), op.Out[0].Type) }

type vjp func(b *Builder, op *Op, d *Value) []*Value

func point(name string, in int, dom domain, flops int, f func(x []float64) float64, g vjp) *Row {
	r := &Row{Name: name, Class: Pointwise, In: in, Out: 1, Types: pointTypes(dom), Index: pointIndex, Flops: flops,
		Scalar: func(_ any, x []float64) float64 { return f(x) }}
	if g != nil {
		r.VJP = func(b *Builder, op *Op, d []*Value) []*Value {
			out := g(b, op, d[0])
			for i := range out {
				out[i] = sumTo(b, out[i], op.In[i])
			}
			return out
		}
	}
	return r
}

// sumTo reduces the cotangent of a rank-0 operand that joined a ranked op.
func sumTo(b *Builder, d, operand *Value) *Value {
	if d == nil || operand.Lit != nil || operand.Type.Rank() > 0 || d.Type.Rank() == 0 {
		return d
	}
	return b.SumAll(d)
}

func one(d *Value) []*Value { return []*Value{d} }

func unaryRows() []*Row {
	f1 := func(f func(float64) float64) func([]float64) float64 {
		return func(x []float64) float64 { return f(x[0]) }
	}
	u := func(name string, dom domain, flops int, f func(float64) float64, g func(b *Builder, x, y, d *Value) *Value) *Row {
		var v vjp
		if g != nil {
			v = func(b *Builder, op *Op, d *Value) []*Value { return one(g(b, op.In[0], op.Out[0], d)) }
		}
		return point(name, 1, dom, flops, f1(f), v)
	}
	rows := []*Row{
		u("neg", numbers, 1, func(x float64) float64 { return -x }, func(b *Builder, x, y, d *Value) *Value { return b.Neg(d) }),
		u("abs", numbers, 1, math.Abs, func(b *Builder, x, y, d *Value) *Value { return b.Mul(d, b.Unary("sign", x)) }),
		u("sign", numbers, 1, signOf, nil),
		u("floor", floats, 1, math.Floor, nil),
		u("exp", floats, 8, math.Exp, func(b *Builder, x, y, d *Value) *Value { return b.Mul(d, y) }),
		u("log", floats, 8, math.Log, func(b *Builder, x, y, d *Value) *Value { return b.Div(d, x) }),
		u("log1p", floats, 8, math.Log1p, func(b *Builder, x, y, d *Value) *Value { return b.Div(d, b.AddC(x, 1)) }),
		u("sqrt", floats, 4, math.Sqrt, func(b *Builder, x, y, d *Value) *Value { return b.Div(b.MulC(d, 0.5), y) }),
		u("rsqrt", floats, 4, func(x float64) float64 { return 1 / math.Sqrt(x) },
			func(b *Builder, x, y, d *Value) *Value { return b.Mul(b.MulC(d, -0.5), b.Mul(y, b.Mul(y, y))) }),
		u("tanh", floats, 12, math.Tanh, func(b *Builder, x, y, d *Value) *Value {
			return b.Mul(d, b.Sub(b.Num(y, 1), b.Mul(y, y)))
		}),
		u("erf", floats, 16, math.Erf, func(b *Builder, x, y, d *Value) *Value {
			return b.Mul(d, b.MulC(b.Unary("exp", b.Neg(b.Mul(x, x))), 2/math.Sqrt(math.Pi)))
		}),
		u("logistic", floats, 10, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, func(b *Builder, x, y, d *Value) *Value {
			return b.Mul(d, b.Mul(y, b.Sub(b.Num(y, 1), y)))
		}),
		u("sin", floats, 8, math.Sin, func(b *Builder, x, y, d *Value) *Value { return b.Mul(d, b.Unary("cos", x)) }),
		u("cos", floats, 8, math.Cos, func(b *Builder, x, y, d *Value) *Value { return b.Neg(b.Mul(d, b.Unary("sin", x))) }),
		u("not", bools, 1, func(x float64) float64 { return 1 - x }, nil),
	}
	rows[0].Linear = jointly // neg
	return append(rows, castRow())
}

func signOf(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

// castRow converts between dtypes: floats to integers truncate towards zero and saturate.
func castRow() *Row {
	r := point("cast", 1, floats, 1, func(x []float64) float64 { return x[0] }, func(b *Builder, op *Op, d *Value) []*Value {
		if !op.In[0].Type.DType.Float() || !d.Type.DType.Float() {
			return []*Value{nil}
		}
		return one(b.Cast(d, op.In[0].Type.DType))
	})
	r.Types = func(op *Op, want []Type) ([]Type, error) {
		if len(want) != 1 {
			return nil, fmt.Errorf("cast needs the type of its result")
		}
		return []Type{op.In[0].Type.As(want[0].DType)}, nil
	}
	r.Linear = func(op *Op) Linearity {
		if op.In[0].Type.DType.Float() && op.Out[0].Type.DType.Float() {
			return Jointly // parts are rounded as those of a product in that dtype are
		}
		return Opaque
	}
	return r
}

// Widens reports whether an op casts to a float dtype that holds every value of the old one.
func (op *Op) Widens() bool {
	if op.Row.Name != "cast" {
		return false
	}
	from, to := op.In[0].Type.DType, op.Out[0].Type.DType
	return from.Float() && to.Float() && to.Bytes() > from.Bytes() && from != Real && to != Real
}

func binaryRows() []*Row {
	f2 := func(f func(x, y float64) float64) func([]float64) float64 {
		return func(x []float64) float64 { return f(x[0], x[1]) }
	}
	rows := []*Row{
		point("add", 2, numbers, 1, f2(func(x, y float64) float64 { return x + y }), func(b *Builder, op *Op, d *Value) []*Value {
			return []*Value{d, d}
		}),
		point("sub", 2, numbers, 1, f2(func(x, y float64) float64 { return x - y }), func(b *Builder, op *Op, d *Value) []*Value {
			return []*Value{d, b.Neg(d)}
		}),
		point("mul", 2, numbers, 1, f2(func(x, y float64) float64 { return x * y }), func(b *Builder, op *Op, d *Value) []*Value {
			return []*Value{b.Mul(d, op.In[1]), b.Mul(d, op.In[0])}
		}),
		point("div", 2, numbers, 4, f2(func(x, y float64) float64 { return x / y }), func(b *Builder, op *Op, d *Value) []*Value {
			q := b.Div(d, op.In[1])
			return []*Value{q, b.Neg(b.Mul(q, op.Out[0]))}
		}),
		point("rem", 2, numbers, 4, f2(math.Mod), remVJP),
		point("pow", 2, floats, 20, f2(math.Pow), powVJP),
		point("max", 2, numbers, 1, f2(maxOf), winnerVJP("gt")),
		point("min", 2, numbers, 1, f2(minOf), winnerVJP("lt")),
		point("and", 2, ints|bools, 1, nil, nil),
		point("or", 2, ints|bools, 1, nil, nil),
		point("xor", 2, ints|bools, 1, nil, nil),
		point("shl", 2, ints, 1, nil, nil),
		point("shr", 2, ints, 1, nil, nil),
		compareRow(), selectRow(),
	}
	for _, r := range rows {
		if f, ok := intBodies[r.Name]; ok {
			r.Ints = f
		}
		r.Linear = linearPoints[r.Name]
	}
	return rows
}

// intBodies are exact on the values of every integer dtype; the caller wraps to the dtype.
// Division by zero gives 0, so that no input traps.
var intBodies = map[string]func(x []int64) int64{
	"add": func(x []int64) int64 { return x[0] + x[1] },
	"sub": func(x []int64) int64 { return x[0] - x[1] },
	"mul": func(x []int64) int64 { return x[0] * x[1] },
	"div": func(x []int64) int64 {
		if x[1] == 0 {
			return 0
		}
		return x[0] / x[1]
	},
	"rem": func(x []int64) int64 {
		if x[1] == 0 {
			return 0
		}
		return x[0] % x[1]
	},
	"and": func(x []int64) int64 { return x[0] & x[1] },
	"or":  func(x []int64) int64 { return x[0] | x[1] },
	"xor": func(x []int64) int64 { return x[0] ^ x[1] },
	"shl": func(x []int64) int64 { return x[0] << (uint64(x[1]) & 31) },
	"shr": func(x []int64) int64 { return x[0] >> (uint64(x[1]) & 31) },
}

// linearPoints are the binary rows that are linear.
var linearPoints = map[string]func(*Op) Linearity{"add": jointly, "sub": jointly, "mul": singly}

// maxOf and minOf pass NaN on, as every target must.
func maxOf(x, y float64) float64 {
	if x != x || x >= y {
		return x
	}
	return y
}

func minOf(x, y float64) float64 {
	if x != x || x <= y {
		return x
	}
	return y
}

// remVJP: x rem y is x − q·y, with q = trunc(x/y) constant between jumps.
func remVJP(b *Builder, op *Op, d *Value) []*Value {
	x, y := op.In[0], op.In[1]
	if y.Lit != nil {
		return []*Value{d, nil}
	}
	q := b.Div(b.Sub(x, op.Out[0]), y)
	return []*Value{d, b.Neg(b.Mul(d, q))}
}

func powVJP(b *Builder, op *Op, d *Value) []*Value {
	x, p := op.In[0], op.In[1]
	dx := b.Mul(d, b.Mul(p, b.Binary("pow", x, b.Sub(p, b.Num(p, 1)))))
	if p.Lit != nil {
		return []*Value{dx, nil}
	}
	return []*Value{dx, b.Mul(d, b.Mul(op.Out[0], b.Unary("log", x)))}
}

// winnerVJP passes the cotangent to the operand that won; a tie halves it.
func winnerVJP(dir string) vjp {
	return func(b *Builder, op *Op, d *Value) []*Value {
		x, y := op.In[0], op.In[1]
		half := b.MulC(d, 0.5)
		zero := b.Num(d, 0)
		tie := b.Compare("eq", x, y)
		share := func(p, q *Value) *Value {
			return b.Select(b.Compare(dir, p, q), d, b.Select(tie, half, zero))
		}
		return []*Value{share(x, y), share(y, x)}
	}
}

// CompareAttrs says which comparison: eq ne lt le gt ge. Comparisons with NaN are false, ne is true.
type CompareAttrs struct{ Dir string }

var compares = map[string]func(x, y float64) bool{
	"eq": func(x, y float64) bool { return x == y },
	"ne": func(x, y float64) bool { return x != y },
	"lt": func(x, y float64) bool { return x < y },
	"le": func(x, y float64) bool { return x <= y },
	"gt": func(x, y float64) bool { return x > y },
	"ge": func(x, y float64) bool { return x >= y },
}

func compareRow() *Row {
	r := point("compare", 2, numbers|bools, 1, func([]float64) float64 { return 0 }, nil)
	r.Attrs = func() any { return &CompareAttrs{} }
	r.Scalar = func(attrs any, x []float64) float64 {
		if compares[attrs.(*CompareAttrs).Dir](x[0], x[1]) {
			return 1
		}
		return 0
	}
	base := r.Types
	r.Types = func(op *Op, want []Type) ([]Type, error) {
		if compares[op.Attrs.(*CompareAttrs).Dir] == nil {
			return nil, fmt.Errorf("compare has no dir %q", op.Attrs.(*CompareAttrs).Dir)
		}
		ts, err := base(op, nil)
		if err != nil {
			return nil, err
		}
		return []Type{ts[0].As(Bool)}, nil
	}
	return r
}

func selectRow() *Row {
	r := point("select", 3, numbers|bools, 1, func(x []float64) float64 {
		if x[0] != 0 {
			return x[1]
		}
		return x[2]
	}, func(b *Builder, op *Op, d *Value) []*Value {
		zero := b.Num(d, 0)
		return []*Value{nil, b.Select(op.In[0], d, zero), b.Select(op.In[0], zero, d)}
	})
	r.Types = func(op *Op, _ []Type) ([]Type, error) {
		if op.In[0].Type.DType != Bool || op.In[1].Type.DType != op.In[2].Type.DType {
			return nil, fmt.Errorf("select of %s, %s and %s", op.In[0].Type.DType, op.In[1].Type.DType, op.In[2].Type.DType)
		}
		t, err := joinShapes(op.In)
		if err != nil {
			return nil, err
		}
		return []Type{t.As(op.In[1].Type.DType)}, nil
	}
	return r
}

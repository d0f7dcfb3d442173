package llvm

import (
	"fmt"
	"math"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// scalarOp emits one pointwise op on lanes; x has as many lanes in every operand.
type scalarOp func(b *emit.Builder, op *ir.Op, x []value.Value) value.Value

// scalarOps has an entry for every pointwise row of the op table.
var scalarOps = map[string]scalarOp{
	"neg": byDType(one((*emit.Builder).FNeg), func(b *emit.Builder, x []value.Value) value.Value {
		return b.SubWrap(emit.Zero(x[0].Type()), x[0])
	}),
	"abs":      emitAbs,
	"sign":     emitSign,
	"floor":    float1((*emit.Builder).Floor),
	"exp":      float1((*emit.Builder).Exp),
	"log":      float1((*emit.Builder).Log),
	"log1p":    float1((*emit.Builder).Log1p),
	"sqrt":     float1((*emit.Builder).Sqrt),
	"rsqrt":    float1(func(b *emit.Builder, x value.Value) value.Value { return b.FDiv(floats(x, 1), b.Sqrt(x)) }),
	"tanh":     float1((*emit.Builder).Tanh),
	"erf":      float1((*emit.Builder).Erf),
	"logistic": float1((*emit.Builder).Logistic),
	"sin":      float1((*emit.Builder).Sin),
	"cos":      float1((*emit.Builder).Cos),
	"not": func(b *emit.Builder, _ *ir.Op, x []value.Value) value.Value {
		return b.Xor(x[0], emit.SplatConst(emit.Bool(true), emit.Lanes(x[0].Type())))
	},
	"cast":    func(b *emit.Builder, op *ir.Op, x []value.Value) value.Value { return emitCast(b, op, x[0]) },
	"add":     byDType(two((*emit.Builder).FAdd), two((*emit.Builder).AddWrap)),
	"sub":     byDType(two((*emit.Builder).FSub), two((*emit.Builder).SubWrap)),
	"mul":     byDType(two((*emit.Builder).FMul), two((*emit.Builder).MulWrap)),
	"div":     emitDiv,
	"rem":     emitRem,
	"pow":     func(b *emit.Builder, _ *ir.Op, x []value.Value) value.Value { return b.Pow(x[0], x[1]) },
	"max":     emitMax,
	"min":     emitMin,
	"and":     ints2((*emit.Builder).And),
	"or":      ints2((*emit.Builder).Or),
	"xor":     ints2((*emit.Builder).Xor),
	"shl":     emitShift,
	"shr":     emitShift,
	"compare": emitCompare,
	"select": func(b *emit.Builder, _ *ir.Op, x []value.Value) value.Value {
		return b.Select(x[0], x[1], x[2])
	},
}

// exactOps are those whose result has the precision of their operands, so that rounding it to
// their dtype changes nothing. A cast rounds by itself.
var exactOps = map[string]bool{"neg": true, "abs": true, "sign": true, "floor": true, "max": true, "min": true,
	"rem": true, "select": true, "cast": true}

// rounded rounds the f32 result of an op to the narrow dtype it has in the program. Every op
// rounds, as in the interpreter, and not only what is stored: else a value computed in two
// kernels could differ, and x = max(x) be false of all x.
func rounded(b *emit.Builder, d ir.DType, x value.Value) value.Value {
	switch d {
	case ir.BF16:
		// Ties to even; of NaN the low half is zero, or it is the machine's own, so that the
		// sum does not run over.
		u := b.BitCast(x, emit.I32)
		odd := b.And(b.LShr(u, integers(u, 16)), integers(u, 1))
		r := b.AddWrap(b.AddWrap(u, integers(u, 0x7fff)), odd)
		return b.BitCast(b.And(r, integers(u, -0x10000)), emit.F32)
	case ir.F16:
		return b.WidenF16(b.NarrowF16(x))
	}
	return x
}

type lanesOp func(b *emit.Builder, x []value.Value) value.Value

func one(f func(*emit.Builder, value.Value) value.Value) lanesOp {
	return func(b *emit.Builder, x []value.Value) value.Value { return f(b, x[0]) }
}

func two(f func(*emit.Builder, value.Value, value.Value) value.Value) lanesOp {
	return func(b *emit.Builder, x []value.Value) value.Value { return f(b, x[0], x[1]) }
}

func byDType(floating, integer lanesOp) scalarOp {
	return func(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
		if op.In[0].Type.DType.Float() {
			return floating(b, x)
		}
		return integer(b, x)
	}
}

func float1(f func(*emit.Builder, value.Value) value.Value) scalarOp {
	return byDType(one(f), nil)
}

func ints2(f func(*emit.Builder, value.Value, value.Value) value.Value) scalarOp {
	return byDType(nil, two(f))
}

// registerType is the type that an element of a dtype has in registers.
func registerType(d ir.DType) types.Type {
	switch d {
	case ir.I32, ir.U32:
		return emit.I32
	case ir.U8:
		return emit.I8
	case ir.Bool:
		return emit.I1
	}
	return emit.F32
}

// floats is the f32 constant f in as many lanes as x has.
func floats(x value.Value, f float64) constant.Constant {
	return emit.SplatConst(emit.Float(f), emit.Lanes(x.Type()))
}

// integers is the constant n in the lanes and the type of x.
func integers(x value.Value, n int64) constant.Constant {
	t := emit.Elem(x.Type()).(*types.IntType)
	return emit.SplatConst(constant.NewInt(t, n), emit.Lanes(x.Type()))
}

// literal is a literal of the IR as one lane.
func literal(v *ir.Value) constant.Constant {
	if v.Type.DType.Float() {
		return emit.Float(v.Type.DType.Round(*v.Lit))
	}
	t := registerType(v.Type.DType).(*types.IntType)
	n := int64(v.Type.DType.Round(*v.Lit))
	switch {
	case t == emit.I1:
		return emit.Bool(n != 0)
	case t == emit.I32:
		return emit.Int32(int32(n))
	}
	return constant.NewInt(t, n)
}

func emitAbs(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	switch d := op.In[0].Type.DType; {
	case d.Float():
		return b.FAbs(x[0])
	case d != ir.I32:
		return x[0]
	}
	zero := integers(x[0], 0)
	return b.Select(b.ICmp(enum.IPredSLT, x[0], zero), b.SubWrap(zero, x[0]), x[0])
}

func emitSign(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	switch d := op.In[0].Type.DType; {
	case d.Float():
		up := b.Select(b.FCmp(enum.FPredOGT, x[0], floats(x[0], 0)), floats(x[0], 1), x[0])
		return b.Select(b.FCmp(enum.FPredOLT, x[0], floats(x[0], 0)), floats(x[0], -1), up)
	case d == ir.I32:
		neg := b.Select(b.ICmp(enum.IPredSLT, x[0], integers(x[0], 0)), integers(x[0], -1), integers(x[0], 0))
		return b.Select(b.ICmp(enum.IPredSGT, x[0], integers(x[0], 0)), integers(x[0], 1), neg)
	}
	return b.Select(b.ICmp(enum.IPredNE, x[0], integers(x[0], 0)), integers(x[0], 1), integers(x[0], 0))
}

// emitDiv gives 0 for an integer divided by 0, and wraps -2^31 / -1: the machine traps on both.
// A literal power of two is multiplied by: the same bits, in a tenth of the time.
func emitDiv(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	d := op.In[0].Type.DType
	if d.Float() {
		if by := op.In[1].Lit; by != nil && exactInverse(*by) {
			return b.FMul(x[0], floats(x[0], 1 / *by))
		}
		return b.FDiv(x[0], x[1])
	}
	zero, one := integers(x[1], 0), integers(x[1], 1)
	none := b.ICmp(enum.IPredEQ, x[1], zero)
	if d != ir.I32 {
		return b.Select(none, zero, b.UDiv(x[0], b.Select(none, one, x[1])))
	}
	minus := b.ICmp(enum.IPredEQ, x[1], integers(x[1], -1))
	q := b.SDiv(x[0], b.Select(b.Or(none, minus), one, x[1]))
	return b.Select(none, zero, b.Select(minus, b.SubWrap(zero, x[0]), q))
}

// exactInverse reports whether x and 1/x are powers of two that every float dtype holds.
func exactInverse(x float64) bool {
	f, e := math.Frexp(x)
	return math.Abs(f) == 0.5 && e > -10 && e < 10
}

func emitRem(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	d := op.In[0].Type.DType
	if d.Float() {
		return b.FRem(x[0], x[1])
	}
	zero, one := integers(x[1], 0), integers(x[1], 1)
	none := b.ICmp(enum.IPredEQ, x[1], zero)
	if d != ir.I32 {
		return b.Select(none, zero, b.URem(x[0], b.Select(none, one, x[1])))
	}
	minus := b.ICmp(enum.IPredEQ, x[1], integers(x[1], -1))
	none = b.Or(none, minus)
	return b.Select(none, zero, b.SRem(x[0], b.Select(none, one, x[1])))
}

func emitMax(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	return emitExtreme(b, op.In[0].Type.DType, (*emit.Builder).FMax, enum.IPredSGT, enum.IPredUGT, x)
}

func emitMin(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	return emitExtreme(b, op.In[0].Type.DType, (*emit.Builder).FMin, enum.IPredSLT, enum.IPredULT, x)
}

func emitExtreme(b *emit.Builder, d ir.DType, f func(*emit.Builder, value.Value, value.Value) value.Value,
	signed, unsigned enum.IPred, x []value.Value) value.Value {
	switch {
	case d.Float():
		return f(b, x[0], x[1])
	case d != ir.I32:
		signed = unsigned
	}
	return b.Select(b.ICmp(signed, x[0], x[1]), x[0], x[1])
}

// emitShift takes the shift modulo 32; u8 is shifted as the 32-bit number it is.
func emitShift(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	d := op.In[0].Type.DType
	y, by := x[0], x[1]
	if d == ir.U8 {
		y, by = b.ZExt(y, emit.I32), b.ZExt(by, emit.I32)
	}
	by = b.And(by, integers(by, 31))
	switch {
	case op.Row.Name == "shl":
		y = b.Shl(y, by)
	case d == ir.I32:
		y = b.AShr(y, by)
	default:
		y = b.LShr(y, by)
	}
	if d == ir.U8 {
		return b.Trunc(y, emit.I8)
	}
	return y
}

// predicates are those of a comparison for floats, signed and unsigned integers.
var predicates = map[string]struct {
	float            enum.FPred
	signed, unsigned enum.IPred
}{
	"eq": {enum.FPredOEQ, enum.IPredEQ, enum.IPredEQ},
	"ne": {enum.FPredUNE, enum.IPredNE, enum.IPredNE},
	"lt": {enum.FPredOLT, enum.IPredSLT, enum.IPredULT},
	"le": {enum.FPredOLE, enum.IPredSLE, enum.IPredULE},
	"gt": {enum.FPredOGT, enum.IPredSGT, enum.IPredUGT},
	"ge": {enum.FPredOGE, enum.IPredSGE, enum.IPredUGE},
}

func emitCompare(b *emit.Builder, op *ir.Op, x []value.Value) value.Value {
	p, ok := predicates[op.Attrs.(*ir.CompareAttrs).Dir]
	if !ok {
		panic(located(op, fmt.Errorf("compare has no dir %q", op.Attrs.(*ir.CompareAttrs).Dir)))
	}
	switch d := op.In[0].Type.DType; {
	case d.Float():
		return b.FCmp(p.float, x[0], x[1])
	case d == ir.I32:
		return b.ICmp(p.signed, x[0], x[1])
	}
	return b.ICmp(p.unsigned, x[0], x[1])
}

// emitCast converts as ir.Convert does.
func emitCast(b *emit.Builder, op *ir.Op, x value.Value) value.Value {
	from, to := op.In[0].Type.DType, op.Out[0].Type.DType
	if to.Float() {
		return narrowed(b, to, toFloat(b, from, x))
	}
	if from.Float() {
		return fromFloat(b, to, x)
	}
	switch {
	case to == ir.Bool:
		return b.ICmp(enum.IPredNE, x, emit.Zero(x.Type()))
	case registerType(from) == registerType(to):
		return x
	case from == ir.Bool || from == ir.U8:
		return b.ZExt(x, registerType(to))
	}
	return b.Trunc(x, registerType(to))
}

func toFloat(b *emit.Builder, from ir.DType, x value.Value) value.Value {
	switch from {
	case ir.I32:
		return b.IntToFloat(x)
	case ir.U32:
		return b.UintToFloat(x)
	case ir.U8, ir.Bool:
		return b.IntToFloat(b.ZExt(x, emit.I32))
	}
	return x
}

// narrowed rounds f32 to what a narrower dtype holds.
func narrowed(b *emit.Builder, d ir.DType, x value.Value) value.Value {
	switch d {
	case ir.BF16:
		return b.WidenBF16(b.NarrowBF16(x))
	case ir.F16:
		return b.WidenF16(b.NarrowF16(x))
	}
	return x
}

// fromFloat truncates towards zero and saturates; NaN gives 0, and true as a bool.
func fromFloat(b *emit.Builder, to ir.DType, x value.Value) value.Value {
	switch to {
	case ir.Bool:
		return b.FCmp(enum.FPredUNE, x, floats(x, 0))
	case ir.I32:
		return b.FloatToInt(x)
	}
	n := b.FloatToInt(x)
	low := b.Select(b.ICmp(enum.IPredSGT, n, integers(n, 0)), n, integers(n, 0))
	if to == ir.U8 {
		return b.Trunc(b.Select(b.ICmp(enum.IPredSLT, low, integers(n, 255)), low, integers(n, 255)), emit.I8)
	}
	const half = 1 << 31
	high := b.Xor(b.FloatToInt(b.FSub(x, floats(x, half))), integers(n, -half))
	return b.Select(b.FCmp(enum.FPredOGE, x, floats(x, half)), high, low)
}

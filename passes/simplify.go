package passes

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"vitc/ir"
)

// simplify cleans a module up, bodies before the ops that hold them:
//
//  1. replace ops that compute what is known: literals, identities, casts and views of nothing;
//  2. let literals and scalars join pointwise ops instead of being spread first;
//  3. share ops that compute the same (common subexpressions);
//  4. drop ops, stacked results, carries and bindings that nobody uses.
//
// 1 to 4 repeat until nothing changes. No float identity is used that NaN or infinity would
// break, but for roots of -infinity (see powers), and sums keep their order. -0 may become 0,
// and the other way round.
func simplify(m *ir.Module, _ *Context) {
	for _, f := range m.Funcs {
		simplifyRegion(f.Body)
	}
}

func simplifyRegion(r *ir.Region) {
	for {
		changed := false
		for _, op := range r.Ops {
			if op.Body != nil {
				simplifyRegion(op.Body)
			}
		}
		changed = rewriteOps(r) || changed
		changed = dropUnused(r) || changed
		if !changed {
			return
		}
	}
}

// rewriteOps walks a region once, applying rules 1 to 3.
func rewriteOps(r *ir.Region) bool {
	b := &ir.Builder{Region: &ir.Region{}}
	same := map[*ir.Value]*ir.Value{}
	known := map[string]*ir.Op{}
	ids := &numbering{ids: map[*ir.Value]int{}}
	changed := false
	for _, op := range r.Ops {
		for i, v := range op.In {
			if w, ok := same[v]; ok {
				op.In[i] = w
			}
		}
		b.Pos = op.Pos
		joinScalars(op)
		changed = spreadLiterals(b, op) || changed
		if op.Body != nil {
			bindValues(b, op)
		}
		if v := known1(b, op); v != nil {
			same[op.Out[0]] = v
			changed = true
			continue
		}
		key := ids.key(op)
		if prev := known[key]; prev != nil && key != "" {
			for i, v := range op.Out {
				same[v] = prev.Out[i]
			}
			changed = true
			continue
		}
		known[key] = op
		b.Region.Ops = append(b.Region.Ops, op)
	}
	r.Ops = b.Region.Ops
	r.Replace(same)
	for i, v := range r.Yield {
		r.Yield[i] = materialise(b, v)
	}
	for i, v := range r.Stack {
		r.Stack[i] = materialise(b, v)
	}
	r.Ops = b.Region.Ops
	return changed
}

// materialise spreads a literal where a value of the region is needed.
func materialise(b *ir.Builder, v *ir.Value) *ir.Value {
	if v.Lit == nil {
		return v
	}
	return b.Fill(v, nil)
}

// spreadLiterals: products, reductions, movement and routines read places in memory, which literals lack.
func spreadLiterals(b *ir.Builder, op *ir.Op) (changed bool) {
	switch op.Row.Class {
	case ir.Linear, ir.Indexed, ir.Routine:
	default:
		return false
	}
	if op.Row.Name == "broadcast" {
		return false
	}
	for i, v := range op.In {
		op.In[i] = materialise(b, v)
		changed = changed || v.Lit != nil
	}
	return changed
}

// bindValues keeps literals out of a body's bindings: a constant's parameter becomes the literal,
// and what a carry begins with is spread.
func bindValues(b *ir.Builder, op *ir.Op) {
	first := 0
	if a, ok := op.Attrs.(*ir.ScanAttrs); ok {
		first = a.Carry + a.Each
	}
	lits := map[*ir.Value]*ir.Value{}
	for i := len(op.In) - 1; i >= 0; i-- {
		switch {
		case op.In[i].Lit == nil:
		case i < first:
			op.In[i] = materialise(b, op.In[i])
		default:
			lits[op.Body.Params[i]] = op.In[i]
			op.In, op.Body.Params = remove(op.In, i), remove(op.Body.Params, i)
		}
	}
	op.Body.Replace(lits)
}

// known1 gives the value that an op of one result is known to have, nil if none is.
func known1(b *ir.Builder, op *ir.Op) *ir.Value {
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

// numbering gives ops of equal computation equal keys.
type numbering struct {
	ids map[*ir.Value]int
}

func (n *numbering) id(v *ir.Value) string {
	if v.Lit != nil {
		return fmt.Sprintf("%s:%x", v.Type.DType, math.Float64bits(*v.Lit))
	}
	if _, ok := n.ids[v]; !ok {
		n.ids[v] = len(n.ids)
	}
	return fmt.Sprint(n.ids[v])
}

// key is empty for ops that are not to be shared.
func (n *numbering) key(op *ir.Op) string {
	if op.Body != nil || op.Row.Name == "fence" || op.Row.Name == "grad" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %+v", op.Row.Name, op.Rule, op.Out[0].Type.DType, op.Attrs)
	for _, d := range op.Out[0].Type.Dims {
		fmt.Fprintf(&b, " %d", d.Size)
	}
	for _, v := range op.In {
		b.WriteString(" %" + n.id(v))
	}
	return b.String()
}

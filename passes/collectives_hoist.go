package passes

import (
	"reflect"
	"slices"

	"vitc/ir"
)

// hoistFrom takes collectives out of a region's loops, the inner ones first: what has left one
// may leave the next. Sums along ordered axes keep their order.
func hoistFrom(r *ir.Region, ordered []string) {
	h := &hoister{b: &ir.Builder{Region: &ir.Region{}}, now: map[*ir.Value]*ir.Value{}, ordered: ordered}
	for _, op := range r.Ops {
		h.renew(op.In)
		if op.Row.Name != "scan" {
			h.b.Region.Ops = append(h.b.Region.Ops, op)
			continue
		}
		hoistFrom(op.Body, ordered)
		h.scan(op)
	}
	r.Ops = h.b.Region.Ops
	h.renew(r.Yield)
	h.renew(r.Stack)
	dropUnused(r)
}

// hoister writes a region anew, with what has left its loops.
type hoister struct {
	b       *ir.Builder
	now     map[*ir.Value]*ir.Value // results of loops to what stands for them
	ordered []string                // axes along which sums are the same to the last bit on any devices
}

// renew puts what stands for loops' results in their places.
func (h *hoister) renew(vs []*ir.Value) {
	for i, v := range vs {
		for w := h.now[v]; w != nil; w = h.now[w] {
			vs[i] = w
		}
	}
}

func (h *hoister) scan(op *ir.Op) {
	l := &turns{hoister: h, op: op, attrs: op.Attrs.(*ir.ScanAttrs), uses: op.Body.Uses()}
	l.stackOnce()
	for i := range op.Body.Params {
		if i >= l.attrs.Carry {
			l.gather(i)
		}
	}
	var behind []func()
	for i := range op.Body.Yield {
		behind = append(behind, l.accumulated(i))
	}
	for i := range op.Body.Stack {
		behind = append(behind, l.stacked(i))
	}
	dropUnused(op.Body)
	h.b.Region.Ops = append(h.b.Region.Ops, op)
	for _, f := range behind {
		if f != nil {
			f()
		}
	}
}

// turns are a scan that collectives leave.
type turns struct {
	*hoister
	op    *ir.Op
	attrs *ir.ScanAttrs
	uses  map[*ir.Value]int
}

// stackOnce lets results that stack the same value be one.
func (l *turns) stackOnce() {
	for i := len(l.op.Body.Stack) - 1; i >= 0; i-- {
		v := l.op.Body.Stack[i]
		if first := slices.Index(l.op.Body.Stack, v); first < i {
			l.now[l.op.Out[l.attrs.Carry+i]] = l.op.Out[l.attrs.Carry+first]
			l.op.Out, l.op.Body.Stack = remove(l.op.Out, l.attrs.Carry+i), remove(l.op.Body.Stack, i)
			l.uses[v]--
		}
	}
}

// gather takes what a turn makes of one of its operands by casts and gathers out of the loop.
func (l *turns) gather(i int) {
	p := l.op.Body.Params[i]
	each := 0
	if i < l.attrs.Carry+l.attrs.Each {
		each = 1
	}
	var chain []*ir.Op
	last := -1
	for v := p; ; v = chain[len(chain)-1].Out[0] {
		user := l.onlyUser(v)
		if user == nil || user.Row.Name != "cast" && user.Row.Name != "all_gather" {
			break
		}
		chain = append(chain, user)
		if user.Row.Name == "all_gather" && l.bytes(user.Out[0].Type, each) <= mostHoisted {
			last = len(chain)
		}
	}
	if last < 0 {
		return
	}
	x := l.op.In[i]
	for _, op := range chain[:last] {
		x = l.outside(op, x, each)
	}
	inner := chain[last-1].Out[0]
	p.Type = inner.Type
	l.op.In[i] = x
	l.op.Body.Replace(map[*ir.Value]*ir.Value{inner: p})
	l.drop(chain[:last])
}

// bytes is what all turns' values take, or one where each is 0.
func (l *turns) bytes(t ir.Type, each int) int {
	if each == 0 {
		return t.Bytes()
	}
	return t.Bytes() * l.attrs.Length
}

// onlyUser is the op that reads a value, nil where there are several or the region gives it out.
// Ops that do the same become one.
func (l *turns) onlyUser(v *ir.Value) *ir.Op {
	var first *ir.Op
	n, same := 0, map[*ir.Value]*ir.Value{}
	for _, op := range l.op.Body.Ops {
		if !slices.Contains(op.In, v) {
			continue
		}
		n++
		if first == nil {
			first = op
		} else if op.Row == first.Row && len(op.In) == 1 && reflect.DeepEqual(op.Attrs, first.Attrs) && op.Out[0].Type.Same(first.Out[0].Type) {
			same[op.Out[0]] = first.Out[0]
		}
	}
	if n == 0 || n != l.uses[v] || len(same) != n-1 {
		return nil
	}
	if n > 1 {
		l.op.Body.Replace(same)
		dropUnused(l.op.Body)
		l.uses = l.op.Body.Uses()
	}
	return first
}

// drop removes ops whose results nobody reads any more.
func (l *turns) drop(ops []*ir.Op) {
	l.op.Body.Ops = slices.DeleteFunc(l.op.Body.Ops, func(op *ir.Op) bool { return slices.Contains(ops, op) })
}

// outside is an op of one operand and one result, on all turns' values or on one.
func (l *turns) outside(op *ir.Op, x *ir.Value, each int) *ir.Value {
	l.b.Pos = op.Pos
	t := op.Out[0].Type.As(x.Type.DType)
	if op.Row.Name == "cast" {
		t = op.Out[0].Type
	}
	if each > 0 {
		t = ir.StackType(x.Type.Dims[0], t)
	}
	v := l.b.Emit(&ir.Op{Row: op.Row, In: []*ir.Value{x}, Attrs: deeper(op.Attrs, each)}, []ir.Type{t})[0]
	v.Type, v.Name = t, op.Out[0].Name
	return v
}

// deeper is a collective's attributes for a value with more leading dims.
func deeper(attrs any, dims int) any {
	switch a := attrs.(type) {
	case *ir.GatherAttrs:
		return &ir.GatherAttrs{Dim: a.Dim + dims, Over: a.Over}
	case *ir.BlockAttrs:
		return &ir.BlockAttrs{Dim: a.Dim + dims, Over: a.Over}
	}
	return attrs
}

// sumsBehind lists, from the last to the first, the sums over devices that make a value, with the
// gathers, blocks and casts between them, and nothing else, down to the first sum; the value under it
// is the second result. It is nil where there is no sum, or what it carries is large.
func (l *turns) sumsBehind(v *ir.Value, each int) ([]*ir.Op, *ir.Value) {
	var chain []*ir.Op
	last, largest := -1, 0
	for at := v; at.Def != nil && l.uses[at] == 1 && (devicesSum(at.Def) || places(at.Def)); at = at.Def.In[0] {
		chain = append(chain, at.Def)
		largest = max(largest, l.bytes(at.Type.As(v.Type.DType), each), l.bytes(at.Def.In[0].Type.As(v.Type.DType), each))
		if devicesSum(at.Def) && largest <= mostHoisted {
			last = len(chain)
		}
	}
	if last < 0 {
		return nil, nil
	}
	return chain[:last], chain[last-1].In[0]
}

// places reports whether an op gives numbers as it finds them: what adds them up before adds them
// up behind as well.
func places(op *ir.Op) bool {
	a, ok := op.Attrs.(*ir.BlockAttrs)
	own := ok && op.Row.Name == "block" && a.Step == 0
	return own || op.Row.Name == "all_gather" || op.Widens()
}

func devicesSum(op *ir.Op) bool {
	a, ok := op.Attrs.(*ir.ReduceOverAttrs)
	return op.Row.Name == "reduce_scatter" || ok && a.Kind == "sum"
}

// keepsOrder reports whether an op sums along an ordered axis.
func (h *hoister) keepsOrder(op *ir.Op) bool {
	return devicesSum(op) && slices.ContainsFunc(h.ordered, func(a string) bool { return slices.Contains(ir.Over(op.Attrs), a) })
}

// stacked moves the sums of a stacked value behind the loop.
func (l *turns) stacked(i int) func() {
	body := l.op.Body
	chain, x := l.sumsBehind(body.Stack[i], 1)
	if chain == nil {
		return nil
	}
	out := l.op.Out[l.attrs.Carry+i]
	was := *out
	l.uses[body.Stack[i]]--
	body.Stack[i] = x
	l.uses[x]++
	out.Type = ir.StackType(was.Type.Dims[0], x.Type)
	return func() {
		v := out
		for _, op := range slices.Backward(chain) {
			v = l.outside(op, v, 1)
		}
		l.now[out] = v
	}
}

// accumulated moves the sums of what is added to a carry behind the loop: the carry becomes one of
// summands, from zero. One device adds up what each turn sums, so that along ordered axes each turn
// has to sum.
func (l *turns) accumulated(i int) func() {
	body := l.op.Body
	p, add := body.Params[i], body.Yield[i].Def
	if !named(add, "add") || l.uses[p] != 1 || l.uses[body.Yield[i]] != 1 || !slices.Contains(add.In, p) {
		return nil
	}
	term := add.In[0]
	if term == p {
		term = add.In[1]
	}
	chain, x := l.sumsBehind(term, 0)
	if chain == nil || term == p || slices.ContainsFunc(chain, l.keepsOrder) {
		return nil
	}
	init, out := l.op.In[i], l.op.Out[i]
	t := x.Type.As(out.Type.DType)
	l.b.Pos = add.Pos
	l.op.In[i] = l.b.Fill(ir.Literal(t.DType, 0), t.Dims)
	l.op.In[i].Type, p.Type, out.Type, body.Yield[i].Type = t, t, t, t
	add.In = []*ir.Value{p, l.cast(add, x, t.DType)}
	return func() {
		v := out
		for _, op := range slices.Backward(chain) {
			if op.Row.Name != "cast" {
				v = l.outside(op, v, 0)
			}
		}
		if !zeros(init) {
			v = l.b.Add(init, v)
		}
		l.now[out] = v
	}
}

// cast widens a summand in front of the op that adds it.
func (l *turns) cast(add *ir.Op, x *ir.Value, to ir.DType) *ir.Value {
	l.uses[x]++
	if x.Type.DType == to {
		return x
	}
	op := &ir.Op{Row: ir.Lookup("cast"), In: []*ir.Value{x}, Pos: add.Pos}
	v := &ir.Value{Type: x.Type.As(to), Def: op, Pos: add.Pos}
	op.Out = []*ir.Value{v}
	at := slices.Index(l.op.Body.Ops, add)
	l.op.Body.Ops = slices.Insert(l.op.Body.Ops, at, op)
	return v
}

// zeros reports whether a value is zero everywhere.
func zeros(v *ir.Value) bool {
	return v.Is(0) || named(v.Def, "broadcast") && v.Def.In[0].Is(0)
}

package passes

import (
	"fmt"
	"slices"

	"vitc/ir"
)

// memory gives every value outside kernels its place.
//
//  1. Arguments lie in their buffers; metrics and outputs in buffers of their own. A state or
//     accumulator result takes its argument's buffer if the argument is read no later.
//  2. A view looks at its operand's place. In a scan, an each-parameter moves through its
//     operand turn by turn, a constant is its operand, and a stacked value is made where the
//     stacked result has its slice.
//  3. A carry has one place for all turns; the yielded value is made in it if the old one is
//     read no later. A carry that is also stacked moves through the stack instead: turn t
//     finds it in slice t and leaves the next in slice t+1 (reverse: t-1), and nothing is
//     copied. In general a carry's parameter, taken at the turn after the last, is where the
//     scan's result lies; what does not lie where it is wanted is copied by the loop.
//  4. What a collective that was started brings lies where its done gives it, from the start on, and
//     its operand stays as it is until then.
//  5. Whatever is left gets arena memory for the time from its making to its last use: buffers
//     are placed from the largest down, each at the lowest offset free for its whole life.
func memory(m *ir.Module, _ *Context) {
	for _, f := range m.Funcs {
		p := &planner{places: map[*ir.Value]place{}, given: map[*ir.Value]bool{}}
		p.function(f)
	}
}

const alignment = 64 // bytes: a cache line, and the widest vector

// buffer is a piece of one space; an arena buffer lives from one time to another.
type buffer struct {
	space    string
	bytes    int
	offset   int
	from, to int
}

// place is where a value lies: in a buffer, moving with the turns of the enclosing scans.
type place struct {
	buf    *buffer
	offset int
	steps  []int
}

type planner struct {
	places map[*ir.Value]place // given, or wanted of a value not made yet
	given  map[*ir.Value]bool
	all    []*ir.Value // what is given, in order
	arena  []*buffer
	time   int
}

func (p *planner) function(f *ir.Func) {
	args := map[string]int{}
	for i, v := range f.Body.Params {
		p.set(v, place{buf: &buffer{space: fmt.Sprintf("arg%d", i), bytes: v.Type.Bytes()}})
		if role := f.Args[i].Role; role == ir.RoleState || role == ir.RoleAcc {
			args[f.Args[i].Name] = i
		}
	}
	for j, v := range f.Body.Yield {
		i, replaces := args[f.Results[j].Name]
		switch {
		case !replaces && v.Def != nil && !isView(v.Def):
			p.want(v, place{buf: &buffer{space: fmt.Sprintf("res%d", j), bytes: v.Type.Bytes()}})
		case replaces && mayOverwrite(f.Body, f.Body.Params[i], v):
			p.want(v, p.places[f.Body.Params[i]])
		}
	}
	p.region(f.Body, 0)
	f.Arena = p.pack()
	for _, v := range p.all {
		at := p.places[v]
		v.Mem = &ir.Slot{Space: at.buf.space, Offset: at.buf.offset + at.offset, Bytes: v.Type.Bytes(), Steps: trim(at.steps)}
	}
}

// trim drops trailing zeros: scans that do not move the place.
func trim(steps []int) []int {
	for len(steps) > 0 && steps[len(steps)-1] == 0 {
		steps = steps[:len(steps)-1]
	}
	return steps
}

// want asks for a place unless the value has one already. What is under way is brought to where it
// is wanted.
func (p *planner) want(v *ir.Value, at place) {
	if v.Def != nil && v.Def.Row.Awaits() {
		v = v.Def.In[0]
	}
	if _, have := p.places[v]; !have {
		p.places[v] = at
	}
}

func (p *planner) set(v *ir.Value, at place) {
	p.places[v], p.given[v] = at, true
	p.all = append(p.all, v)
}

// made gives a value its place: the wanted one, or new arena memory.
func (p *planner) made(v *ir.Value) {
	at, wanted := p.places[v]
	if !wanted {
		at = place{buf: p.fresh(v.Type.Bytes())}
	}
	p.set(v, at)
	at.buf.to = max(at.buf.to, p.time)
}

func (p *planner) fresh(bytes int) *buffer {
	b := &buffer{space: "arena", bytes: bytes, from: p.time, to: p.time}
	p.arena = append(p.arena, b)
	return b
}

// touch keeps the values' buffers alive until now.
func (p *planner) touch(vs []*ir.Value) {
	for _, v := range vs {
		if v.Lit == nil {
			b := p.places[v].buf
			b.to = max(b.to, p.time)
		}
	}
}

// region plans the ops of a region that lies in depth scans.
func (p *planner) region(r *ir.Region, depth int) {
	for i, op := range r.Ops {
		p.time++
		switch {
		case op.Row.Name == "scan":
			p.scan(r, i, depth)
		case isView(op):
			p.view(op)
		case op.Row.Awaits():
			p.set(op.Out[0], p.places[op.In[0]])
			p.touch(op.In[0].Def.In)
		default:
			for _, v := range op.Out {
				p.made(v)
			}
		}
		p.touch(op.In)
	}
	p.time++
	p.touch(r.Yield)
	p.touch(r.Stack)
}

func (p *planner) view(op *ir.Op) {
	at := p.places[op.In[0]]
	if a, ok := op.Attrs.(*ir.SliceAttrs); ok {
		at.offset += a.From * op.In[0].Type.Strides()[a.Dim] * op.In[0].Type.DType.Bytes()
	}
	p.set(op.Out[0], at)
}

// within is a place as seen from one scan deeper, moving by step bytes a turn of that scan.
func (at place) within(depth, step int) place {
	steps := make([]int, depth+1)
	copy(steps, at.steps)
	steps[depth] = step
	at.steps = steps
	return at
}

func (at place) shifted(bytes int) place {
	at.offset += bytes
	return at
}

// scan places what enters, circles in and leaves a scan, then plans its body.
func (p *planner) scan(r *ir.Region, index, depth int) {
	op := r.Ops[index]
	a, body := op.Attrs.(*ir.ScanAttrs), op.Body
	stacked := map[*ir.Value]int{}
	for j, s := range body.Stack {
		if _, twice := stacked[s]; !twice {
			stacked[s] = j
		}
	}
	for i := 0; i < a.Carry; i++ {
		if j, ok := stacked[body.Params[i]]; ok {
			p.carryInStack(op, i, a.Carry+j, depth)
		} else {
			p.carry(r, index, i, depth)
		}
	}
	for i := a.Carry; i < len(op.In); i++ {
		at := p.places[op.In[i]]
		if i < a.Carry+a.Each {
			p.set(body.Params[i], at.within(depth, body.Params[i].Type.Bytes()))
		} else {
			p.set(body.Params[i], at)
		}
	}
	for j, s := range body.Stack {
		out := op.Out[a.Carry+j]
		if !p.given[out] {
			p.made(out)
		}
		if s.Def != nil && !isView(s.Def) {
			p.want(s, p.places[out].within(depth, s.Type.Bytes()))
		}
	}
	p.region(body, depth+1)
	p.touch(op.Out)
	for i := 0; i < a.Carry; i++ { // carries live through every turn
		p.touch(body.Params[i : i+1])
	}
}

// carry gives a carry one place, and lets the yield take it where that is safe.
func (p *planner) carry(r *ir.Region, index, i, depth int) {
	op := r.Ops[index]
	param, out, x := op.Body.Params[i], op.Out[i], op.In[i]
	at, wanted := p.places[out]
	if !wanted {
		if p.dies(r, index, x) {
			at = p.places[x]
		} else {
			at = place{buf: p.fresh(out.Type.Bytes())}
		}
	}
	p.set(out, at)
	p.set(param, at)
	if y := op.Body.Yield[i]; mayOverwrite(op.Body, param, y) {
		p.want(y, at)
	}
}

// carryInStack lets a carry move through the stack that holds its values: one slice more than
// there are turns.
func (p *planner) carryInStack(op *ir.Op, i, stack, depth int) {
	a := op.Attrs.(*ir.ScanAttrs)
	param, out, all := op.Body.Params[i], op.Out[i], op.Out[stack]
	n := param.Type.Bytes()
	base := place{buf: p.fresh((a.Length + 1) * n)}
	first, next, last := 0, n, a.Length*n
	if a.Reverse {
		first, next, last = n, 0, 0
	}
	p.set(all, base.shifted(first))
	p.set(param, base.shifted(first).within(depth, n))
	if y := op.Body.Yield[i]; y.Def != nil && !isView(y.Def) {
		p.want(y, base.shifted(next).within(depth, n))
	}
	p.set(out, base.shifted(last))
}

// dies reports whether x is an arena value used last, and once, by the op at index.
func (p *planner) dies(r *ir.Region, index int, x *ir.Value) bool {
	if x.Def == nil || isView(x.Def) || p.places[x].buf.space != "arena" || len(trim(p.places[x].steps)) > 0 {
		return false
	}
	if x.Def.Row.Name == "scan" {
		return false // its buffer may hold a stack besides
	}
	uses := 0
	for _, op := range r.Ops {
		for _, v := range op.In {
			if v == x {
				uses++
			}
		}
	}
	return uses == 1 && !slices.Contains(r.Yield, x) && !slices.Contains(r.Stack, x) && slices.Contains(r.Ops[index].In, x)
}

// mayOverwrite reports whether value v of a region may be made in the memory of parameter old:
// no later op reads old or a view of it, and v's maker reads it, if at all, position by position.
func mayOverwrite(r *ir.Region, old, v *ir.Value) bool {
	if v.Def == nil || v.Def.Row.Name != "fusion" || !v.Type.Same(old.Type) || slices.Contains(r.Stack, old) {
		return false
	}
	for _, y := range r.Yield {
		if y == old {
			return false
		}
	}
	looks := map[*ir.Value]bool{old: true}
	at := slices.Index(r.Ops, v.Def)
	for i, op := range r.Ops {
		for k, x := range op.In {
			if !looks[x] {
				continue
			}
			until := i
			if op.Row.Starts() {
				until = slices.IndexFunc(r.Ops, func(done *ir.Op) bool { return slices.Contains(done.In, op.Out[0]) })
			}
			if isView(op) {
				looks[op.Out[0]] = true
				if slices.Contains(r.Yield, op.Out[0]) || slices.Contains(r.Stack, op.Out[0]) {
					return false
				}
			} else if until > at || i == at && (x != old || !byPosition(op, k, v)) {
				return false
			}
		}
	}
	return at >= 0
}

// byPosition reports whether a kernel reads operand k only at the position it writes v at.
func byPosition(op *ir.Op, k int, v *ir.Value) bool {
	p := op.Body.Params[k]
	for _, in := range op.Body.Ops {
		if in.Row.Name == "reduce" {
			return false
		}
		for _, x := range in.In {
			if x == p && in.Row.Class != ir.Pointwise {
				return false
			}
		}
	}
	return p.Type.SameShape(v.Type)
}

// pack gives the arena's buffers their offsets and returns its size.
func (p *planner) pack() int {
	order := slices.Clone(p.arena)
	slices.SortStableFunc(order, func(a, b *buffer) int { return b.bytes - a.bytes })
	var placed []*buffer // by offset
	size := 0
	for _, b := range order {
		at := 0
		for _, q := range placed {
			if q.to < b.from || b.to < q.from {
				continue
			}
			if at+b.bytes <= q.offset {
				break
			}
			at = max(at, roundUp(q.offset+q.bytes))
		}
		b.offset = at
		size = max(size, roundUp(at+b.bytes))
		i, _ := slices.BinarySearchFunc(placed, b, func(x, y *buffer) int { return x.offset - y.offset })
		placed = slices.Insert(placed, i, b)
	}
	return size
}

func roundUp(n int) int { return (n + alignment - 1) / alignment * alignment }

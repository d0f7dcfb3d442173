package llvm

import (
	"math"
	"slices"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// loop generates a fusion of kind loop:
//
//  1. Analyse the body into axes and forms (space.go), and choose lanes, points and tasks
//     (schedule.go).
//  2. The body is done in passes over the summed axes: pass i makes the sums that wait for i
//     others, and the last pass stores the results that have all axes. No pass stores before
//     the last, as a result may lie where an operand does.
//  3. What a later pass needs again is computed again where that is cheap, and else kept in a
//     row of scratch memory; a short row stays in registers altogether.
//  4. Where there are few points and long sums, the sums are cut in chunks, and a second
//     kernel adds the chunks' sums in order.
func (u *unit) loop(op *ir.Op) {
	s := newSpace(op)
	d := newSchedule(s, u.module.ISA, true)
	if d.chunk < 0 {
		u.loopKernel(s, d, u.name, refs(op), nil)
		return
	}
	u.chunkedLoop(op, s, d)
}

// loopKernel emits one kernel over a space and its call. args are those of the operands and
// results; partial, if not nil, is where a chunk's sums go instead of the results.
func (u *unit) loopKernel(s *space, d schedule, name string, args []ref, partial []*buffer) {
	b, ka := u.module.Kernel(name)
	k := &loopNest{schedule: d, partial: partial, nest: nest{space: s, b: b, vec: d.axis,
		params: map[*ir.Value]*buffer{}, apart: map[*ir.Value]value.Value{}}}
	k.bind(ka.Args)
	k.passes = s.passes(partial != nil)
	scratch := k.keepRows(ka.Scratch)
	k.tasksOf(ka)
	u.calls = append(u.calls, call{name, args, d.tasks, scratch})
}

// tasksOf emits the loop over the points of a kernel's tasks, and ends the kernel.
func (k *loopNest) tasksOf(ka emit.KernelArgs) {
	per := emit.Int(k.per)
	last := k.b.SMin(k.b.Mul(ka.Hi, per), emit.Int(k.count))
	k.b.For("point", k.b.Mul(ka.Lo, per), last, k.point)
	k.b.Ret(nil)
}

// loopNest emits a loop kernel.
type loopNest struct {
	nest
	schedule
	passes  []pass
	partial []*buffer
	chunkAt value.Value                 // the chunk being done
	custom  func(c cursor, cs []cursor) // emits a group of columns instead of the passes
}

// pass is one run over the summed axes.
type pass struct {
	reduces []*ir.Op
	stores  []int // results with all axes
}

// bind loads the pointers of operands and results.
func (k *loopNest) bind(args value.Value) {
	n := 0
	next := func() value.Value { n++; return k.b.LoadArg(args, n-1) }
	for _, p := range k.body.Params {
		if f, ok := k.forms[p]; ok {
			k.params[p] = &buffer{p.Type.DType, f, next()}
		} else {
			k.apart[p] = next()
		}
	}
	if k.partial != nil {
		for _, m := range k.partial {
			m.base = next()
			k.yields = append(k.yields, m)
		}
		return
	}
	for i, v := range k.body.Yield {
		k.yields = append(k.yields, &buffer{k.op.Out[i].Type.DType, k.forms[v], next()})
	}
}

// passes orders the sums; partial leaves the results out.
func (s *space) passes(partial bool) []pass {
	var ps []pass
	at := func(i int) *pass {
		for len(ps) <= i {
			ps = append(ps, pass{})
		}
		return &ps[i]
	}
	for _, op := range s.body.Ops {
		if s.sums[op] {
			p := at(s.level[op.In[0]])
			p.reduces = append(p.reduces, op)
		}
	}
	if partial {
		return ps
	}
	last := max(0, len(ps)-1)
	full := s.fullYields()
	for _, i := range full {
		last = max(last, s.level[s.body.Yield[i]])
	}
	if len(full) > 0 {
		at(last).stores = full
	}
	return ps
}

// fullYields lists the results that have summed axes, or all where nothing is summed.
func (s *space) fullYields() []int {
	sums := s.summedSet()
	var full []int
	for i, v := range s.body.Yield {
		if sums == 0 && len(s.sums) == 0 || s.spans[v]&sums != 0 {
			full = append(full, i)
		}
	}
	return full
}

// rowYields lists the other results.
func (k *loopNest) rowYields() []int {
	var rows []int
	full := k.fullYields()
	for i := range k.body.Yield {
		if !slices.Contains(full, i) {
			rows = append(rows, i)
		}
	}
	return rows
}

// point emits one point: number n counts chunks, then the points' axes, then blocks.
func (k *loopNest) point(n value.Value) {
	b, c := k.b, k.start()
	take := func(size int) value.Value {
		i := n
		if size > 1 {
			i, n = b.URem(n, emit.Int(size)), b.UDiv(n, emit.Int(size))
		} else {
			i = emit.Int(0)
		}
		return i
	}
	var radices []int
	for _, a := range k.points {
		radices = append(radices, k.axes[a].size)
	}
	radices = append(radices, k.blocks)
	index := make([]value.Value, len(radices))
	outer := k.chunk < 0
	for i := len(radices) - 1; i >= 0; i-- {
		if outer && !slices.ContainsFunc(radices[:i], func(r int) bool { return r > 1 }) && radices[i] > 1 {
			index[i], n = n, emit.Int(0)
			continue
		}
		index[i] = take(radices[i])
	}
	k.chunkAt = n
	for i, a := range k.points {
		c = k.enter(c, a, index[i])
	}
	if k.chunk >= 0 {
		c = k.enterChunk(c)
	}
	if k.byRow {
		k.row(c)
	} else {
		k.columns(c, index[len(index)-1])
	}
}

// enterChunk moves the partial results on to the chunk's.
func (k *loopNest) enterChunk(c cursor) cursor {
	c = k.inner(c)
	for _, m := range k.partial {
		size := k.size(k.outer())
		c.shared.addr[m] = k.b.At(emit.F32, c.shared.address(m), k.b.Mul(k.chunkAt, emit.Int(size)))
	}
	return c
}

// bounds are the positions of a summed axis that a point does.
func (k *loopNest) bounds(a int) (lo, hi value.Value) {
	size := emit.Int(k.axes[a].size)
	if a != k.chunk {
		return emit.Int(0), size
	}
	lo = k.b.Mul(k.chunkAt, emit.Int(k.length))
	return lo, k.b.SMin(k.b.Add(lo, emit.Int(k.length)), size)
}

// columns emits the vector axis of a point, or a block of it, some vectors at a time.
func (k *loopNest) columns(c cursor, block value.Value) {
	if k.vec < 0 {
		k.group(c, emit.Int(0), []piece{{0, 1, 1}})
		return
	}
	b, size := k.b, k.axes[k.vec].size
	step := k.unroll * k.width
	whole := size / step * step
	lo, hi := value.Value(emit.Int(0)), value.Value(emit.Int(whole))
	if k.blocks > 1 {
		lo = b.Mul(block, emit.Int(k.block))
		hi = b.SMin(b.Add(lo, emit.Int(k.block)), hi)
	}
	if whole > 0 {
		b.Loop("lanes", lo, hi, emit.Int(step), nil, func(i value.Value, _ []value.Value) []value.Value {
			k.group(c, i, pieces(step, k.width, b.ISA()))
			return nil
		})
	}
	rest := func() []value.Value {
		k.group(c, emit.Int(whole), pieces(size-whole, k.width, b.ISA()))
		return nil
	}
	switch {
	case whole == size:
	case k.blocks > 1:
		b.If(b.ICmp(enum.IPredEQ, block, emit.Int(k.blocks-1)), rest, nil)
	default:
		rest()
	}
}

// group emits all passes for some vectors of columns.
func (k *loopNest) group(c cursor, base value.Value, ps []piece) {
	c = k.inner(c)
	cs := make([]cursor, len(ps))
	for i, p := range ps {
		cs[i] = k.enterLanes(c, base, p)
	}
	if k.custom != nil {
		k.custom(c, cs)
		return
	}
	for _, p := range k.passes {
		accs := k.identities(p, cs)
		accs = k.sumLoops(c, cs, k.summed(), k.needed(c, p), accs, func(c cursor, cs []cursor, accs []value.Value) []value.Value {
			accs = k.accumulate(p, cs, accs)
			k.storeAll(cs, p.stores)
			return accs
		})
		for i, op := range p.reduces {
			for j := range cs {
				k.remember(cs[j], op, accs[i*len(cs)+j])
			}
		}
	}
	k.finish(cs)
}

// finish stores what is made of finished sums.
func (k *loopNest) finish(cs []cursor) {
	if k.partial == nil {
		k.storeAll(cs, k.rowYields())
		return
	}
	for i, op := range k.passes[0].reduces {
		for _, c := range cs {
			k.store(c, k.partial[i], k.eval(c, op.Out[0]))
		}
	}
}

// remember gives a reduce its finished sum; that of a chunk is not rounded yet.
func (k *loopNest) remember(c cursor, op *ir.Op, x value.Value) {
	v := op.Out[0]
	if k.partial == nil {
		x = rounded(k.b, v.Type.DType, x)
	}
	if k.wide(v) {
		c.lane.vals[v] = x
		return
	}
	c.shared.vals[v] = x
}

// needed lists what a pass computes, in order.
func (k *loopNest) needed(c cursor, p pass) []*ir.Value {
	var targets []*ir.Value
	for _, op := range p.reduces {
		targets = append(targets, op.In[0])
	}
	for _, i := range p.stores {
		targets = append(targets, k.body.Yield[i])
	}
	return k.need(c, targets)
}

// storeAll evaluates results at some cursors, all before the first is stored: a result may
// lie where an operand does.
func (k *loopNest) storeAll(cs []cursor, yields []int) {
	var xs []value.Value
	for _, i := range yields {
		for j := range cs {
			xs = append(xs, k.eval(cs[j], k.body.Yield[i]))
		}
	}
	for n, i := range yields {
		for j := range cs {
			k.store(cs[j], k.yields[i], xs[n*len(cs)+j])
		}
	}
}

// sumLoops emits loops over summed axes that carry the accumulators.
func (k *loopNest) sumLoops(c cursor, cs []cursor, axes []int, need []*ir.Value, accs []value.Value,
	body func(c cursor, cs []cursor, accs []value.Value) []value.Value) []value.Value {
	k.hoist(c, need)
	for _, l := range cs {
		k.hoist(l, need)
	}
	if len(axes) == 0 {
		return body(c, cs, accs)
	}
	lo, hi := k.bounds(axes[0])
	return k.b.Loop("sum", lo, hi, emit.Int(1), accs, func(i value.Value, accs []value.Value) []value.Value {
		in := k.enter(c, axes[0], i)
		ls := make([]cursor, len(cs))
		for j, l := range cs {
			l.at, l.shared, l.lane = in.at, in.shared, l.lane.push()
			if k.vec >= 0 {
				l.at = append([]value.Value(nil), in.at...)
				l.at[k.vec] = cs[j].at[k.vec]
			}
			ls[j] = l
		}
		return k.sumLoops(in, ls, axes[1:], need, accs, body)
	})
}

// identities are the accumulators before the first term, by reduce and cursor.
func (k *loopNest) identities(p pass, cs []cursor) []value.Value {
	var accs []value.Value
	for _, op := range p.reduces {
		for _, c := range cs {
			accs = append(accs, emit.SplatConst(identity(op), k.accLanes(op, c)))
		}
	}
	return accs
}

// accLanes is how many lanes the accumulator of a reduce has: one for each position of the
// vector axis, whether that is kept or not.
func (k *loopNest) accLanes(op *ir.Op, c cursor) int {
	if k.vec >= 0 && k.spans[op.In[0]].has(k.vec) {
		return c.lanes
	}
	return 1
}

// accumulate adds the terms at the cursors to their accumulators.
func (k *loopNest) accumulate(p pass, cs []cursor, accs []value.Value) []value.Value {
	out := slices.Clone(accs)
	for i, op := range p.reduces {
		for j, c := range cs {
			at := i*len(cs) + j
			out[at] = combine(k.b, op, accs[at], k.term(c, op))
		}
	}
	return out
}

// term is what a reduce adds at a cursor, the identity in lanes that do not exist.
func (k *loopNest) term(c cursor, op *ir.Op) value.Value {
	x := k.eval(c, op.In[0])
	n := k.accLanes(op, c)
	if emit.Lanes(x.Type()) < n {
		x = k.b.Splat(x, n)
	}
	if mask := c.mask(); mask != nil && n > 1 && k.byRow {
		x = k.b.Select(mask, x, emit.SplatConst(identity(op), n))
	}
	return x
}

// combine is one step of a reduce.
func combine(b *emit.Builder, op *ir.Op, x, y value.Value) value.Value {
	d := op.In[0].Type.DType
	xs := []value.Value{x, y}
	switch op.Attrs.(*ir.ReduceAttrs).Kind {
	case "sum":
		if d.Float() {
			return b.FAdd(x, y)
		}
		return b.AddWrap(x, y)
	case "max":
		return emitMax(b, op, xs)
	case "min":
		return emitMin(b, op, xs)
	}
	failf(op, "reduce of kind %q has no CPU code", op.Attrs.(*ir.ReduceAttrs).Kind)
	return nil
}

// identity is what a reduce starts with.
func identity(op *ir.Op) constant.Constant {
	d, kind := op.In[0].Type.DType, op.Attrs.(*ir.ReduceAttrs).Kind
	if d.Float() {
		return emit.Float(map[string]float64{"sum": 0, "max": math.Inf(-1), "min": math.Inf(1)}[kind])
	}
	least, most := int64(0), int64(-1) // unsigned: all bits
	if d == ir.I32 {
		least, most = math.MinInt32, math.MaxInt32
	}
	t, ok := registerType(d).(*types.IntType)
	if !ok {
		failf(op, "reduce of %v", d)
	}
	return constant.NewInt(t, map[string]int64{"sum": 0, "max": least, "min": most}[kind])
}

// chunkedLoop emits a kernel that sums chunks, and one that adds their sums and makes the
// results.
func (u *unit) chunkedLoop(op *ir.Op, s *space, d schedule) {
	var args, parts []ref
	for i := range op.In {
		args = append(args, operandRef(op, i))
	}
	partial := s.partialBuffers()
	for _, m := range partial {
		parts = append(parts, u.reserve(d.chunks*s.size(s.outer())*m.dtype.Bytes()))
	}
	u.loopKernel(s, d, u.name+"_chunks", append(args, parts...), partial)
	second, from := addChunks(s, d.chunks)
	args = nil
	for _, i := range from {
		if i < len(parts) {
			args = append(args, parts[i])
		} else {
			args = append(args, operandRef(op, i-len(parts)))
		}
	}
	for i := range op.Out {
		args = append(args, resultRef(op, i))
	}
	t := newSpace(second, second.Body.Params[:len(parts)]...)
	u.loopKernel(t, newSchedule(t, u.module.ISA, false), u.name, args, nil)
}

// addChunks is the fusion that follows a chunked one: its body reduces the chunks' sums where
// op's reduces, and goes on as op does. from numbers its operands: first the chunks' sums,
// then those of op.
func addChunks(s *space, chunks int) (second *ir.Op, from []int) {
	op := s.op
	body := &ir.Region{}
	known := map[*ir.Value]*ir.Value{}
	var in []*ir.Value
	param := func(t ir.Type, n int) *ir.Value {
		p := &ir.Value{Type: t}
		body.Params = append(body.Params, p)
		in = append(in, &ir.Value{Type: t})
		from = append(from, n)
		return p
	}
	b := &ir.Builder{Region: body, Pos: op.Pos}
	n := 0
	for _, r := range op.Body.Ops {
		if !s.sums[r] {
			continue
		}
		t := r.Out[0].Type
		p := param(ir.Type{DType: wideDType(t.DType), Dims: append([]ir.Dim{{Label: "chunk", Size: chunks}}, t.Dims...)}, n)
		rule := ir.PointwiseRule([]ir.Type{p.Type}, p.Type)
		sum := b.ReduceTo(r.Attrs.(*ir.ReduceAttrs).Kind, p, rule.Swap(rule.In, rule.In[0][1:]), t.Dims)
		known[r.Out[0]] = b.Cast(sum, t.DType)
		n++
	}
	var use func(v *ir.Value) *ir.Value
	use = func(v *ir.Value) *ir.Value {
		if w, ok := known[v]; ok || v.Lit != nil {
			if w == nil {
				return v
			}
			return w
		}
		if v.Def == nil {
			known[v] = param(v.Type, n+slices.Index(op.Body.Params, v))
			return known[v]
		}
		m := map[*ir.Value]*ir.Value{}
		for _, x := range v.Def.In {
			m[x] = use(x)
		}
		c := v.Def.Clone(m)
		body.Ops = append(body.Ops, c)
		known[v] = c.Out[0]
		return known[v]
	}
	for _, y := range op.Body.Yield {
		body.Yield = append(body.Yield, use(y))
	}
	return &ir.Op{Row: op.Row, In: in, Out: op.Out, Attrs: op.Attrs, Body: body, Pos: op.Pos}, from
}

// partialBuffers are where chunks leave their sums: for each reduce, chunks of the kept axes.
func (k *space) partialBuffers() (ms []*buffer) {
	for _, op := range k.body.Ops {
		if k.sums[op] {
			ms = append(ms, &buffer{dtype: wideDType(op.In[0].Type.DType), form: k.forms[op.Out[0]]})
		}
	}
	return ms
}

// wideDType is the dtype that sums are kept in.
func wideDType(d ir.DType) ir.DType {
	if d.Float() {
		return ir.F32
	}
	return d
}

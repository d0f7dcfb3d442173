package llvm

import (
	"slices"

	"github.com/llir/llvm/ir/enum"
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
//     kernel adds the chunks' sums in order. In a program for a mesh only the sums' length counts:
//     how many points a device has must not change their order.
func (u *unit) loop(op *ir.Op) {
	s := newSpace(op)
	d := newSchedule(s, u.module.ISA, u.chunks)
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

// point emits one point: its number counts chunks, then the points' axes, then blocks.
func (k *loopNest) point(n value.Value) {
	var sizes []int
	if k.chunk >= 0 {
		sizes = append(sizes, k.chunks)
	}
	for _, a := range k.points {
		sizes = append(sizes, k.axes[a].size)
	}
	index := digits(k.b, n, append(sizes, k.blocks))
	c := k.start()
	if k.chunk >= 0 {
		k.chunkAt, index = index[0], index[1:]
		c = k.enterChunk(c)
	}
	for i, a := range k.points {
		c = k.enter(c, a, index[i])
	}
	if k.byRow {
		k.row(c)
	} else {
		k.columns(c, index[len(index)-1])
	}
}

// digits are those of a number in mixed radix, the most significant first.
func digits(b *emit.Builder, n value.Value, radices []int) []value.Value {
	out := make([]value.Value, len(radices))
	first := max(0, slices.IndexFunc(radices, func(r int) bool { return r > 1 }))
	for i := len(radices) - 1; i >= 0; i-- {
		switch r := radices[i]; {
		case i < first || r == 1:
			out[i] = emit.Int(0)
		case i == first:
			out[i] = n
		default:
			out[i], n = b.URem(n, emit.Int(r)), b.UDiv(n, emit.Int(r))
		}
	}
	return out
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

package llvm

import (
	"math"
	"slices"

	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// Ops that pick elements by what they find: gather, scatter_add and argmax. Each is a loop
// nest whose innermost part is emitted here.

// ruleSpace is the space of an op's own loops: the factors of the term, in its order, with
// the operands' and the result's forms over them. Factors that the term lacks are left out.
func ruleSpace(fusion, op *ir.Op, term ir.Term) (s *space, axisOf map[int]int) {
	r := ir.RuleOf(op)
	s = emptySpace(fusion, fusion.Body)
	axisOf = map[int]int{}
	for _, d := range term {
		axisOf[d[0]] = len(s.axes)
		s.axes = append(s.axes, axis{size: r.Factors[d[0]].Size})
	}
	put := func(v *ir.Value, t ir.Term) {
		f := make(form, len(s.axes))
		for i, stride := range v.Type.Strides() {
			if a, ok := axisOf[t[i][0]]; ok {
				f[a] = stride
			}
		}
		s.forms[v], s.spans[v] = f, f.on()
	}
	for i, v := range op.In {
		put(v, r.In[i])
	}
	put(op.Out[0], r.Out[0])
	s.follow()
	return s, axisOf
}

// strideAlong is how far a factor moves in a tensor.
func strideAlong(v *ir.Value, t ir.Term, factor int) int {
	for i, stride := range v.Type.Strides() {
		if t[i][0] == factor {
			return stride
		}
	}
	return 0
}

// looked is the factor that a gather or scatter_add looks up, with its size.
func looked(op *ir.Op) (factor, size int) {
	f, err := ir.Looked(op)
	if err != nil {
		failf(op, "%v", err)
	}
	return f, op.Rule.Factors[f].Size
}

// gather reads the table where the ids say, and zeros where they say nowhere.
func (u *unit) gather(fusion, op *ir.Op) {
	factor, size := looked(op)
	table, ids := op.In[0], op.In[1]
	s, _ := ruleSpace(fusion, op, op.Rule.Out[0])
	stride := strideAlong(table, op.Rule.In[0], factor)
	s.deps[op.Out[0]] = s.spans[op.Out[0]]
	u.lookupKernel(s, newSchedule(s, u.module.ISA, never), u.next(), refs(fusion), func(k *loopNest) {
		k.given = map[*ir.Value]func(c cursor) value.Value{op.Out[0]: func(c cursor) value.Value {
			return k.lookUp(c, k.params[table], k.eval(c, ids), stride, size)
		}}
	})
}

// lookUp loads from a table at rows that lie stride apart.
func (k *loopNest) lookUp(c cursor, table *buffer, id value.Value, stride, rows int) value.Value {
	b, t := k.b, storedType(table.dtype)
	inside := b.ICmp(enum.IPredULT, id, integers(id, int64(rows)))
	id = b.ZExt(b.Select(inside, id, integers(id, 0)), emit.I64)
	p := c.shared.address(table)
	if emit.Lanes(id.Type()) == 1 {
		at := &buffer{dtype: table.dtype, form: table.form, base: b.At(t, p, b.Mul(id, emit.Int(stride)))}
		x := k.load(c, at)
		return b.Select(b.Splat(inside, emit.Lanes(x.Type())), x, emit.Zero(x.Type()))
	}
	index := b.Mul(id, emit.SplatConst(emit.Int(stride), c.lanes))
	if coef := table.form[k.vec]; coef != 0 {
		p = k.laneAddress(c, table, p)
		index = b.Add(index, laneSteps(emit.I64, c.lanes, coef))
	}
	if mask := c.mask(); mask != nil {
		inside = b.And(inside, mask)
	}
	return fromStored(b, table.dtype, b.Gather(t, p, index, inside))
}

// lookupKernel is loopKernel with the nest made ready by hand.
func (u *unit) lookupKernel(s *space, d schedule, name string, args []ref, prepare func(k *loopNest)) {
	b, ka := u.module.Kernel(name)
	k := &loopNest{schedule: d, nest: nest{space: s, b: b, vec: d.axis,
		params: map[*ir.Value]*buffer{}, apart: map[*ir.Value]value.Value{}}}
	k.bind(ka.Args)
	k.passes = []pass{{stores: []int{0}}}
	prepare(k)
	k.tasksOf(ka)
	u.calls = append(u.calls, call{name, args, d.tasks, 0})
}

// scatter clears the result, then adds every term where its id says; the terms of one place
// are added in the order of the loops over what the result lacks.
func (u *unit) scatter(fusion, op *ir.Op) {
	factor, size := looked(op)
	ids, terms, out := op.In[0], op.In[1], op.Out[0]
	s, axisOf := ruleSpace(fusion, op, op.Rule.In[1])
	for f, a := range axisOf {
		s.axes[a].sum = !op.Rule.Out[0].Has(f)
	}
	args, home := refs(fusion), resultRef(fusion, 0)
	sums := wideDType(out.Type.DType)
	if sums != out.Type.DType {
		home = u.reserve(out.Type.As(sums).Bytes())
		args[len(args)-1] = home
	}
	u.fill(fusion, sums, home)
	d := newSchedule(s, u.module.ISA, never)
	if d.byRow || d.axis >= 0 && (s.deps[ids].has(d.axis) || s.forms[out][d.axis] != 1 || s.forms[terms][d.axis] != 1) {
		d = scalarSchedule(s)
	}
	stride := strideAlong(out, op.Rule.Out[0], factor)
	u.lookupKernel(s, d, u.next(), args, func(k *loopNest) {
		k.yields[0].dtype = sums
		k.custom = func(c cursor, cs []cursor) { k.scatterAdd(c, cs, ids, terms, stride, size) }
	})
	if sums != out.Type.DType {
		u.narrow(fusion, home)
	}
}

// scalarSchedule does without a vector axis: every kept axis makes points, and the summed ones
// are loops.
func scalarSchedule(s *space) schedule {
	points := s.outer()
	n := s.size(points)
	tasks := min(n, max(1, min(maxTasks, n*s.size(s.summed())/scalarTask)))
	per := (n + tasks - 1) / tasks
	return schedule{axis: -1, width: 1, unroll: 1, points: points, blocks: 1, chunk: -1, count: n, per: per, tasks: (n + per - 1) / per}
}

// scalarTask is how many elements a task does one by one.
const scalarTask = 16 << 10

func (k *loopNest) scatterAdd(c cursor, cs []cursor, ids, terms *ir.Value, stride, rows int) {
	k.sumLoops(c, cs, k.summed(), nil, nil, func(c cursor, cs []cursor, _ []value.Value) []value.Value {
		b, m := k.b, k.yields[0]
		id := k.eval(c, ids)
		inside := b.ICmp(enum.IPredULT, id, integers(id, int64(rows)))
		b.If(inside, func() []value.Value {
			c := k.inner(c)
			row := b.At(storedType(m.dtype), c.shared.address(m), b.Mul(b.ZExt(id, emit.I64), emit.Int(stride)))
			to := &buffer{dtype: m.dtype, form: m.form, base: row}
			for _, l := range cs {
				l.shared, l.lane = c.shared, l.lane.push()
				x := k.lanes(l, terms)
				k.store(l, to, add(b, m.dtype, k.load(l, to), x))
			}
			return nil
		}, nil)
		return nil
	})
}

// add is a sum in a dtype's registers.
func add(b *emit.Builder, d ir.DType, x, y value.Value) value.Value {
	if d.Float() {
		return b.FAdd(x, y)
	}
	return b.AddWrap(x, y)
}

// argmax finds the first of the largest along a dim; NaN is larger than all.
func (u *unit) argmax(fusion, op *ir.Op) {
	r := ir.RuleOf(op)
	dim := op.Attrs.(*ir.ArgmaxAttrs).Dim
	s, axisOf := ruleSpace(fusion, op, r.In[0])
	along := axisOf[r.In[0][dim][0]]
	s.axes[along].sum = true
	d := newSchedule(s, u.module.ISA, never)
	if d.byRow {
		d = scalarSchedule(s)
	}
	u.lookupKernel(s, d, u.next(), refs(fusion), func(k *loopNest) {
		k.custom = func(c cursor, cs []cursor) { k.largest(c, cs, op.In[0], along) }
	})
}

func (k *loopNest) largest(c cursor, cs []cursor, x *ir.Value, along int) {
	d := x.Type.DType
	var start []value.Value
	for _, l := range cs {
		start = append(start, emit.SplatConst(least(d), l.lanes), emit.SplatConst(emit.Int32(0), l.lanes))
	}
	end := k.sumLoops(c, cs, []int{along}, nil, start, func(c cursor, cs []cursor, best []value.Value) []value.Value {
		best = slices.Clone(best)
		for i, l := range cs {
			y := k.lanes(l, x)
			won := greater(k.b, d, y, best[2*i])
			best[2*i] = k.b.Select(won, y, best[2*i])
			at := k.b.Splat(k.b.Trunc(l.at[along], emit.I32), l.lanes)
			best[2*i+1] = k.b.Select(won, at, best[2*i+1])
		}
		return best
	})
	for i, l := range cs {
		k.store(l, k.yields[0], end[2*i+1])
	}
}

// greater reports whether y beats the best so far.
func greater(b *emit.Builder, d ir.DType, y, best value.Value) value.Value {
	switch {
	case d.Float():
		return b.And(b.FCmp(enum.FPredUGT, y, best), b.FCmp(enum.FPredORD, best, best))
	case d == ir.I32:
		return b.ICmp(enum.IPredSGT, y, best)
	}
	return b.ICmp(enum.IPredUGT, y, best)
}

// least is the least number of a dtype.
func least(d ir.DType) constant.Constant {
	switch {
	case d.Float():
		return emit.Float(math.Inf(-1))
	case d == ir.I32:
		return emit.Int32(math.MinInt32)
	case d == ir.Bool:
		return emit.Bool(false)
	case d == ir.U8:
		return constant.NewInt(emit.I8, 0)
	}
	return emit.Int32(0)
}

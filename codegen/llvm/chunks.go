package llvm

import (
	"slices"

	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

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
	u.loopKernel(t, newSchedule(t, u.module.ISA, never), u.name, args, nil)
}

// addChunks is the fusion that follows a chunked one: its body reduces the chunks' sums where
// that of s reduces, and goes on as that does. from numbers its operands: first the chunks'
// sums, then those of the fusion.
func addChunks(s *space, chunks int) (second *ir.Op, from []int) {
	op := s.op
	r := &rewriter{body: &ir.Region{}, known: map[*ir.Value]*ir.Value{}}
	b := &ir.Builder{Region: r.body, Pos: op.Pos}
	for _, in := range op.Body.Ops {
		if !s.sums[in] {
			continue
		}
		t := in.Out[0].Type
		p := r.param(ir.Type{DType: wideDType(t.DType), Dims: append([]ir.Dim{{Label: "chunk", Size: chunks}}, t.Dims...)}, len(r.from))
		rule := ir.PointwiseRule([]ir.Type{p.Type}, p.Type)
		sum := b.ReduceTo(in.Attrs.(*ir.ReduceAttrs).Kind, p, rule.Swap(rule.In, rule.In[0][1:]), t.Dims)
		r.known[in.Out[0]] = b.Cast(sum, t.DType)
	}
	r.first, r.old = len(r.body.Params), op.Body
	for _, y := range op.Body.Yield {
		r.body.Yield = append(r.body.Yield, r.use(y))
	}
	return &ir.Op{Row: op.Row, In: r.in, Out: op.Out, Attrs: op.Attrs, Body: r.body, Pos: op.Pos}, r.from
}

// rewriter copies into a new body what its results need of an old one.
type rewriter struct {
	old, body *ir.Region
	known     map[*ir.Value]*ir.Value // what old values are in the new body
	in        []*ir.Value             // stand-ins for the new operands
	from      []int
	first     int // number of the old body's first parameter
}

func (r *rewriter) param(t ir.Type, from int) *ir.Value {
	p := &ir.Value{Type: t}
	r.body.Params = append(r.body.Params, p)
	r.in, r.from = append(r.in, &ir.Value{Type: t}), append(r.from, from)
	return p
}

func (r *rewriter) use(v *ir.Value) *ir.Value {
	if w, ok := r.known[v]; ok {
		return w
	}
	switch {
	case v.Lit != nil:
		return v
	case v.Def == nil:
		r.known[v] = r.param(v.Type, r.first+slices.Index(r.old.Params, v))
	default:
		m := map[*ir.Value]*ir.Value{}
		for _, x := range v.Def.In {
			m[x] = r.use(x)
		}
		c := v.Def.Clone(m)
		r.body.Ops = append(r.body.Ops, c)
		r.known[v] = c.Out[0]
	}
	return r.known[v]
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

// enterChunk moves the partial results on to the chunk's.
func (k *loopNest) enterChunk(c cursor) cursor {
	c = k.inner(c)
	first := k.b.Mul(k.chunkAt, emit.Int(k.size(k.outer())))
	for _, m := range k.partial {
		c.shared.addr[m] = k.b.At(storedType(m.dtype), c.shared.address(m), first)
	}
	return c
}

// chunkable reports whether the body is one round of sums of which only the sums are used.
func (s *space) chunkable() bool {
	sums := s.summedSet()
	if sums == 0 {
		return false
	}
	for _, op := range s.body.Ops {
		if s.sums[op] && s.level[op.In[0]] > 0 {
			return false
		}
	}
	for _, v := range s.body.Yield {
		if s.spans[v]&sums != 0 {
			return false
		}
	}
	return true
}

// widestSum is the summed axis of most positions, the outermost of equals.
func (s *space) widestSum() int {
	best := -1
	for _, a := range s.summed() {
		if best < 0 || s.axes[a].size > s.axes[best].size {
			best = a
		}
	}
	return best
}

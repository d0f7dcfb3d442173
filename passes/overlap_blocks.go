package passes

import (
	"slices"

	"vitc/ir"
)

// How blocks are cut: out of values, or out of what makes them.

// product is a block of a product.
func (w *exchanger) product(x *exchange, p blockwise, t ir.Type, step int) *ir.Value {
	in, rule := slices.Clone(p.op.In), p.op.Rule
	c := &cutter{exchanger: w, x: x, step: step, dim: p.dim, done: map[*ir.Value]*ir.Value{}}
	for f := joinable(rule, in); f >= 0 && flat(rule) && w.sliced(p.op.In[p.operand]); f = joinable(rule, in) {
		c.joined = append(c.joined, placeIn(rule.In[p.operand], f))
		rule = w.join(rule, in, f)
	}
	for _, k := range c.joined {
		if c.dim > k {
			c.dim--
		}
	}
	in[p.operand] = c.block(p.op.In[p.operand])
	return w.emit("dot", nil, rule, t, in...)
}

// joinable finds a place in the first operand of a product where two contracted factors follow each
// other, as they do in the second: one dim of both is the same to the product, and XLA needs no
// copy then to cut a block. It is -1 where there is none. What is joined has no padding, which would
// come to lie between places.
func joinable(r ir.Rule, in []*ir.Value) int {
	joins := func(v *ir.Value, dim int) bool {
		return v.Type.Dims[dim].Global == 0 && v.Type.Dims[dim+1].Global == 0 && len(v.Type.Shard.Of(dim+1)) == 0
	}
	for i := 0; i+1 < len(r.In[0]); i++ {
		f, g := r.In[0][i], r.In[0][i+1]
		if len(f) != 1 || len(g) != 1 || r.Factors[f[0]].Kind != ir.Contracted || r.Factors[g[0]].Kind != ir.Contracted {
			continue
		}
		k := placeIn(r.In[1], f[0])
		if k >= 0 && k+1 < len(r.In[1]) && slices.Equal(r.In[1][k+1], g) && joins(in[0], i) && joins(in[1], k) {
			return f[0]
		}
	}
	return -1
}

// flat reports whether a product is one of matrices but for contracted dims: others may lie in
// another order in memory, and to join dims of such a value would copy it.
func flat(r ir.Rule) bool {
	for _, t := range r.In {
		kept := 0
		for _, d := range t {
			if len(d) != 1 || r.Factors[d[0]].Kind != ir.Contracted {
				kept++
			}
		}
		if kept > 1 {
			return false
		}
	}
	return true
}

// placeIn is the dim of a term that is one factor, -1 if there is none.
func placeIn(t ir.Term, factor int) int {
	return slices.IndexFunc(t, func(d ir.DimFactors) bool { return len(d) == 1 && d[0] == factor })
}

// join makes of a contracted factor and the next one a dim of both operands, and gives the
// product's rule for that.
func (w *exchanger) join(r ir.Rule, in []*ir.Value, factor int) ir.Rule {
	terms := slices.Clone(r.In)
	for i, v := range in {
		k := placeIn(terms[i], factor)
		in[i] = w.joined(v, k)
		terms[i] = slices.Delete(slices.Clone(terms[i]), k+1, k+2)
	}
	return r.Swap(terms, r.Out...)
}

// joined is a value with a dim and the next one as one. Of what a loop takes a slice of each turn,
// the whole is joined in front of the loop: what XLA slices twice in one shape it need not store.
func (w *exchanger) joined(v *ir.Value, k int) *ir.Value {
	if i := w.eachOf(v); i >= 0 {
		return w.joinedEach(i, k)
	}
	return w.emitJoined(v, k)
}

// sliced reports whether pointwise ops make a value of what a loop takes a slice of each turn.
func (w *exchanger) sliced(v *ir.Value) bool {
	if w.eachOf(v) >= 0 {
		return v.Type.Rank() > 1
	}
	return v.Def != nil && pointwise(v.Def) && !w.held[v] && slices.ContainsFunc(v.Def.In, w.sliced)
}

// eachOf is the place of a loop's parameter among those that it has a slice of each turn, -1 for
// other values.
func (w *exchanger) eachOf(v *ir.Value) int {
	if w.loop == nil {
		return -1
	}
	a := w.loop.Attrs.(*ir.ScanAttrs)
	i := slices.Index(w.loop.Body.Params, v)
	if i < a.Carry || i >= a.Carry+a.Each {
		return -1
	}
	return i
}

func (w *exchanger) joinedEach(i, k int) *ir.Value {
	key := [2]int{i, k}
	if p := w.each[key]; p != nil {
		return p
	}
	inside := w.body.Ops
	w.body.Ops = w.front
	whole := w.emitJoined(w.loop.In[i], k+1)
	w.front, w.body.Ops = w.body.Ops, inside
	a := w.loop.Attrs.(*ir.ScanAttrs)
	at := a.Carry + a.Each
	p := &ir.Value{Name: w.loop.Body.Params[i].Name, Type: ir.EachType(whole.Type), Pos: whole.Pos}
	w.loop.In = slices.Insert(w.loop.In, at, whole)
	w.loop.Body.Params = slices.Insert(w.loop.Body.Params, at, p)
	a.Each++
	w.each[key] = p
	return p
}

func (w *exchanger) emitJoined(v *ir.Value, k int) *ir.Value {
	t := v.Type
	t.Dims = slices.Delete(slices.Clone(t.Dims), k+1, k+2)
	t.Dims[k].Size *= v.Type.Dims[k+1].Size
	if s := v.Type.Shard; s != nil && s.Dims != nil {
		t.Shard = ir.NewSharding(slices.Delete(slices.Clone(s.Dims), k+1, k+2), s.Sum, s.Vary)
	}
	r := ir.PointwiseRule([]ir.Type{v.Type}, v.Type)
	out := slices.Delete(slices.Clone(r.Out[0]), k+1, k+2)
	out[k] = ir.DimFactors{k, k + 1}
	return w.emit("rearrange", nil, r.Swap(r.In, out), t, v)
}

// cutter cuts the block that a device owns out of values.
type cutter struct {
	*exchanger
	x      *exchange
	step   int                     // places on, of the owner
	joined []int                   // dims that become one with the next, one after the other
	dim    int                     // that is cut, of what is joined
	done   map[*ir.Value]*ir.Value // the block of each value
}

// block cuts a value. What pointwise ops make and nothing but them and the exchange's products
// reads is made of the blocks of their operands: it need not be stored whole to be cut. Dims are
// joined first: XLA makes of a cut in rows of one dim a part of the product.
func (c *cutter) block(v *ir.Value) *ir.Value {
	if b := c.done[v]; b != nil {
		return b
	}
	at := slices.IndexFunc(c.x.products, func(p blockwise) bool { return p.op.Out[0] == v })
	switch {
	case at >= 0:
		c.done[v] = c.product(c.x, c.x.products[at], c.shorter(v.Type, c.dim, c.x.axis), c.step)
	case v.Def == nil || !pointwise(v.Def) || c.held[v]:
		whole := v
		for _, k := range c.joined {
			whole = c.exchanger.joined(whole, k)
		}
		a := &ir.BlockAttrs{Dim: c.dim, Over: []string{c.x.axis}, Step: c.step}
		c.done[v] = c.emit("block", a, ir.Rule{}, c.shorter(whole.Type, c.dim, c.x.axis), whole)
	default:
		var like *ir.Value
		in := slices.Clone(v.Def.In)
		for i, y := range in {
			if y.Type.Rank() > 0 {
				in[i] = c.block(y)
				like = in[i]
			}
		}
		c.done[v] = c.emit(v.Def.Row.Name, v.Def.Attrs, v.Def.Rule, like.Type.As(v.Type.DType), in...)
	}
	return c.done[v]
}

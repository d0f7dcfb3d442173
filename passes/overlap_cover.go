package passes

import (
	"slices"

	"vitc/ir"
)

// What is sent takes as long as its links take, and XLA's scheduler starts a transfer as late as it
// thinks that it may: it counts neither the links on the way nor what else they carry. So each
// exchange is given a product that hides it, its cover: fences keep that one behind the blocks that
// are sent, and what reads its result behind their arrival.

// covering chooses covers for the exchanges of a region, and leaves out those that have none: the
// first product that needs not wait for the exchange nor the exchange for it, and that is as long as
// all that it hides of an axis.
func (h *hider) covering(r *ir.Region, list []*exchange) []*exchange {
	c := &covers{hider: h, succession: succession{map[*ir.Op][]*ir.Value{}}, users: usersIn(r), split: map[*ir.Op]bool{}, busy: map[*ir.Op]map[string]float64{}}
	for _, x := range list {
		for _, p := range x.products {
			c.split[p.op] = true
		}
	}
	var taken []*exchange
	for _, x := range list {
		if h.eager || x.gain > 0 {
			c.choose(r, x)
		}
		x.alone = x.cover == nil && (h.eager || h.hidesItself(x))
		if x.cover != nil || x.alone {
			taken = append(taken, x)
		}
	}
	return taken
}

// covers are what has been chosen.
type covers struct {
	*hider
	succession
	users readers
	split map[*ir.Op]bool               // products that exchanges take apart
	busy  map[*ir.Op]map[string]float64 // seconds that a cover hides of each axis
}

func (c *covers) choose(r *ir.Region, x *exchange) {
	needs := c.before(x.inputs())
	for _, op := range r.Ops {
		if !isProduct(op) || c.split[op] || needs[op] || !c.holds(op, x) {
			continue
		}
		sink := c.users.sink(op.Out[0])
		if sink == nil || c.before([]*ir.Value{sink})[x.scatter] {
			continue
		}
		x.cover = op
		if c.busy[op] == nil {
			c.busy[op] = map[string]float64{}
		}
		c.busy[op][x.axis] += x.wire
		c.behind[op] = append(c.behind[op], x.inputs()...)
		c.behind[x.scatter] = append(c.behind[x.scatter], sink) // what arrives is read behind it
		return
	}
}

// hidesItself reports whether each block's products take as long as the send of the block before,
// so that only the last arrives late, and is added in a pass of its own.
func (h *hider) hidesItself(x *exchange) bool {
	n := h.mesh.Size(x.axis)
	block := float64(x.scatter.In[0].Type.Bytes()) / float64(n)
	work := 0.0
	for _, p := range x.products {
		work += h.blockTime(p, x.dim(), n)
	}
	for step := 1; step < n; step++ {
		if h.model.Permute(block, []string{x.axis}, step) > work {
			return false
		}
	}
	return x.gain > h.model.Pass(float64(n+1)*block)
}

// holds reports whether a product is long enough to hide an exchange beside those that it hides.
func (c *covers) holds(op *ir.Op, x *exchange) bool {
	return c.eager || c.busy[op][x.axis]+x.wire <= c.model.Op(op).Core
}

// inputs are what an exchange's products read.
func (x *exchange) inputs() []*ir.Value {
	var in []*ir.Value
	for _, p := range x.products {
		in = append(in, p.op.In...)
	}
	return in
}

// sink follows a product's result through the pointwise ops that are computed with it to the one
// value that is stored, nil where there are several.
func (u readers) sink(v *ir.Value) *ir.Value {
	var found *ir.Value
	seen := map[*ir.Value]bool{}
	one := true
	var visit func(*ir.Value)
	visit = func(v *ir.Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		if u.kept[v] || slices.ContainsFunc(u.of[v], func(op *ir.Op) bool { return !pointwise(op) }) {
			one = one && found == nil
			found = v
			return
		}
		for _, op := range u.of[v] {
			visit(op.Out[0])
		}
	}
	visit(v)
	if !one {
		return nil
	}
	return found
}

// pin puts the fences around an exchange's cover. sent and arrived are the operands and results of
// its permutes.
func (w *exchanger) pin(r *ir.Region, x *exchange) {
	i := firm(x.cover)
	pre := &ir.Builder{Region: &ir.Region{}, Pos: x.cover.Pos}
	out := pre.Emit(&ir.Op{Row: ir.Lookup("fence"), In: append([]*ir.Value{x.cover.In[i]}, x.sent...),
		Attrs: &ir.FenceAttrs{Why: "sent before the product that hides it"}}, nil)
	x.cover.In[i] = out[0]
	for k, p := range x.sends {
		p.In[0] = out[k+1]
	}
	u := usersIn(r)
	v := u.sink(x.cover.Out[0])
	var arrived []*ir.Value
	for _, p := range x.sends {
		arrived = append(arrived, p.Out[0])
	}
	post := w.posts[v]
	if of := u.of[v]; post == nil && len(of) == 1 && of[0].Row.Name == "fence" && len(of[0].In) == 1 && !u.kept[v] {
		post = of[0] // nothing else waits for it
	}
	if post == nil {
		post = &ir.Op{Row: ir.Lookup("fence"), Attrs: &ir.FenceAttrs{Why: "read when what the product hides has arrived"}, Pos: x.cover.Pos}
		r.Ops = append(r.Ops, post)
		arrived = append([]*ir.Value{v}, arrived...)
	}
	w.posts[v] = post
	now := map[*ir.Value]*ir.Value{}
	for _, a := range arrived {
		n := &ir.Value{Name: a.Name, Type: a.Type, Def: post, Pos: a.Pos}
		now[a] = n
		post.Out = append(post.Out, n)
	}
	for _, op := range r.Ops {
		late := !named(op, "reduce") && !pointwise(op) // those are computed with the product
		for i, a := range op.In {
			if n := now[a]; n != nil && (late || a != v) {
				op.In[i] = n
			}
		}
	}
	post.In = append(post.In, arrived...)
	x.last(post)
	r.Ops = append(r.Ops, pre.Region.Ops...)
}

// last lets the own block be made behind the fence that the others arrive at: what is sent does not
// wait for it, and it is not held while the cover runs, but added to as soon as it is there.
func (x *exchange) last(post *ir.Op) {
	dot := mainProduct(x.own)
	if dot == nil {
		return
	}
	i := slices.IndexFunc(dot.In, func(v *ir.Value) bool { return v.Def == nil || !pointwise(v.Def) && v.Def.Row.Name != "block" })
	if i < 0 {
		return
	}
	v := dot.In[i]
	n := &ir.Value{Name: v.Name, Type: v.Type, Def: post, Pos: v.Pos}
	post.In, post.Out = append(post.In, v), append(post.Out, n)
	dot.In[i] = n
}

// chain keeps the blocks of an exchange one behind the other: a block's products begin when the one
// before is under way, and when the one before that has arrived.
func (w *exchanger) chain(r *ir.Region, x *exchange) {
	fence := func(why string, in ...*ir.Value) []*ir.Value {
		b := &ir.Builder{Region: &ir.Region{}, Pos: x.scatter.Pos}
		out := b.Emit(&ir.Op{Row: ir.Lookup("fence"), In: in, Attrs: &ir.FenceAttrs{Why: why}}, nil)
		for i, v := range in {
			out[i].Name = v.Name
		}
		r.Ops = append(r.Ops, b.Region.Ops...)
		return out
	}
	blocks := append(slices.Clone(x.sent), x.own)
	for k := 1; k < len(blocks); k++ {
		dot := mainProduct(blocks[k])
		i := firm(dot)
		in := []*ir.Value{dot.In[i], x.sent[k-1]}
		if k > 1 {
			in = append(in, x.sends[k-2].Out[0])
		}
		out := fence("one block hides the sends of another", in...)
		dot.In[i], x.sends[k-1].In[0] = out[0], out[1]
		if k > 1 {
			replaceIn(r.Ops[:len(r.Ops)-1], in[2], out[2])
		}
	}
	last := x.sends[len(x.sends)-1].Out[0]
	out := fence("the last block arrives while the own one is made", x.own, last)
	replaceIn(r.Ops[:len(r.Ops)-1], x.own, out[0])
	replaceIn(r.Ops[:len(r.Ops)-1], last, out[1])
}

// firm chooses the operand of a product to fence: one that is stored whatever is done.
func firm(op *ir.Op) int {
	i := slices.IndexFunc(op.In, func(v *ir.Value) bool { return v.Def == nil || !pointwise(v.Def) })
	return max(i, 0)
}

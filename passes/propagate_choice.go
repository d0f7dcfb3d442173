package passes

import (
	"slices"

	"vitc/ir"
)

// choice is how one op's loop nest is cut: the axes of each factor.
type choice struct {
	cut  [][]string
	cost float64
}

// chooser weighs the ways to cut one op.
type chooser struct {
	s     *scope
	op    *ir.Op
	v     *view
	lists [][][]string // of each factor, the axes it is cut along somewhere: results first
	best  *choice
}

// choose cuts an op where that is cheapest: each mesh axis along one of the factors that some
// operand or result is cut along by it, or along none. What counts are the moves that bring the
// operands together and the results home, and the work that is left to each device, in seconds.
func (s *scope) choose(op *ir.Op, v *view) [][]string {
	c := &chooser{s: s, op: op, v: v, lists: make([][][]string, len(v.factors))}
	for i, x := range op.Out {
		c.note(v.out[i], s.p.homes.dims[x])
	}
	for i, x := range op.In {
		if x.Lit != nil {
			continue
		}
		for _, sh := range s.shardings(x) {
			c.note(v.in[i], dimsOf(x.Type, sh))
		}
	}
	cut := make([]int, len(s.p.mesh))
	c.try(cut, 0)
	return c.best.cut
}

// note remembers how a tensor's factors are cut.
func (c *chooser) note(t ir.Term, dims [][]string) {
	dealt := c.v.dealt(c.s.p.mesh, t, dims)
	for f := range c.v.factors {
		if axes := dealt[f]; len(axes) > 0 && !c.v.whole[f] {
			c.lists[f] = append(c.lists[f], axes)
		}
	}
}

// try gives each mesh axis from the k-th on a factor, or -1.
func (c *chooser) try(factor []int, k int) {
	if k == len(factor) {
		c.weigh(factor)
		return
	}
	name := c.s.p.mesh[k].Name
	for f := range c.v.factors {
		if slices.ContainsFunc(c.lists[f], func(l []string) bool { return slices.Contains(l, name) }) {
			factor[k] = f
			c.try(factor, k+1)
		}
	}
	factor[k] = -1
	c.try(factor, k+1)
}

// weigh keeps a way to cut if it is possible and the cheapest so far.
func (c *chooser) weigh(factor []int) {
	mesh, v := c.s.p.mesh, c.v
	cut := make([][]string, len(v.factors))
	for f := range v.factors {
		cut[f] = c.ordered(f, factor)
		if !v.admits(mesh, f, cut[f]) {
			return
		}
	}
	cost := c.work(cut) + c.halos(cut)
	for i, x := range c.op.In {
		dims, ok := v.dims(mesh, v.in[i], cut)
		if !ok {
			return
		}
		if x.Lit == nil && !slices.Contains(c.op.In[:i], x) {
			cost += c.s.cost(x, ir.NewSharding(dims, nil, nil))
		}
	}
	for i, x := range c.op.Out {
		natural, ok := v.natural(mesh, i, cut)
		if !ok {
			return
		}
		cost += c.s.p.routes.route(x.Type, natural, c.s.p.homes.sharding(x)).seconds
	}
	if c.best == nil || cost < c.best.cost {
		c.best = &choice{cut, cost}
	}
}

// ordered is the axes that a factor gets, in the order in which some tensor has them.
func (c *chooser) ordered(f int, factor []int) []string {
	var axes []string
	for k, g := range factor {
		if g == f {
			axes = append(axes, c.s.p.mesh[k].Name)
		}
	}
	if len(axes) < 2 {
		return axes
	}
	for _, l := range c.lists[f] {
		if kept := slices.DeleteFunc(slices.Clone(l), func(a string) bool { return !slices.Contains(axes, a) }); len(kept) == len(axes) {
			return kept
		}
	}
	return axes
}

// natural is how a result lies where the op is cut: parts along the factors that are summed. Maxima
// and minima are joined at once.
func (v *view) natural(mesh ir.Mesh, i int, cut [][]string) (*ir.Sharding, bool) {
	dims, ok := v.dims(mesh, v.out[i], cut)
	var sum []string
	for f, axes := range cut {
		if v.contracted(f) && v.join == "sum" {
			sum = append(sum, axes...)
		}
	}
	return ir.NewSharding(dims, sum, nil), ok
}

// work is what an op costs each device.
func (c *chooser) work(cut [][]string) float64 {
	n := 1.0
	for f, factor := range c.v.factors {
		if factor.Kind == ir.Moving && !slices.ContainsFunc(c.v.out, func(t ir.Term) bool { return t.Has(f) }) {
			continue // where results come from
		}
		parts := c.s.p.mesh.Size(cut[f]...)
		n *= float64(padded(factor.Size, parts) / parts)
	}
	m := c.s.p.routes.model
	if c.op.ProductFlops() > 0 {
		return 2 * n / m.Chip().Peak
	}
	bytes := 0
	for _, x := range c.op.Out {
		bytes += x.Type.DType.Bytes()
	}
	return m.Pass(n * float64(bytes))
}

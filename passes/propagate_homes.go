package passes

import (
	"slices"

	"vitc/ir"
)

// homes holds how every value of a function is cut where it is at home: what the plan says of
// it, or what follows from its neighbours. Only values are looked at here; what an op must move
// so that its operands meet is decided later, by cost.
type homes struct {
	mesh    ir.Mesh
	views   factorViews
	reached *reached
	dims    map[*ir.Value][][]string
	ports   map[*ir.Value]bool // parameters of the function: they lie as the plan says, no more
	grown   bool
	why     *Derivation // nil: nobody asks
	// clock counts cuts. An op whose values were last cut before it was last looked at has nothing
	// to spread.
	clock  int
	cutAt  map[*ir.Value]int
	looked map[*ir.Op]int
}

// homesOf derives a function's homes:
//
//  1. the plan's lines are applied one after the other: each cuts the values it speaks of along
//     axes that no earlier line has cut them along;
//  2. after each line, cuts spread to a fixed point over the index rules, forwards and
//     backwards, through ops that move no data first, and then through products;
//  3. activations and parameters keep apart: an axis of a parameter says nothing about the
//     activation that it meets, and gradients follow their parameter.
func homesOf(f *ir.Func, p *ir.Plan, seeds []Seed, why *Derivation) *homes {
	v := factorViews{}
	h := &homes{why: why, mesh: p.Mesh, views: v, reached: reachedByBatch(f, v), dims: map[*ir.Value][][]string{}, ports: map[*ir.Value]bool{},
		cutAt: map[*ir.Value]int{}, looked: map[*ir.Op]int{}}
	for _, x := range f.Body.Params {
		h.ports[x] = true
	}
	for i := 0; i < len(seeds); {
		line := seeds[i].Line
		for ; i < len(seeds) && seeds[i].Line == line; i++ {
			h.seed(seeds[i])
		}
		h.spread(f.Body)
	}
	return h
}

// of is the axes of a dim.
func (h *homes) of(v *ir.Value, dim int) []string { return axesOf(h.dims[v], dim) }

// sharding is a value's home in the form of the IR.
func (h *homes) sharding(v *ir.Value) *ir.Sharding { return ir.NewSharding(h.dims[v], nil, nil) }

// seed cuts a dim as the plan says, unless what an earlier line says has reached it.
func (h *homes) seed(s Seed) {
	c := Cause{Line: s.Line, Over: s.Over}
	if len(h.of(s.Value, s.Dim)) > 0 {
		h.why.missed(s.Value, s.Dim, c, "it is cut already: an earlier line of the plan has reached it")
		return
	}
	h.cut(s.Value, s.Dim, c)
}

// extend cuts a dim along more axes, where they go on from those it has and no other dim of the
// value has one of them.
func (h *homes) extend(v *ir.Value, dim int, c Cause) {
	have := h.of(v, dim)
	if v.Lit != nil || len(c.Over) <= len(have) {
		return
	}
	switch {
	case h.ports[v]:
		h.why.missed(v, dim, c, "arguments lie as the plan says, and no more")
	case !slices.Equal(c.Over[:len(have)], have):
		h.why.missed(v, dim, c, "it is cut along other axes already")
	default:
		h.cut(v, dim, c)
	}
}

// cut cuts a dim along axes that no other dim of the value has, where they fit.
func (h *homes) cut(v *ir.Value, dim int, c Cause) {
	for i, a := range c.Over {
		if slices.Contains(c.Over[:i], a) {
			return // two factors of the dim want it
		}
		for d, other := range h.dims[v] {
			if d != dim && slices.Contains(other, a) {
				h.why.missed(v, dim, c, v.Type.Dims[d].Label+" has "+a+" already")
				return
			}
		}
	}
	if !pads(v.Type.Dims[dim].Size, h.mesh.Size(c.Over...)) {
		h.why.missed(v, dim, c, "too much of it would be padding")
		return
	}
	h.why.caused(v, dim, c)
	if h.dims[v] == nil {
		h.dims[v] = make([][]string, v.Type.Rank())
	}
	h.dims[v][dim], h.grown = c.Over, true
	h.clock++
	h.cutAt[v] = h.clock
}

// spread goes over the ops until nothing changes, through products only where all else is done.
func (h *homes) spread(r *ir.Region) {
	for {
		for h.grown = true; h.grown; {
			h.grown = false
			h.region(r, false)
		}
		if h.region(r, true); !h.grown {
			return
		}
	}
}

// region goes over the ops once forwards and once backwards.
func (h *homes) region(r *ir.Region, products bool) {
	for _, op := range r.Ops {
		h.visit(op, products)
	}
	for i := len(r.Ops) - 1; i >= 0; i-- {
		h.visit(r.Ops[i], products)
	}
}

func (h *homes) visit(op *ir.Op, products bool) {
	if op.Body == nil {
		if h.stale(op) && (products || op.ProductFlops() == 0) {
			h.looked[op] = h.clock
			h.op(op)
		}
		return
	}
	for range 2 { // on the way in, and on the way out
		for _, t := range tiesOf(op) {
			h.tie(op, t)
		}
		h.region(op.Body, products)
	}
}

// stale reports whether a value of an op was cut since the op was last looked at.
func (h *homes) stale(op *ir.Op) bool {
	at := h.looked[op]
	later := func(v *ir.Value) bool { return h.cutAt[v] > at }
	return slices.ContainsFunc(op.In, later) || slices.ContainsFunc(op.Out, later)
}

func (h *homes) tie(op *ir.Op, t tie) {
	if t.outer.Lit != nil || t.inner.Lit != nil || h.reached.value(t.outer) != h.reached.value(t.inner) {
		return
	}
	for d := range t.inner.Type.Dims {
		h.extend(t.inner, d, Cause{Line: -1, From: t.outer, Dim: d + t.lead, Op: op, Over: h.of(t.outer, d+t.lead)})
		h.extend(t.outer, d+t.lead, Cause{Line: -1, From: t.inner, Dim: d, Op: op, Over: h.of(t.inner, d)})
	}
}

// op spreads along factors, among activations and among the others.
func (h *homes) op(op *ir.Op) {
	v := h.views.of(op)
	for _, class := range []bool{true, false} {
		cut := make([]Cause, len(v.factors))
		v.each(op, func(x *ir.Value, t ir.Term) {
			if h.reached.value(x) != class {
				return
			}
			for f, axes := range v.dealt(h.mesh, t, h.dims[x]) {
				if len(axes) > len(cut[f].Over) && v.admits(h.mesh, f, axes) {
					cut[f] = Cause{Line: -1, From: x, Dim: dimOf(t, f), Op: op, Factor: v.factors[f].Name, Over: axes}
				}
			}
		})
		v.each(op, func(x *ir.Value, t ir.Term) {
			if h.reached.value(x) == class {
				h.follow(v, x, t, cut)
			}
		})
	}
}

// dimOf is the dim that a factor stands in.
func dimOf(t ir.Term, f int) int {
	return slices.IndexFunc(t, func(d ir.DimFactors) bool { return slices.Contains(d, f) })
}

// follow extends a value's dims by what their factors are cut along.
func (h *homes) follow(v *view, x *ir.Value, t ir.Term, cut []Cause) {
	for d, fs := range t {
		var c Cause
		for _, f := range fs {
			axes := cut[f].Over
			if len(axes) > 0 && len(c.Over) == 0 {
				c = cut[f]
				c.Over = nil
			}
			c.Over = append(c.Over, axes...)
			if v.factors[f].Size != h.mesh.Size(axes...) {
				break
			}
		}
		h.extend(x, d, c)
	}
}

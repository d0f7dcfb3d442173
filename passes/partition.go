package passes

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/diag"
)

// partition makes of the program for all devices the one that each device runs:
//
//  1. sizes become local: a dim cut in n has 1/n of its places, rounded up; padding holds
//     anything, and is masked before it would be summed (partition_local.go);
//  2. a reshard becomes the cheapest sequence of collectives and cuts (partition_moves.go);
//  3. ops that know positions learn where their block begins: iota and rng_bits by offsets,
//     gather and scatter_add by moving the ids, roll and windows by an exchange between neighbours
//     (partition_halo.go);
//  4. parts of maxima and minima are joined at once.
//
// A module without a mesh goes through as it is.
func partition(m *ir.Module, c *Context) {
	if len(m.Mesh) == 0 || m.Phase == ir.Partitioned {
		return
	}
	routes := newRouter(cost.Usual(m.Mesh))
	if c.Plan != nil {
		routes = newRouter(priced(c.Plan))
		routes.hides = c.Plan.Overlap == ir.OverlapRing
	}
	for _, f := range m.Funcs {
		f.Body = newSplitter(m.Mesh, routes).region(f.Body)
	}
	m.Phase = ir.Partitioned
}

// splitter rewrites one region.
type splitter struct {
	mesh    ir.Mesh
	routes  *router
	body    *ir.Region
	now     map[*ir.Value]*ir.Value // old values to local ones
	op      *ir.Op                  // the old op whose code is being made
	indices map[string]*ir.Value    // axis_index, and where blocks begin, by axes and sizes
	masks   map[string]*ir.Value    // what is no padding, by axes and sizes
}

func newSplitter(mesh ir.Mesh, routes *router) *splitter {
	return &splitter{mesh: mesh, routes: routes, body: &ir.Region{}, now: map[*ir.Value]*ir.Value{},
		indices: map[string]*ir.Value{}, masks: map[string]*ir.Value{}}
}

// region gives the local form of a region.
func (s *splitter) region(r *ir.Region) *ir.Region {
	for _, p := range r.Params {
		v := *p
		v.Type = s.local(p.Type)
		s.now[p] = &v
		s.body.Params = append(s.body.Params, &v)
	}
	for _, op := range r.Ops {
		s.op = op
		s.rewrite(op)
	}
	s.body.Yield, s.body.Stack = s.values(r.Yield), s.values(r.Stack)
	return s.body
}

// local is what one device holds of a type. Where places are padded, Global says how many count.
func (s *splitter) local(t ir.Type) ir.Type {
	dims := append([]ir.Dim(nil), t.Dims...)
	for i := range dims {
		n := s.mesh.Size(t.Shard.Of(i)...)
		full := padded(dims[i].Size, n)
		if full != dims[i].Size {
			dims[i].Global = dims[i].Size
		}
		dims[i].Size = full / n
	}
	t.Dims = dims
	return t
}

func (s *splitter) value(v *ir.Value) *ir.Value {
	if v.Lit != nil {
		return v
	}
	return s.now[v]
}

func (s *splitter) values(vs []*ir.Value) []*ir.Value {
	out := make([]*ir.Value, len(vs))
	for i, v := range vs {
		out[i] = s.value(v)
	}
	return out
}

// special are the ops that do more than compute on local sizes.
var special = map[string]func(s *splitter, op *ir.Op){
	"reshard":     (*splitter).reshard,
	"iota":        (*splitter).iota,
	"rng_bits":    (*splitter).draw,
	"gather":      (*splitter).gather,
	"scatter_add": (*splitter).scatter,
	"roll":        (*splitter).roll,
	"window":      (*splitter).window,
	"unwindow":    (*splitter).unwindow,
}

func (s *splitter) rewrite(op *ir.Op) {
	switch f := special[op.Row.Name]; {
	case op.Body != nil:
		s.scan(op)
	case isTree(op):
		s.tree(op)
	case f != nil:
		f(s, op)
	default:
		s.plain(op, s.masked(op))
	}
}

// plain copies an op with given operands. Parts of maxima and minima are joined.
func (s *splitter) plain(op *ir.Op, in []*ir.Value) {
	c := &ir.Op{Row: op.Row, In: in, Rule: op.Rule, Attrs: op.Attrs, Pos: op.Pos}
	joined := s.joined(op)
	for _, x := range op.Out {
		y := &ir.Value{Name: x.Name, Type: s.local(x.Type), Def: c, Pos: x.Pos}
		if len(joined) > 0 {
			y.Type = y.Type.WithVary(joined...)
		}
		c.Out = append(c.Out, y)
		s.now[x] = y
	}
	bindRule(c)
	s.body.Ops = append(s.body.Ops, c)
	if x := op.Out[0]; len(joined) > 0 {
		s.now[x] = s.emit("all_reduce", &ir.ReduceOverAttrs{Over: joined, Kind: viewOf(op).join}, s.local(x.Type), s.now[x])
		s.now[x].Name = x.Name
	}
}

// bindRule gives the rule an op carries the sizes of its values.
func bindRule(op *ir.Op) {
	if !op.Row.Carries {
		return
	}
	var in, out []ir.Type
	for _, v := range op.In {
		in = append(in, v.Type)
	}
	for _, v := range op.Out {
		out = append(out, v.Type)
	}
	r, err := op.Rule.Bind(in, out)
	if err != nil {
		panic(&ir.Bug{Msg: fmt.Sprintf("%s on one device: %v", op.Row.Name, err), Pos: op.Pos})
	}
	op.Rule = r
}

// joined is the axes along which devices hold parts of a maximum or a minimum.
func (s *splitter) joined(op *ir.Op) []string {
	if v := viewOf(op); v.join != "sum" {
		return inOrder(s.mesh, s.contractedAxes(op, v))
	}
	return nil
}

// contractedAxes is the axes that an op's contracted factors are cut along.
func (s *splitter) contractedAxes(op *ir.Op, v *view) []string {
	var axes []string
	for i, t := range v.in {
		for f, over := range v.dealt(s.mesh, t, dimsOf(op.In[i].Type, op.In[i].Type.Shard)) {
			if v.contracted(f) {
				axes = append(axes, without(over, axes)...)
			}
		}
	}
	return axes
}

// scan rewrites a loop's body.
func (s *splitter) scan(op *ir.Op) {
	c := &ir.Op{Row: op.Row, In: s.values(op.In), Attrs: op.Attrs, Pos: op.Pos, Body: newSplitter(s.mesh, s.routes).region(op.Body)}
	for _, x := range op.Out {
		y := &ir.Value{Name: x.Name, Type: s.local(x.Type), Def: c, Pos: x.Pos}
		c.Out = append(c.Out, y)
		s.now[x] = y
	}
	s.body.Ops = append(s.body.Ops, c)
}

// emit appends an op of one result of a given type.
func (s *splitter) emit(row string, attrs any, t ir.Type, in ...*ir.Value) *ir.Value {
	return s.carry(row, attrs, ir.Rule{}, t, in...)
}

// carry is emit for an op that carries its rule.
func (s *splitter) carry(row string, attrs any, r ir.Rule, t ir.Type, in ...*ir.Value) *ir.Value {
	return appendTyped(s.body, s.op.Pos, row, attrs, r, t, in)
}

// appendTyped appends an op of one result whose type is given rather than inferred: what a device
// holds, or claims to hold, is not in the operands' types.
func appendTyped(body *ir.Region, pos *diag.Loc, row string, attrs any, r ir.Rule, t ir.Type, in []*ir.Value) *ir.Value {
	op := &ir.Op{Row: ir.Lookup(row), In: in, Rule: r, Attrs: attrs, Pos: pos}
	v := &ir.Value{Type: t, Def: op, Pos: pos}
	op.Out = []*ir.Value{v}
	bindRule(op)
	body.Ops = append(body.Ops, op)
	return v
}

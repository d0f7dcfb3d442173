package passes

import (
	"vitc/ir"
)

// propagate says for every value how the devices of the plan's mesh hold it, and puts a reshard
// where what an op needs is not what a value is:
//
//  1. the plan's lines become seeds: cuts of state, inputs and activations (Seeds);
//  2. from these follows where every value is at home (homesOf);
//  3. ops are visited in order. Each is cut along the factors where that is cheapest, counting
//     the seconds that bring its operands together and its results home (scope.choose);
//  4. a product or sum along a cut factor leaves parts, and they stay parts through sums of
//     values until something else reads them: what is added up is then moved once (scope.add).
//
// Sizes stay global. A loop's body is visited once: the work does not grow with depth.
func propagate(m *ir.Module, c *Context) {
	if c.Plan == nil || len(m.Mesh) > 0 {
		return
	}
	m.Mesh = c.Plan.Mesh
	routes := newRouter(priced(c.Plan))
	for _, f := range m.Funcs {
		seeds, notes := Seeds(f, c.Plan)
		for _, d := range notes {
			c.say(d)
		}
		p := &placer{c: c, mesh: c.Plan.Mesh, routes: routes, ordered: orderAxes(c)}
		if c.Why != nil {
			p.why = newDerivation(f, seeds)
		}
		p.homes = homesOf(f, c.Plan, seeds, p.why)
		found := *f
		p.function(f, seeds)
		if c.Why != nil {
			p.why.Func, p.why.homes = &found, p.homes
			c.Why(p.why)
		}
	}
}

// placer rewrites one function.
type placer struct {
	c      *Context
	mesh   ir.Mesh
	homes  *homes
	routes *router
	// ordered: parts along these axes are joined at once, so that their sums do not depend on how
	// many devices there are.
	ordered []string
	why     *Derivation // nil: nobody asks
}

// function rewrites a function's body. Ports lie as the plan says, and nothing else moves them:
// every function finds the state as another left it.
func (p *placer) function(f *ir.Func, seeds []Seed) {
	s := p.scope(f.Body, 1)
	args, results := portsOf(f, seeds)
	wholeState(p.c, f, args)
	for i, v := range f.Body.Params {
		s.param(v, args[i])
	}
	s.ops(f.Body.Ops)
	s.asker = nil
	for i, v := range f.Body.Yield {
		s.b.Pos = v.Pos
		s.body.Yield = append(s.body.Yield, s.bring(v, results[i]))
	}
	s.settle()
	f.Body = s.body
}

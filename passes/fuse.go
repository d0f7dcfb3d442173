package passes

import (
	"slices"

	"vitc/ir"
)

// fuse groups the ops of every region into kernels.
//
//  0. Fences go: kernels are what they are for.
//  1. Broadcasts and iotas are copied to each of their users, so that none is stored for being
//     shared.
//  2. Each op starts as a group of its own. Two groups may be merged where the union is one
//     kernel (space.go says what that is) and no path leads from one to the other outside.
//  3. A product takes what follows it as its epilogue while that has one user after another: a
//     bias, a residual, never more than one result.
//  4. From the first op to the last, the groups of an op and of each operand's maker are merged:
//     first loops with loops, so that work around a sum gathers there and is not torn off by a
//     product's epilogue, then products with what is left.
//  5. Column sums that read a common value are merged, so that it is read once.
//  6. The groups, in an order that respects their dependences and else the program's, become
//     fusion ops: kind loop, gemm or copy. Scans, collectives and mere views stay as they are.
func fuse(m *ir.Module, _ *Context) {
	for _, f := range m.Funcs {
		fuseRegion(f.Body)
	}
}

func fuseRegion(r *ir.Region) {
	for _, op := range r.Ops {
		if op.Row.Name == "scan" {
			fuseRegion(op.Body)
		}
	}
	dropFences(r)
	spreadSources(r)
	f := newFuser(r)
	f.epilogues()
	f.mergeAlong(func(a, b *group) bool { return !hasDot(a) && !hasDot(b) })
	f.mergeAlong(func(a, b *group) bool { return true })
	f.mergeSiblings()
	f.emit()
}

// mergeAlong merges along operands, to a fixed point, where the pair is allowed.
func (f *fuser) mergeAlong(allowed func(maker, user *group) bool) {
	for again := true; again; {
		again = false
		for _, op := range f.r.Ops {
			for _, v := range op.In {
				if v.Def != nil && allowed(f.of[v.Def], f.of[op]) {
					again = f.tryMerge(f.of[v.Def], f.of[op]) || again
				}
			}
		}
	}
}

// epilogues lets each product take the chain of pointwise ops that follows it, the last product first:
// of a sum of products each takes the addition of what those before it have come to, and the first of a
// ring needs not wait for all others.
func (f *fuser) epilogues() {
	for _, dot := range slices.Backward(f.r.Ops) {
		if dot.Row.Name != "dot" {
			continue
		}
		for v := dot.Out[0]; !f.kept[v] && len(f.users[v]) == 1; {
			u := f.users[v][0]
			if u.Row.Class != ir.Pointwise {
				break
			}
			for _, x := range u.In {
				if x.Def != nil && (x.Def.Row.Name == "broadcast" || x.Def.Row.Name == "iota") {
					f.tryMerge(f.of[x.Def], f.of[u])
				}
			}
			if !f.tryMerge(f.of[dot], f.of[u]) {
				break
			}
			v = u.Out[0]
		}
	}
}

// spreadSources gives each user its own copy of a broadcast or an iota.
func spreadSources(r *ir.Region) {
	var ops []*ir.Op
	taken := map[*ir.Op]bool{}
	for _, op := range r.Ops {
		if !loopOp(op) {
			ops = append(ops, op)
			continue
		}
		for i, v := range op.In {
			if d := v.Def; d != nil && (d.Row.Name == "broadcast" || d.Row.Name == "iota") {
				if taken[d] {
					d = d.Clone(map[*ir.Value]*ir.Value{})
					ops = append(ops, d)
					op.In[i] = d.Out[0]
				}
				taken[d] = true
			}
		}
		ops = append(ops, op)
	}
	r.Ops = ops
}

// group is a set of ops that becomes one kernel.
type group struct {
	ops []*ir.Op // in program order
}

type fuser struct {
	r     *ir.Region
	index map[*ir.Op]int
	of    map[*ir.Op]*group
	users map[*ir.Value][]*ir.Op
	kept  map[*ir.Value]bool // yielded or stacked
	tried map[[2]*group]int  // pairs refused, with their sizes when they were
}

func newFuser(r *ir.Region) *fuser {
	f := &fuser{r: r, index: map[*ir.Op]int{}, of: map[*ir.Op]*group{}, users: map[*ir.Value][]*ir.Op{},
		kept: map[*ir.Value]bool{}, tried: map[[2]*group]int{}}
	for i, op := range r.Ops {
		f.index[op] = i
		f.of[op] = &group{ops: []*ir.Op{op}}
		for _, v := range op.In {
			f.users[v] = append(f.users[v], op)
		}
	}
	for _, v := range append(slices.Clone(r.Yield), r.Stack...) {
		f.kept[v] = true
	}
	return f
}

// tryMerge merges b into a if the union is a kernel.
func (f *fuser) tryMerge(a, b *group) bool {
	if a == b || !loopOp(a.ops[0]) && a.ops[0].Row.Name != "dot" || !loopOp(b.ops[0]) && b.ops[0].Row.Name != "dot" {
		return false
	}
	pair, size := [2]*group{a, b}, len(a.ops)+len(b.ops)
	if f.tried[pair] == size {
		return false
	}
	f.tried[pair] = size
	ops := append(slices.Clone(a.ops), b.ops...)
	slices.SortFunc(ops, func(x, y *ir.Op) int { return f.index[x] - f.index[y] })
	if !f.kernel(ops) || f.detour(a, b) || f.detour(b, a) {
		return false
	}
	a.ops = ops
	for _, op := range b.ops {
		f.of[op] = a
	}
	return true
}

// kernel reports whether ops are one kernel with the results that others need.
func (f *fuser) kernel(ops []*ir.Op) bool {
	inside := map[*ir.Op]bool{}
	for _, op := range ops {
		inside[op] = true
	}
	var yields []*ir.Value
	inputs := map[*ir.Value]bool{}
	for _, op := range ops {
		for _, v := range op.Out {
			if f.escapes(v, inside) {
				yields = append(yields, v)
			}
		}
		for _, v := range op.In {
			if v.Lit == nil && (v.Def == nil || !inside[v.Def]) {
				inputs[v] = true
			}
		}
	}
	if len(ops) > maxKernelOps || len(inputs)+len(yields) > maxKernelBuffers {
		return false
	}
	return isKernel(ops, yields)
}

// Kernels beyond these sizes compile slowly and spill.
const (
	maxKernelOps     = 96
	maxKernelBuffers = 28
)

func (f *fuser) escapes(v *ir.Value, inside map[*ir.Op]bool) bool {
	if f.kept[v] {
		return true
	}
	for _, u := range f.users[v] {
		if !inside[u] {
			return true
		}
	}
	return false
}

// detour reports whether a path leads from a to b through another group. Groups depend on each
// other as wholes: the path may pass a group whose ops before b are not those that a feeds.
func (f *fuser) detour(a, b *group) bool {
	seen := map[*group]bool{a: true, b: true}
	var queue []*group
	push := func(g *group, direct bool) bool {
		for _, op := range g.ops {
			for _, v := range op.Out {
				for _, u := range f.users[v] {
					n := f.of[u]
					if n == b && !direct {
						return true
					}
					if !seen[n] {
						seen[n] = true
						queue = append(queue, n)
					}
				}
			}
		}
		return false
	}
	push(a, true)
	for len(queue) > 0 {
		g := queue[0]
		queue = queue[1:]
		if push(g, false) {
			return true
		}
	}
	return false
}

// mergeSiblings merges groups of reductions that read the same values, in program order.
func (f *fuser) mergeSiblings() {
	for _, op := range f.r.Ops {
		if op.Row.Name != "reduce" {
			continue
		}
		for _, in := range f.inputs(f.of[op]) {
			for _, u := range f.users[in] {
				if g := f.of[u]; g != f.of[op] && hasReduce(g) {
					f.tryMerge(f.of[op], g)
				}
			}
		}
	}
}

func hasReduce(g *group) bool { return has(g, "reduce") }

func hasDot(g *group) bool { return has(g, "dot") }

func has(g *group, op string) bool {
	return slices.ContainsFunc(g.ops, func(o *ir.Op) bool { return o.Row.Name == op })
}

// inputs lists what a group reads from outside, in order of first use.
func (f *fuser) inputs(g *group) []*ir.Value {
	var in []*ir.Value
	seen := map[*ir.Value]bool{}
	for _, op := range g.ops {
		for _, v := range op.In {
			if v.Lit == nil && !seen[v] && (v.Def == nil || f.of[v.Def] != g) {
				seen[v] = true
				in = append(in, v)
			}
		}
	}
	return in
}

// emit orders the groups and rebuilds the region from them.
func (f *fuser) emit() {
	var ops []*ir.Op
	replaced := map[*ir.Value]*ir.Value{}
	for _, g := range f.ordered() {
		kind := kernelKind(g.ops)
		if kind == "" {
			ops = append(ops, g.ops[0])
			continue
		}
		ops = append(ops, f.fusion(g, kind, replaced))
	}
	f.r.Ops = ops
	f.r.Replace(replaced)
}

// fusion builds the op of a group; its results replace the group's values.
func (f *fuser) fusion(g *group, kind string, replaced map[*ir.Value]*ir.Value) *ir.Op {
	inside := map[*ir.Op]bool{}
	for _, op := range g.ops {
		inside[op] = true
	}
	body := &ir.Region{}
	for _, op := range g.ops {
		body.Ops = append(body.Ops, op.Clone(map[*ir.Value]*ir.Value{}))
	}
	fusion := &ir.Op{Row: ir.Lookup("fusion"), Attrs: &ir.FusionAttrs{Kind: kind}, Body: body, Pos: g.ops[len(g.ops)-1].Pos}
	local := map[*ir.Value]*ir.Value{}
	for i, op := range g.ops {
		for j, v := range op.Out {
			inner := body.Ops[i].Out[j]
			local[v] = inner
			if !f.escapes(v, inside) {
				continue
			}
			out := &ir.Value{Name: v.Name, Type: v.Type, Def: fusion, Pos: v.Pos}
			fusion.Out = append(fusion.Out, out)
			body.Yield = append(body.Yield, inner)
			replaced[v] = out
		}
	}
	for _, op := range body.Ops {
		for i, v := range op.In {
			if w := local[v]; w != nil {
				op.In[i] = w
			}
		}
	}
	fusion.In = body.Close()
	return fusion
}

// ordered sorts the groups topologically; among those that are ready, the one whose last op
// stands first in the program goes first.
func (f *fuser) ordered() []*group {
	var all []*group
	waits := map[*group]int{}
	feeds := map[*group][]*group{}
	for _, op := range f.r.Ops {
		g := f.of[op]
		if g.ops[0] == op {
			all = append(all, g)
		}
		for _, v := range op.In {
			if v.Def != nil && f.of[v.Def] != g {
				p := f.of[v.Def]
				feeds[p] = append(feeds[p], g)
				waits[g]++
			}
		}
	}
	last := func(g *group) int { return f.index[g.ops[len(g.ops)-1]] }
	var ready, out []*group
	for _, g := range all {
		if waits[g] == 0 {
			ready = append(ready, g)
		}
	}
	for len(ready) > 0 {
		best := 0
		for i, g := range ready {
			if last(g) < last(ready[best]) {
				best = i
			}
		}
		g := ready[best]
		ready = remove(ready, best)
		out = append(out, g)
		for _, n := range feeds[g] {
			if waits[n]--; waits[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	if len(out) != len(all) {
		panic(&ir.Bug{Msg: "fused groups depend on one another in a circle"})
	}
	return out
}

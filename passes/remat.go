package passes

import "vitc/ir"

// keeper decides what backward turns take from memory, by the plan's policies. Each op falls
// under the policy of its instance's path; the cut then keeps the fewest bytes.
//
//	none  what is cheap may be computed again: pointwise work and movement
//	dots  sums too, but statistics: no product is done twice
//	all   products too: what entered the turn and statistics are enough
//	fit   as all, but for the products worth most that memory can hold (see fit.go)
//
// That is of loops; outside of them see remat_outside.go. A statistic is a sum far smaller than what it sums: layer norm's moments, a softmax's
// log-sum-exp. It costs next to nothing to keep, and a pass over memory to have again.
type keeper struct {
	footprint
	report func(Remat)
	left   int64              // bytes of a device that are not spoken for; fit fills them
	kept   map[*ir.Value]bool // products that fit keeps
}

// Remat is what the backward turns of one loop take from memory.
type Remat struct {
	Path    string  // of the instance that the loop stands in
	Turns   int     // of the loop, times those of the differentiated loops around it
	Kept    []Kept  // in the order of the forward turn
	Bytes   int64   // of all turns' kept values, on a device
	Seconds float64 // that a device computes again, all turns; 0 where the chip is not known
	Free    int64   // bytes of a device that fit could have filled; 0 where nothing is under fit
}

// Kept is one value that the forward turns stack for the backward ones.
type Kept struct {
	Value *ir.Value // of one turn
	Bytes int64     // of all turns, on a device
}

func newKeeper(f *ir.Func, ctx *Context) *keeper {
	precision := f.Precision
	if precision == ir.Invalid {
		precision = ir.F32
	}
	k := &keeper{footprint: newFootprint(precision, ctx.Plan), report: ctx.Remat, kept: map[*ir.Value]bool{}}
	if k.chip != nil {
		k.left = k.memory() - k.spoken(f)
	}
	return k
}

// memory is what a plan may fill of a device.
func (k *keeper) memory() int64 { return int64(float64(k.chip.HBM) * (1 - k.plan.Reserve)) }

// spoken is what a device holds throughout a step: the function's arguments, and gradients,
// which microbatches add up in f32.
func (k *keeper) spoken(f *ir.Func) int64 {
	n := int64(0)
	for i, p := range f.Body.Params {
		if f.Args[i].Role == ir.RoleState {
			n += k.stateBytes(p.Type, f.Args[i].Name)
		} else {
			n += k.bytes(p.Type)
		}
	}
	f.Body.Walk(func(op *ir.Op) {
		if op.Row.Name != "grad" {
			return
		}
		for _, w := range op.In[1:] {
			n += k.stateBytes(w.Type, w.Name)
			if k.plan.Micro > 1 {
				n += k.stateBytes(w.Type.As(ir.F32), w.Name)
			}
		}
	})
	return n
}

// policy is that of the plan's first line for an op's path.
func (k *keeper) policy(op *ir.Op) ir.RematPolicy {
	if k.plan == nil {
		return ir.RematNone
	}
	path := ""
	if op.Pos != nil {
		path = op.Pos.Path
	}
	policy := k.plan.Remated(path)
	if policy == ir.RematFit && (k.chip == nil || k.chip.HBM == 0) {
		return ir.RematNone // no limit is known
	}
	return policy
}

// repeatable reports whether a value may be computed again in a backward turn.
func (k *keeper) repeatable(v *ir.Value) bool {
	if v.Def == nil || len(v.Def.Out) != 1 || v.Def.Body != nil {
		return false
	}
	if cheap(v.Def) {
		return true
	}
	product := v.Def.ProductFlops() > 0
	sum := v.Def.Row.Name == "reduce" && !statistic(v.Def)
	switch k.policy(v.Def) {
	case ir.RematDots:
		return sum
	case ir.RematAll:
		return sum || product
	case ir.RematFit:
		return sum || product && !k.kept[v]
	}
	return false
}

// cheap: pointwise work and movement.
func cheap(op *ir.Op) bool {
	switch op.Row.Class {
	case ir.Pointwise, ir.Source, ir.Indexed:
		return true
	}
	switch op.Row.Name {
	case "broadcast", "rearrange", "stop":
		return true
	}
	return false
}

// smallSum is how many times its result a sum reads to be a statistic.
const smallSum = 8

func statistic(op *ir.Op) bool {
	return op.Row.Name == "reduce" && op.In[0].Type.Size() >= smallSum*op.Out[0].Type.Size()
}

// choose solves a backward scan's cut.
func (k *keeper) choose(v *reverse, needed []*ir.Value, given func(*ir.Value) bool) *cut {
	p := problem{needed: needed, given: given, repeatable: k.repeatable, from: v.t.from, bytes: k.bytes}
	c := p.solve()
	free := int64(0)
	if wanted := k.candidates(v, c); len(wanted) > 0 {
		free = k.left - k.working(v, c)
		c = k.fit(v, c, wanted, free)
	}
	said := k.account(v, c)
	k.left -= said.Bytes
	if said.Free = free; k.report != nil {
		k.report(said)
	}
	return c
}

// account adds up what a cut costs.
func (k *keeper) account(v *reverse, c *cut) Remat {
	r := Remat{Turns: v.t.turns}
	if v.op.Pos != nil {
		r.Path = v.op.Pos.Path
	}
	keep := func(x *ir.Value) {
		if c.saved[x] {
			n := k.bytes(x.Type) * int64(r.Turns)
			r.Kept = append(r.Kept, Kept{x, n})
			r.Bytes += n
		}
	}
	for _, p := range v.op.Body.Params {
		keep(p)
	}
	for _, op := range v.op.Body.Ops {
		for _, x := range op.Out {
			keep(x)
		}
		if len(op.Out) == 1 && c.again[op.Out[0]] {
			r.Seconds += k.seconds(op) * float64(r.Turns)
		}
	}
	return r
}

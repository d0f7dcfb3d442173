package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
)

// An all_reduce is a reduce_scatter and an all_gather. It is split where that saves time:
//
//   - where all that becomes of the sum, by pointwise ops, is cut into blocks along its axes, each
//     device sums up its block only, and nothing is gathered;
//   - where pointwise ops make of it what the devices all need, an optimizer's step or a residual
//     sum, each device does them on its block, and what comes of them is gathered instead.
//
// The first is what partition leaves where the sum was wanted whole by the line of the program that
// made it; the second does an n-th of the work, and pays where no more is gathered than was summed:
// a step of plain gradient descent, but not one of Adam, whose averages would have to be gathered as
// well, for the state lies as the plan says.

// halves splits a region's all_reduces.
type halves struct {
	mesh  ir.Mesh
	model *cost.Model
	small func(*ir.Op) bool // which collectives are joined with others instead
	eager bool

	ordered []string // axes along which sums are the same to the last bit on any devices
}

func (h *halves) region(r *ir.Region) {
	for _, op := range slices.Clone(r.Ops) {
		switch {
		case op.Row.Name == "scan":
			h.region(op.Body)
		case op.Row.Name == "all_reduce" && devicesSum(op) && (h.eager || !h.small(op)):
			if s := h.split(r, op); s != nil {
				s.write(h.mesh, r)
			}
		}
	}
}

// split is a way to do without an all_reduce.
type split struct {
	sum    *ir.Op
	dim    int
	over   []string // its axes that dim is to be cut along
	work   []*ir.Op // pointwise ops to be done on blocks
	blocks []*ir.Op // that cut what they make, and vanish
	whole  []*ir.Value
}

// split chooses the best way for one, nil where it had better stay.
func (h *halves) split(r *ir.Region, sum *ir.Op) *split {
	u := usersIn(r)
	var best *split
	gain := 0.0
	for _, s := range h.ways(u, r, sum) {
		if h.eager {
			return s
		}
		if g := h.gain(s); g > gain {
			best, gain = s, g
		}
	}
	return best
}

// ways lists how a sum could be split: along what its readers cut, and along all of its axes.
func (h *halves) ways(u readers, r *ir.Region, sum *ir.Op) []*split {
	over := ir.Over(sum.Attrs)
	work := elementwise(r, sum.Out[0])
	var list []*split
	for _, a := range cutsOf(u, append(work, sum)) {
		if len(without(a.Over, over)) > 0 {
			continue
		}
		s := &split{sum: sum, dim: a.Dim, over: a.Over}
		if s.cutUp(u, work); len(s.whole) == 0 && h.fits(s) {
			list = append(list, s)
			break
		}
	}
	for d := range sum.Out[0].Type.Dims {
		s := &split{sum: sum, dim: d, over: over}
		if s.keepWhole(u, work); len(work) > 0 && h.fits(s) {
			list = append(list, s)
			break
		}
	}
	return list
}

// cutsOf lists how readers of what ops make cut it into the devices' own blocks.
func cutsOf(u readers, ops []*ir.Op) (list []*ir.BlockAttrs) {
	for _, op := range ops {
		for _, reader := range u.of[op.Out[0]] {
			if a, ok := reader.Attrs.(*ir.BlockAttrs); ok && reader.Row.Name == "block" && a.Step == 0 {
				list = append(list, a)
			}
		}
	}
	return list
}

// fits reports whether the dim divides, and the sum may be taken in two: pairs of devices along the
// last axes are joined first, so that where order matters the first step is along those.
func (h *halves) fits(s *split) bool {
	d, all := s.sum.Out[0].Type.Dims[s.dim], ir.Over(s.sum.Attrs)
	loose := len(without(all, h.ordered)) == len(all) || slices.Equal(all[len(all)-len(s.over):], s.over)
	return loose && d.Size%h.mesh.Size(s.over...) == 0 && d.Global == 0 && !inParts(s.sum.Out[0])
}

// elementwise lists the pointwise ops that a value reaches through such, in their order.
func elementwise(r *ir.Region, v *ir.Value) []*ir.Op {
	reached := map[*ir.Value]bool{v: true}
	from := func(x *ir.Value) bool { return reached[x] }
	var ops []*ir.Op
	for _, op := range r.Ops {
		if pointwise(op) && op.Out[0].Type.SameShape(v.Type) && slices.ContainsFunc(op.In, from) && !slices.ContainsFunc(append(slices.Clone(op.In), op.Out...), inParts) {
			reached[op.Out[0]] = true
			ops = append(ops, op)
		}
	}
	return ops
}

// inParts reports whether devices hold summands of a value, or what means nothing together.
func inParts(v *ir.Value) bool { return len(v.Type.Shard.Sums()) > 0 || len(v.Type.Shard.Varies()) > 0 }

// reads sorts a value's readers into work on blocks, cuts that vanish, and others.
func (s *split) reads(u readers, v *ir.Value, work []*ir.Op) (onBlocks, others bool) {
	others = u.kept[v]
	for _, op := range u.of[v] {
		switch {
		case slices.Contains(work, op):
			onBlocks = true
		case s.cuts(op):
			s.blocks, onBlocks = append(s.blocks, op), true
		default:
			others = true
		}
	}
	return onBlocks, others
}

// cuts reports whether an op takes of a value the block that the split leaves.
func (s *split) cuts(op *ir.Op) bool {
	a, ok := op.Attrs.(*ir.BlockAttrs)
	return ok && op.Row.Name == "block" && a.Step == 0 && a.Dim == s.dim && slices.Equal(a.Over, s.over)
}

// cutUp takes what work ends in cuts alone. Where the sum is read by something else, it is whole.
func (s *split) cutUp(u readers, work []*ir.Op) {
	for n := -1; n != len(work); {
		n = len(work)
		work = slices.DeleteFunc(slices.Clone(work), func(op *ir.Op) bool {
			trial := &split{dim: s.dim, over: s.over}
			_, others := trial.reads(u, op.Out[0], work)
			return others
		})
	}
	s.work = work
	for _, op := range append(slices.Clone(work), s.sum) {
		if _, others := s.reads(u, op.Out[0], work); others {
			s.whole = append(s.whole, op.Out[0])
		}
	}
}

// keepWhole takes all work; what anything else reads is gathered.
func (s *split) keepWhole(u readers, work []*ir.Op) {
	s.work = work
	for _, op := range append([]*ir.Op{s.sum}, work...) {
		if _, others := s.reads(u, op.Out[0], work); others {
			s.whole = append(s.whole, op.Out[0])
		}
	}
}

// gain is the seconds that a split saves: of links and of starting collectives, and of memory, where
// the work is done on blocks and what was gathered is read once more by those that were computed with
// it.
func (h *halves) gain(s *split) float64 {
	n := float64(h.mesh.Size(s.over...))
	sum := float64(s.sum.In[0].Type.Bytes())
	move := func(row string, bytes float64, over []string) float64 {
		if len(over) == 0 {
			return 0
		}
		return leastHidden + h.model.Move(row, bytes, over)
	}
	all := ir.Over(s.sum.Attrs)
	links := move("all_reduce", sum, all) - move("reduce_scatter", sum, s.over) - move("all_reduce", sum/n, without(all, s.over))
	gathered := 0.0
	for _, v := range s.whole {
		bytes := float64(v.Type.Bytes())
		links -= move("all_gather", bytes/n, s.over)
		gathered += bytes
	}
	traffic := gathered
	for _, v := range s.inputs() {
		traffic += float64(v.Type.Bytes())
	}
	return links + h.model.Pass(traffic)*(1-1/n) - h.model.Pass(gathered)
}

// inputs are what the work reads beside what it makes.
func (s *split) inputs() []*ir.Value {
	var list []*ir.Value
	for _, op := range s.work {
		for _, v := range op.In {
			if v.Lit == nil && !slices.Contains(s.work, v.Def) && !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
	}
	return list
}

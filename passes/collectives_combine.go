package passes

import (
	"fmt"
	"reflect"
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
)

// Small collectives of one kind that need not wait for one another become one, of a joined value:
// norms' gains, biases, metrics and the pieces of a global norm then cost one latency together.
// Each operand is laid out as a row, the rows are joined, and the result is cut up again:
//
//	%a: f32[w:2]{w@data}, %b: f32[m:4, w:2]{w@data}          two parameters
//	%1: f32[data:1, all:2]{data@data}, %2: f32[data:1, all:8]{data@data} = rearrange
//	%3: f32[data:1, all:10]{data@data} = concat %1, %2
//	%4: f32[data:4, all:10] = all_gather %3 dim=0 over=data
//	%5: f32[data:4, all:2], %6: f32[data:4, all:8] = slice
//	%a': f32[w:8], %b': f32[m:4, w:8] = rearrange            whole
//
// The dim that is gathered or scattered comes first, and before it one for each other axis that the
// values are cut along, so that every value on the way has a type that says what it is. Sums over
// devices are taken number by number, and a number's place is nothing to them: no bit changes.

// rowPasses is how often what a collective reads and gives crosses memory to be joined: it is laid
// out as a row, the rows are joined, or else one is cut out and laid out as the value was, each a read
// and a write, and to transpose takes about twice as long as to copy.
const rowPasses = 6

// combiner joins the collectives of regions.
type combiner struct {
	mesh  ir.Mesh
	model *cost.Model
	bound bool // the order of ops binds
	eager bool
}

// region joins what a region has, and what the loops inside it have. Of a gather that XLA may start
// anywhere in a turn, since it reads nothing that turns compute, no one waits for the latency.
func (c *combiner) region(r *ir.Region, ahead map[*ir.Op]bool) {
	for _, op := range r.Ops {
		if op.Row.Name != "scan" {
			continue
		}
		var early map[*ir.Op]bool
		if !c.bound {
			early = cost.Ahead(op)
		}
		c.region(op.Body, early)
	}
	shareEqual(r)
	for _, s := range c.sets(r, ahead) {
		if len(s.members) > 1 {
			c.join(r, s.members)
		}
	}
}

// shareEqual lets small collectives that do the same be one: a weight that has left two loops is
// gathered once for both.
func shareEqual(r *ir.Region) {
	moved := map[*ir.Value][]*ir.Op{}
	same := map[*ir.Value]*ir.Value{}
	for _, op := range r.Ops {
		for i, v := range op.In {
			if w := same[v]; w != nil {
				op.In[i] = w
			}
		}
		if !combinable(op) || op.Out[0].Type.Bytes() > mostHoisted {
			continue
		}
		equal := func(first *ir.Op) bool { return first.Row == op.Row && reflect.DeepEqual(first.Attrs, op.Attrs) }
		if i := slices.IndexFunc(moved[op.In[0]], equal); i >= 0 {
			same[op.Out[0]] = moved[op.In[0]][i].Out[0]
			continue
		}
		moved[op.In[0]] = append(moved[op.In[0]], op)
	}
	r.Replace(same)
	dropUnused(r)
}

// combinable reports whether an op is of a kind that rows are made for. Where values vary no type
// says which blocks a gather or a scatter means.
func combinable(op *ir.Op) bool {
	blocks := op.Row.Name == "all_gather" || op.Row.Name == "reduce_scatter"
	return op.Row.Name == "all_reduce" || blocks && len(op.In[0].Type.Shard.Varies()) == 0
}

// small reports whether a collective is worth joining with others. Where the copies take less than
// half its latency, any two gain. What has padding stays as it is: in a row its places would lie
// between those that count.
func (c *combiner) small(op *ir.Op) bool {
	padded := func(d ir.Dim) bool { return d.Global != 0 }
	in, out := op.In[0].Type, op.Out[0].Type
	if slices.ContainsFunc(in.Dims, padded) || slices.ContainsFunc(out.Dims, padded) {
		return false
	}
	return c.eager || c.model.Pass(rowPasses*float64(in.Bytes()+out.Bytes())) < c.latency(op)/2
}

// latency is the seconds that a collective takes however little it carries: that of its links, and on
// machines that run ops one by one what it takes to wake whoever sends and receives.
func (c *combiner) latency(op *ir.Op) float64 {
	t := c.model.Latency(op.Row.Name, ir.Over(op.Attrs))
	if c.bound {
		t += leastHidden
	}
	return t
}

// joint is collectives that are to be one.
type joint struct {
	members []*ir.Op
	inputs  []*ir.Value
	bytes   int
}

// sets deals a region's small collectives into those that can be one: of one kind and dtype, over
// the same axes, lying alike, none of them waiting for another, and together no more than may be
// stored at once.
func (c *combiner) sets(r *ir.Region, ahead map[*ir.Op]bool) []*joint {
	var all []*joint
	kinds := map[string][]*joint{}
	order := succession{map[*ir.Op][]*ir.Value{}}
	for _, op := range r.Ops {
		if !combinable(op) || ahead[op] || !c.small(op) {
			continue
		}
		kind, needs := c.kind(op), order.before(op.In)
		fits := func(s *joint) bool {
			return s.bytes+joinedBytes(op) <= mostHoisted && !slices.ContainsFunc(s.members, func(m *ir.Op) bool { return needs[m] }) && !order.before(s.inputs)[op]
		}
		i := slices.IndexFunc(kinds[kind], fits)
		if i < 0 {
			i = len(kinds[kind])
			s := &joint{}
			kinds[kind], all = append(kinds[kind], s), append(all, s)
		}
		s := kinds[kind][i]
		s.members, s.inputs, s.bytes = append(s.members, op), append(s.inputs, op.In[0]), s.bytes+joinedBytes(op)
		for _, m := range s.members {
			order.behind[m] = s.inputs
		}
	}
	return all
}

func joinedBytes(op *ir.Op) int { return max(op.In[0].Type.Bytes(), op.Out[0].Type.Bytes()) }

// kind is what collectives must have in common to be one.
func (c *combiner) kind(op *ir.Op) string {
	kind := ""
	if a, ok := op.Attrs.(*ir.ReduceOverAttrs); ok {
		kind = a.Kind
	}
	in, out := op.In[0].Type, op.Out[0].Type
	return fmt.Sprint(op.Row.Name, kind, ir.Over(op.Attrs), in.DType, c.othersOf(op, in), in.Shard.Sums(), in.Shard.Varies(), out.Shard.Varies())
}

// join puts one collective in the place of several, where the last of them stands or as far in
// front of it as its readers ask for.
func (c *combiner) join(r *ir.Region, members []*ir.Op) {
	last := members[len(members)-1]
	gathers, scatters := last.Row.Name == "all_gather", last.Row.Name == "reduce_scatter"
	e := &rower{body: &ir.Region{}, pos: last.Pos}
	var rows []*ir.Value
	for _, op := range members {
		rows = append(rows, e.flat(c.rowOf(op, op.In[0].Type, scatters), op.In[0]))
	}
	joined := e.collective(last, c.rowOf(last, last.Out[0].Type, gathers), e.concat(rows))
	now, at := map[*ir.Value]*ir.Value{}, 0
	for _, op := range members {
		now[op.Out[0]], at = e.cut(c.rowOf(op, op.Out[0].Type, gathers), joined, at, op.Out[0])
	}
	i := slices.Index(r.Ops, last)
	r.Ops = slices.Insert(r.Ops, i, e.body.Ops...)
	r.Ops = slices.DeleteFunc(r.Ops, func(op *ir.Op) bool { return slices.Contains(members, op) })
	r.Replace(now)
	r.Ops = dependenceOrder(r.Ops)
}

package interp

import (
	"context"
	"fmt"

	"vitc/ir"
)

// region is an ir.Region with its values numbered.
type region struct {
	slots  []*Tensor // the literals, at their numbers
	params []int
	steps  []step
	yield  []int
	stack  []int
}

// step is one op.
type step struct {
	op      *ir.Op
	run     kernel
	in, out []int
	last    []int // values that no later step reads
}

// kernel computes the results of one op.
type kernel func(ctx context.Context, in []*Tensor) ([]*Tensor, error)

// region prepares a region.
func (n numbers) region(r *ir.Region) (*region, error) {
	g, at := &region{}, map[*ir.Value]int{}
	number := func(vs []*ir.Value) []int {
		ids := make([]int, len(vs))
		for i, v := range vs {
			id, ok := at[v]
			if !ok {
				id = len(g.slots)
				at[v], g.slots = id, append(g.slots, n.literal(v))
			}
			ids[i] = id
		}
		return ids
	}
	g.params = number(r.Params)
	for _, op := range r.Ops {
		k, err := n.kernel(op)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op.Row.Name, err)
		}
		g.steps = append(g.steps, step{op: op, run: k, in: number(op.In), out: number(op.Out)})
	}
	g.yield, g.stack = number(r.Yield), number(r.Stack)
	g.findLast()
	return g, nil
}

// literal is the tensor of a literal, nil for any other value.
func (n numbers) literal(v *ir.Value) *Tensor {
	if v.Lit == nil {
		return nil
	}
	t := &Tensor{v.Type, []float64{*v.Lit}}
	n.settle(ir.F32, v.Type.DType, t.F)
	return t
}

// findLast notes after which step each value can be forgotten.
func (g *region) findLast() {
	live := make([]bool, len(g.slots))
	keep := func(ids []int) {
		for _, id := range ids {
			live[id] = true
		}
	}
	keep(g.yield)
	keep(g.stack)
	for i := len(g.steps) - 1; i >= 0; i-- {
		s := &g.steps[i]
		for _, ids := range [][]int{s.in, s.out} {
			for _, id := range ids {
				if !live[id] && g.slots[id] == nil {
					s.last, live[id] = append(s.last, id), true
				}
			}
		}
	}
}

// run evaluates the region, and gives what it yields and what it stacks.
func (g *region) run(ctx context.Context, args []*Tensor) (yield, stack []*Tensor, err error) {
	values := append([]*Tensor(nil), g.slots...)
	for i, id := range g.params {
		values[id] = args[i]
	}
	pick := func(ids []int) []*Tensor {
		ts := make([]*Tensor, len(ids))
		for i, id := range ids {
			ts[i] = values[id]
		}
		return ts
	}
	for _, s := range g.steps {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		out, err := s.run(ctx, pick(s.in))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", s.op.Row.Name, err)
		}
		for i, id := range s.out {
			values[id] = out[i]
		}
		for _, id := range s.last {
			values[id] = nil
		}
	}
	return pick(g.yield), pick(g.stack), nil
}

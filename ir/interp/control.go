package interp

import (
	"context"
	"fmt"

	"vitc/ir"
)

func identity(numbers, *ir.Op) (kernel, error) {
	return func(_ context.Context, in []*Tensor) ([]*Tensor, error) { return in, nil }, nil
}

func fusion(n numbers, op *ir.Op) (kernel, error) {
	g, err := n.region(op.Body)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		out, _, err := g.run(ctx, in)
		return out, err
	}, nil
}

// scan runs its body turn by turn. Stacked values lie by the number of their turn, also when
// the turns run backwards.
func scan(n numbers, op *ir.Op) (kernel, error) {
	g, err := n.region(op.Body)
	if err != nil {
		return nil, err
	}
	a := op.Attrs.(*ir.ScanAttrs)
	return func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		carry := in[:a.Carry]
		stacks := make([]*Tensor, len(g.stack))
		for i := range stacks {
			stacks[i] = New(op.Out[a.Carry+i].Type)
		}
		for k := range a.Length {
			turn := k
			if a.Reverse {
				turn = a.Length - 1 - k
			}
			next, stack, err := g.run(ctx, turnArgs(a, carry, in, turn))
			if err != nil {
				return nil, fmt.Errorf("turn %d: %w", turn, err)
			}
			carry = next
			for i, s := range stack {
				copy(stacks[i].F[turn*len(s.F):], s.F)
			}
		}
		return append(append([]*Tensor(nil), carry...), stacks...), nil
	}, nil
}

// turnArgs binds the body's parameters: carries, the turn's slices, constants.
func turnArgs(a *ir.ScanAttrs, carry, in []*Tensor, turn int) []*Tensor {
	args := append([]*Tensor(nil), carry...)
	for _, t := range in[a.Carry : a.Carry+a.Each] {
		size := len(t.F) / a.Length
		args = append(args, &Tensor{ir.EachType(t.Type), t.F[turn*size : (turn+1)*size]})
	}
	return append(args, in[a.Carry+a.Each:]...)
}

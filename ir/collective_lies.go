package ir

import (
	"fmt"
	"slices"
)

// How the results of collectives lie, given how their operands do. What varies along an axis has no
// global meaning there, so that a collective over it proves nothing: over is without such axes, and
// the mesh interpreter checks what is claimed of them.

// gatherLies: blocks along the minor axes of a dim are joined.
func gatherLies(op *Op, t Type, over []string) (Type, error) {
	return joined(t, op.Attrs.(*GatherAttrs).Dim, over)
}

// joined is a type whose dim is no longer cut along its minor axes over.
func joined(t Type, dim int, over []string) (Type, error) {
	have := t.Shard.Of(dim)
	n := len(have) - len(over)
	if n < 0 || !slices.Equal(have[n:], over) {
		return t, fmt.Errorf("joins blocks of %s along %s over %v, and %s is cut along %v", t, t.dimName(dim), over, t.dimName(dim), have)
	}
	return t.WithDim(dim, have[:n]...), nil
}

// blockLies: devices that have all of a dim, or summands, take their blocks of it. The block of
// another device is nothing that a sharding says.
func blockLies(op *Op, t Type, over []string) (Type, error) {
	a := op.Attrs.(*BlockAttrs)
	if len(over) > 0 && a.Step != 0 {
		return varied(op, t, over)
	}
	if parts := both(t.Shard.Sums(), over); len(parts) > 0 {
		return t, fmt.Errorf("takes of %s the device's own block of what it has itself of a sum over %v", t, parts)
	}
	return cutAlong(t, a.Dim, over)
}

// cutAlong is a type whose dim is cut along further axes, which nothing else of it is cut along.
func cutAlong(t Type, dim int, over []string) (Type, error) {
	if used := both(t.Shard.Axes(), over); len(used) > 0 {
		return t, fmt.Errorf("cuts %s along %v once more", t, used)
	}
	return t.WithDim(dim, slices.Concat(t.Shard.Of(dim), over)...), nil
}

// scatterLies: sums are taken, and each device gets its block.
func scatterLies(op *Op, t Type, over []string) (Type, error) {
	whole, err := summed(t, over)
	if err != nil {
		return t, err
	}
	return cutAlong(whole, op.Attrs.(*GatherAttrs).Dim, over)
}

// reduceLies: sums are taken. Maxima and minima are of what varies.
func reduceLies(op *Op, t Type, over []string) (Type, error) {
	if kind := op.Attrs.(*ReduceOverAttrs).Kind; kind != "sum" && len(over) > 0 {
		return t, fmt.Errorf("takes the %s of %s over %v, along which it does not vary", kind, t, over)
	}
	return summed(t, over)
}

// summed is a type that is no sum over axes any more.
func summed(t Type, over []string) (Type, error) {
	if missing := minus(over, t.Shard.Sums()); len(missing) > 0 {
		return t, fmt.Errorf("sums %s over %v, which it is no sum over", t, missing)
	}
	return t.WithSum(minus(t.Shard.Sums(), over)...), nil
}

// exchangeLies: a dim is joined, and another cut instead.
func exchangeLies(op *Op, t Type, over []string) (Type, error) {
	a := op.Attrs.(*ExchangeAttrs)
	whole, err := joined(t, a.Dim, over)
	if err != nil {
		return t, err
	}
	return cutAlong(whole, a.To, over)
}

// permuteLies: a ring of blocks is turned, and is a ring of blocks again; what all devices have
// need not be sent.
func permuteLies(_ *Op, t Type, over []string) (Type, error) {
	if len(over) > 0 && len(both(t.Shard.Axes(), over)) == 0 {
		return t, fmt.Errorf("sends %s over %v, along which all devices have it", t, over)
	}
	return t, nil
}

// varied: what devices along axes have is their own.
func varied(_ *Op, t Type, over []string) (Type, error) {
	return t.WithVary(append(minus(over, t.Shard.Varies()), t.Shard.Varies()...)...), nil
}

// both is the names that are among others too.
func both(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(others, n) })
}

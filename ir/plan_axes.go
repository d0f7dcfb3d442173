package ir

import (
	"slices"
	"strings"
)

// Params heads the lines of a plan that speak of parameters, their gradients and optimizer
// state alone.
const Params = "params"

// DefaultReserve is the fraction of a device's memory that a plan leaves free if it says
// nothing: the TPU compiler's scheduler gives up overlap where less is left.
const DefaultReserve = 0.1

// Split says what a plan asks of a tensor: for each dim the axes of the mesh that it is cut
// along, major first. path is where the tensor comes from: the instance that computes it, or the
// parameter's own; param: it is a parameter, a gradient or optimizer state.
//
// A dim goes by the first line that speaks of it, lines of `params.` before others where param
// is set. An axis of the mesh goes to the earliest line that wants it.
func (p *Plan) Split(t Type, path string, param bool) [][]string {
	axes := make([][]string, t.Rank())
	lines := p.SplitLines(t, path, param)
	var taken []string
	for n, line := range p.Shard {
		for i := range axes {
			if lines[i] != n {
				continue
			}
			axes[i] = minus(line.Over, taken)
			taken = append(taken, axes[i]...)
		}
	}
	return axes
}

// SplitLines gives the place in Shard of the line that each dim of a tensor goes by, -1 where
// no line speaks of it.
func (p *Plan) SplitLines(t Type, path string, param bool) []int {
	out := make([]int, t.Rank())
	for i, d := range t.Dims {
		out[i] = -1
		if param {
			out[i] = p.lineOf(d.Label, path, true)
		}
		if out[i] < 0 {
			out[i] = p.lineOf(d.Label, path, false)
		}
	}
	return out
}

// lineOf finds the first line of one kind for an axis at a path.
func (p *Plan) lineOf(axis, path string, params bool) int {
	return slices.IndexFunc(p.Shard, func(l ShardLine) bool {
		return l.Axis == axis && l.Params == params && (l.Path == "" || Under(l.Path, path))
	})
}

// Remated finds the policy of an instance, RematNone where no line speaks of it: keep what the
// backward pass reads.
func (p *Plan) Remated(path string) RematPolicy {
	for _, l := range p.Remat {
		if Under(l.Path, path) {
			return l.Policy
		}
	}
	return RematNone
}

// Of is the path of the parameter that a leaf belongs to, or its own.
func (l Leaf) Of() string {
	switch l.Kind {
	case LeafOpt:
		return strings.TrimPrefix(l.Name, "opt.")
	case LeafEMA:
		return strings.TrimPrefix(l.Name, "ema.")
	}
	return l.Name
}

// Params reports whether a plan's lines of `params.` speak of the leaf.
func (k LeafKind) Params() bool { return k == LeafParam || k == LeafOpt || k == LeafEMA }

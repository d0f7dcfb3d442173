package stablehlo

import "vitc/ir"

// rows has an entry for every row of the op table that is left after the passes: it writes the
// op and gives its results.
var rows map[string]func(e *emitter, op *ir.Op) []value

// removed are the rows that passes make others of.
var removed = map[string]bool{"grad": true, "stop": true}

// Rows write their regions through the table: hence an init.
func init() {
	rows = map[string]func(*emitter, *ir.Op) []value{
		"dot":       dot,
		"reduce":    reduce,
		"broadcast": broadcast,
		"rearrange": rearrange,

		"iota":     positions,
		"rng_bits": rngBits,

		"slice":       slice,
		"pad":         pad,
		"roll":        roll,
		"concat":      concat,
		"argmax":      argmax,
		"gather":      gather,
		"scatter_add": scatterAdd,
		"window":      window,
		"unwindow":    unwindow,
		"solve":       solve,

		"scan":   scan,
		"fusion": fusion,
		"fence":  fence,

		"reshard":        reshard,
		"axis_index":     axisIndex,
		"block":          block,
		"put":            put,
		"all_gather":     allGather,
		"reduce_scatter": reduceScatter,
		"all_reduce":     allReduce,
		"all_to_all":     allToAll,
		"permute":        permute,
	}
	for name, write := range points {
		rows[name] = pointwise(write)
	}
	for _, r := range ir.Rows() {
		if r.Starts() || r.Awaits() {
			rows[r.Name] = scheduled
		}
		if (rows[r.Name] == nil) != removed[r.Name] {
			panic("stablehlo: the row " + r.Name + " has no emitter, or needs none")
		}
	}
}

// scheduled refuses the ends of a collective: XLA takes transfers apart itself, where it wants to, and
// order is bound for it by fences.
func scheduled(_ *emitter, op *ir.Op) []value {
	failf(op, "an end of a collective that was taken apart: the pass asynchronous is for targets that keep to the order of ops, and XLA does not; leave it out")
	return nil
}

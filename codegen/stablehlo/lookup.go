package stablehlo

import (
	"slices"

	"vitc/ir"
)

// lookup is how a gather or scatter_add sees the tensor that is looked up in: its dims by kind,
// and the factors of what is taken from it or added to it.
type lookup struct {
	table  []int // factors of the tensor's dims
	looked int   // the dim chosen by ids
	batch  []int // dims shared with the ids
	inIDs  []int // their places among the ids' dims
	window []int // dims taken whole
	order  []int // factors of the other tensor: the ids', then the windows'
	sizes  []int // of a slice
}

func newLookup(op *ir.Op, table, ids []int) lookup {
	f, err := ir.Looked(op)
	if err != nil {
		failf(op, "%v", err)
	}
	l := lookup{table: table, looked: slices.Index(table, f), order: slices.Clone(ids), sizes: make([]int, len(table))}
	for i, g := range table {
		l.sizes[i] = 1
		switch k := slices.Index(ids, g); {
		case i == l.looked:
		case k >= 0:
			l.batch, l.inIDs = append(l.batch, i), append(l.inIDs, k)
		default:
			l.window, l.order = append(l.window, i), append(l.order, g)
			l.sizes[i] = op.Rule.Factors[g].Size
		}
	}
	return l
}

// windows are the places of the windows' dims in the other tensor.
func (l lookup) windows() []int { return ascending(len(l.order))[len(l.order)-len(l.window):] }

// gather clamps ids in StableHLO; what has an id out of range is set to 0 afterwards.
func gather(e *emitter, op *ir.Op) []value {
	x, table := e.operand(op, 0)
	ids, at := e.operand(op, 1)
	l := newLookup(op, table, at)
	t := tensor{make([]int, len(l.order)), x.elem}
	for i, f := range l.order {
		t.shape[i] = op.Rule.Factors[f].Size
	}
	y := e.op(t, `"stablehlo.gather"(%s, %s) <{dimension_numbers = #stablehlo.gather<offset_dims = [%s], collapsed_slice_dims = [%d], `+
		`operand_batching_dims = [%s], start_indices_batching_dims = [%s], start_index_map = [%d], index_vector_dim = %d>, `+
		`slice_sizes = array<i64: %s>, indices_are_sorted = false}> : (%s, %s) -> %s`,
		x.id, ids.id, list(l.windows()), l.looked, list(l.batch), list(l.inIDs), l.looked, len(at), list(l.sizes), x.tensor, ids.tensor, t)
	// As unsigned numbers, negative ids are too large as well.
	unsigned := e.convert(ids, u32)
	inside := e.compare("LT", unsigned, e.constant(unsigned.tensor, float64(x.shape[l.looked])))
	y = e.choose(e.broadcast(inside, y.shape, ascending(len(at))), y, e.constant(y.tensor, 0))
	return []value{e.result(y, l.order, op.Rule.Out[0], op.Rule)}
}

// scatterAdd drops what has an id out of range, as StableHLO does; sums of narrow floats are
// made in f32.
func scatterAdd(e *emitter, op *ir.Op) []value {
	ids, at := e.operand(op, 0)
	d, have := e.operand(op, 1)
	table := plainTerm(op.Rule.Out[0])
	l := newLookup(op, table, at)
	narrow := d.elem
	if narrow.narrow() {
		d = e.convert(d, f32)
	}
	d = e.arrange(d, have, l.order, op.Rule)
	t := tensor{op.Out[0].Type.Shape(), d.elem}
	ids = e.convert(ids, i32)
	x := e.constant(t, 0)
	s := tensor{nil, d.elem}
	id, a, b, sum := e.fresh(), e.fresh(), e.fresh(), e.fresh()
	e.linef(`%s = "stablehlo.scatter"(%s, %s, %s) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [%s], `+
		`inserted_window_dims = [%d], input_batching_dims = [%s], scatter_indices_batching_dims = [%s], `+
		`scatter_dims_to_operand_dims = [%d], index_vector_dim = %d>, indices_are_sorted = false, unique_indices = false}> ({`,
		id, x.id, ids.id, d.id, list(l.windows()), l.looked, list(l.batch), list(l.inIDs), l.looked, len(at))
	e.linef("^bb0(%s: %s, %s: %s):", a, s, b, s)
	e.linef("  %s = stablehlo.add %s, %s : %s loc(%s)", sum, a, b, s, e.loc)
	e.linef("  stablehlo.return %s : %s loc(%s)", sum, s, e.loc)
	e.linef("}) : (%s, %s, %s) -> %s loc(%s)", x.tensor, ids.tensor, d.tensor, t, e.loc)
	return []value{e.convert(value{id, t}, narrow)}
}

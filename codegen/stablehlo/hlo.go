package stablehlo

import (
	"fmt"
	"slices"
	"strings"
)

// The StableHLO ops that rows are made of. Those that would change nothing are left out.

func (e *emitter) unary(name string, x value) value {
	return e.op(x.tensor, "stablehlo.%s %s : %s", name, x.id, x.tensor)
}

func (e *emitter) binary(name string, x, y value) value {
	return e.op(x.tensor, "stablehlo.%s %s, %s : %s", name, x.id, y.id, x.tensor)
}

// compare is EQ, NE, LT, LE, GT or GE.
func (e *emitter) compare(dir string, x, y value) value {
	t := x.as(i1)
	return e.op(t, "stablehlo.compare %s, %s, %s, %s : (%s, %s) -> %s", dir, x.id, y.id, x.elem.comparison(), x.tensor, y.tensor, t)
}

func (e *emitter) choose(c, x, y value) value {
	return e.op(x.tensor, "stablehlo.select %s, %s, %s : %s, %s", c.id, x.id, y.id, c.tensor, x.tensor)
}

func (e *emitter) convert(x value, to elem) value {
	if x.elem == to {
		return x
	}
	t := x.as(to)
	return e.op(t, "stablehlo.convert %s : (%s) -> %s", x.id, x.tensor, t)
}

func (e *emitter) reshape(x value, shape []int) value {
	if slices.Equal(x.shape, shape) {
		return x
	}
	t := tensor{shape, x.elem}
	return e.op(t, "stablehlo.reshape %s : (%s) -> %s", x.id, x.tensor, t)
}

// transpose puts dim perm[i] of x at place i.
func (e *emitter) transpose(x value, perm []int) value {
	if slices.IsSorted(perm) {
		return x
	}
	t := tensor{picked(x.shape, perm), x.elem}
	return e.op(t, "stablehlo.transpose %s, dims = [%s] : (%s) -> %s", x.id, list(perm), x.tensor, t)
}

// picked lists the elements at some places.
func picked(from, at []int) []int {
	out := make([]int, len(at))
	for i, k := range at {
		out[i] = from[k]
	}
	return out
}

// broadcast puts dim i of x at place dims[i] of the shape; dims ascend.
func (e *emitter) broadcast(x value, shape, dims []int) value {
	if slices.Equal(x.shape, shape) {
		return x
	}
	t := tensor{shape, x.elem}
	return e.op(t, "stablehlo.broadcast_in_dim %s, dims = [%s] : (%s) -> %s", x.id, list(dims), x.tensor, t)
}

// spread repeats a scalar.
func (e *emitter) spread(x value, shape []int) value { return e.broadcast(x, shape, nil) }

// slice keeps positions from[i] up to to[i], by[i] apart.
func (e *emitter) slice(x value, from, to, by []int) value {
	t := tensor{make([]int, len(from)), x.elem}
	cuts := make([]string, len(from))
	for i := range from {
		t.shape[i] = (to[i] - from[i] + by[i] - 1) / by[i]
		cuts[i] = fmt.Sprintf("%d:%d", from[i], to[i])
		if by[i] > 1 {
			cuts[i] += fmt.Sprintf(":%d", by[i])
		}
	}
	if slices.Equal(t.shape, x.shape) {
		return x
	}
	return e.op(t, "stablehlo.slice %s [%s] : (%s) -> %s", x.id, strings.Join(cuts, ", "), x.tensor, t)
}

// cut is slice along one dim.
func (e *emitter) cut(x value, dim, from, to, by int) value {
	zeros, ones := make([]int, len(x.shape)), make([]int, len(x.shape))
	for i := range ones {
		ones[i] = 1
	}
	return e.slice(x, with(zeros, dim, from), with(x.shape, dim, to), with(ones, dim, by))
}

// pad adds lo positions before a dim and hi after it; negative numbers cut off, by a slice:
// XLA's partitioner dies of some paddings below 0.
func (e *emitter) pad(x value, fill float64, dim, lo, hi int) value {
	if before, after := max(0, lo), max(0, hi); before+after > 0 {
		t := tensor{with(x.shape, dim, before+x.shape[dim]+after), x.elem}
		zeros := make([]int, len(x.shape))
		c := e.constant(tensor{nil, x.elem}, fill)
		x = e.op(t, "stablehlo.pad %s, %s, low = [%s], high = [%s], interior = [%s] : (%s, %s) -> %s", x.id, c.id,
			list(with(zeros, dim, before)), list(with(zeros, dim, after)), list(zeros), x.tensor, c.tensor, t)
	}
	return e.cut(x, dim, max(0, -lo), x.shape[dim]-max(0, -hi), 1)
}

func (e *emitter) concat(dim int, xs ...value) value {
	if len(xs) == 1 {
		return xs[0]
	}
	n := 0
	for _, x := range xs {
		n += x.shape[dim]
	}
	t := tensor{with(xs[0].shape, dim, n), xs[0].elem}
	return e.op(t, "stablehlo.concatenate %s, dim = %d : (%s) -> %s", names(xs), dim, types(xs), t)
}

func (e *emitter) iota(t tensor, dim int) value {
	return e.op(t, "stablehlo.iota dim = %d : %s", dim, t)
}

// reducers are the ops that kinds of reductions combine by, and where they start.
var reducers = map[string]struct {
	op    string
	start func(elem) float64
}{
	"sum": {"add", func(elem) float64 { return 0 }},
	"max": {"maximum", lowest},
	"min": {"minimum", highest},
}

// reduce is a sum, max or min over dims; sums of narrow floats are made in f32.
func (e *emitter) reduce(kind string, x value, dims []int) value {
	if len(dims) == 0 {
		return x
	}
	if kind == "sum" && x.elem.narrow() {
		return e.convert(e.reduce(kind, e.convert(x, f32), dims), x.elem)
	}
	r := reducers[kind]
	start := e.constant(tensor{nil, x.elem}, r.start(x.elem))
	t := tensor{without(x.shape, dims), x.elem}
	return e.op(t, "stablehlo.reduce(%s init: %s) applies stablehlo.%s across dimensions = [%s] : (%s, %s) -> %s",
		x.id, start.id, r.op, list(dims), x.tensor, start.tensor, t)
}

// dynamicSlice cuts a tensor of the shape out of x, from where start says.
func (e *emitter) dynamicSlice(x value, start []value, shape []int) value {
	t := tensor{shape, x.elem}
	return e.op(t, "stablehlo.dynamic_slice %s, %s, sizes = [%s] : (%s, %s) -> %s", x.id, names(start), list(shape), x.tensor, types(start), t)
}

// dynamicUpdate is x with y written over it, from where start says.
func (e *emitter) dynamicUpdate(x, y value, start []value) value {
	return e.op(x.tensor, "stablehlo.dynamic_update_slice %s, %s, %s : (%s, %s, %s) -> %s",
		x.id, y.id, names(start), x.tensor, y.tensor, types(start), x.tensor)
}

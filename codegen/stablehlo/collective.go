package stablehlo

import (
	"fmt"
	"strings"

	"vitc/ir"
)

// Collectives of one device's program. Devices are named by their number in the mesh, which is
// their partition's; each list of them is written once, at the head of the module.

// axes are the mesh axes of a collective, and how many devices a group along them has.
func (e *emitter) axes(op *ir.Op) (over []string, n int) {
	over = ir.Over(op.Attrs)
	if e.o.Mode != Manual {
		failf(op, "communication in a program that is not divided over devices")
	}
	for _, a := range over {
		if e.o.Mesh.Axis(a) < 0 {
			failf(op, "the mesh %s has no axis %s", e.o.Mesh, a)
		}
	}
	return over, e.o.Mesh.Size(over...)
}

// shared is the name of a list of device numbers.
func (e *emitter) shared(rows [][]int) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = "[" + strings.ReplaceAll(list(r), " ", "") + "]"
	}
	text := fmt.Sprintf("dense<[%s]> : tensor<%dx%dxi64>", strings.Join(lines, ","), len(rows), len(rows[0]))
	name, ok := e.lists[text]
	if !ok {
		name = fmt.Sprintf("#devices%d", len(e.lists))
		e.lists[text] = name
		fmt.Fprintf(&e.listed, "%s = %s\n", name, text)
	}
	return name
}

// groups lists the groups along axes, each in the order of places.
func (e *emitter) groups(over []string) string {
	var rows [][]int
	for d := range e.o.Mesh.Devices() {
		if e.o.Mesh.Place(d, over) == 0 {
			rows = append(rows, e.o.Mesh.Group(d, over))
		}
	}
	return e.shared(rows)
}

// channel tells a collective apart from all others.
func (e *emitter) channel() string {
	e.channels++
	return fmt.Sprintf("channel_handle = #stablehlo.channel_handle<handle = %d, type = 1>", e.channels)
}

// place is the device's place along axes, i32[].
func (e *emitter) place(over []string) value {
	key := "place " + strings.Join(over, " ")
	if v, ok := e.scope.constants[key]; ok {
		return v
	}
	t := tensor{nil, i32}
	u := t.as(u32)
	id, ok := e.scope.constants["device"]
	if !ok {
		id = e.convert(e.op(u, "stablehlo.partition_id : %s", u), i32)
		e.scope.constants["device"] = id
	}
	var at value
	for k, name := range over {
		i := e.o.Mesh.Axis(name)
		n := e.constant(t, float64(e.o.Mesh[i].Size))
		index := e.binary("remainder", e.binary("divide", id, e.constant(t, float64(e.o.Mesh[i+1:].Devices()))), n)
		if k > 0 {
			index = e.binary("add", e.binary("multiply", at, n), index)
		}
		at = index
	}
	e.scope.constants[key] = at
	return at
}

func axisIndex(e *emitter, op *ir.Op) []value {
	over, _ := e.axes(op)
	return []value{e.place(over)}
}

// blockStart is where the block of a dim begins that belongs to the device some places on.
func (e *emitter) blockStart(op *ir.Op, rank, size int) []value {
	a := op.Attrs.(*ir.BlockAttrs)
	over, n := e.axes(op)
	at := e.place(over)
	if step := (a.Step%n + n) % n; step != 0 {
		at = e.binary("remainder", e.binary("add", at, e.constant(at.tensor, float64(step))), e.constant(at.tensor, float64(n)))
	}
	start := make([]value, rank)
	for i := range start {
		start[i] = e.constant(at.tensor, 0)
	}
	start[a.Dim] = e.binary("multiply", at, e.constant(at.tensor, float64(size)))
	return start
}

func block(e *emitter, op *ir.Op) []value {
	x, t := e.of(op.In[0]), typeOf(op.Out[0].Type)
	size := t.shape[op.Attrs.(*ir.BlockAttrs).Dim]
	return []value{e.dynamicSlice(x, e.blockStart(op, len(t.shape), size), t.shape)}
}

func put(e *emitter, op *ir.Op) []value {
	x, y := e.of(op.In[0]), e.of(op.In[1])
	size := y.shape[op.Attrs.(*ir.BlockAttrs).Dim]
	return []value{e.dynamicUpdate(x, y, e.blockStart(op, len(y.shape), size))}
}

func allGather(e *emitter, op *ir.Op) []value {
	x, t := e.of(op.In[0]), typeOf(op.Out[0].Type)
	over, _ := e.axes(op)
	return []value{e.op(t, `"stablehlo.all_gather"(%s) <{all_gather_dim = %d : i64, replica_groups = %s, %s, use_global_device_ids}> : (%s) -> %s`,
		x.id, op.Attrs.(*ir.GatherAttrs).Dim, e.groups(over), e.channel(), x.tensor, t)}
}

func reduceScatter(e *emitter, op *ir.Op) []value {
	over, _ := e.axes(op)
	scatter := fmt.Sprintf("scatter_dimension = %d : i64, ", op.Attrs.(*ir.GatherAttrs).Dim)
	return []value{e.combined("reduce_scatter", "sum", scatter, over, op)}
}

func allReduce(e *emitter, op *ir.Op) []value {
	over, _ := e.axes(op)
	return []value{e.combined("all_reduce", op.Attrs.(*ir.ReduceOverAttrs).Kind, "", over, op)}
}

// combined writes a collective that combines values, and how.
func (e *emitter) combined(name, kind, attrs string, over []string, op *ir.Op) value {
	x, t := e.of(op.In[0]), typeOf(op.Out[0].Type)
	s := tensor{nil, t.elem}
	id, a, b, c := e.fresh(), e.fresh(), e.fresh(), e.fresh()
	e.linef(`%s = "stablehlo.%s"(%s) <{%sreplica_groups = %s, %s, use_global_device_ids}> ({`, id, name, x.id, attrs, e.groups(over), e.channel())
	e.linef("^bb0(%s: %s, %s: %s):", a, s, b, s)
	e.linef("  %s = stablehlo.%s %s, %s : %s loc(%s)", c, reducers[kind].op, a, b, s, e.loc)
	e.linef("  stablehlo.return %s : %s loc(%s)", c, s, e.loc)
	e.linef("}) : (%s) -> %s loc(%s)", x.tensor, t, e.loc)
	return value{id, t}
}

func allToAll(e *emitter, op *ir.Op) []value {
	x, t, a := e.of(op.In[0]), typeOf(op.Out[0].Type), op.Attrs.(*ir.ExchangeAttrs)
	over, n := e.axes(op)
	return []value{e.op(t, `"stablehlo.all_to_all"(%s) <{split_dimension = %d : i64, concat_dimension = %d : i64, split_count = %d : i64, `+
		`replica_groups = %s, %s}> : (%s) -> %s`, x.id, a.To, a.Dim, n, e.groups(over), e.channel(), x.tensor, t)}
}

// permute sends around the ring of each group.
func permute(e *emitter, op *ir.Op) []value {
	x, step := e.of(op.In[0]), op.Attrs.(*ir.PermuteAttrs).Step
	over, n := e.axes(op)
	pairs := make([][]int, e.o.Mesh.Devices())
	for d := range pairs {
		to := ((e.o.Mesh.Place(d, over)+step)%n + n) % n
		pairs[d] = []int{d, e.o.Mesh.Group(d, over)[to]}
	}
	return []value{e.op(x.tensor, `"stablehlo.collective_permute"(%s) <{source_target_pairs = %s, %s}> : (%s) -> %s`,
		x.id, e.shared(pairs), e.channel(), x.tensor, x.tensor)}
}

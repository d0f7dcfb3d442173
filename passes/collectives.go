package passes

import "vitc/ir"

// collectives takes small collectives out of loops. Each costs its latency however little it
// carries, and a norm's gain or a bias has one in every layer and for every microbatch:
//
//   - an all_gather of what enters a turn gathers all turns' values before the loop;
//   - a sum over devices that a turn only stacks is taken of the stack, behind the loop;
//   - a sum that a turn only adds to a carry is taken of what the carry has come to: sums may
//     change places.
//
// What a collective carries, all turns together, must be small: it is stored whole meanwhile, and
// large ones are better hidden behind products, one turn at a time. An all_reduce is split where blocks
// of the sum are enough (collectives_split.go), and of those that are left and small those become one
// that need not wait for one another (collectives_combine.go).
func collectives(m *ir.Module, c *Context) {
	if len(m.Mesh) == 0 {
		return
	}
	for _, f := range m.Funcs {
		hoistFrom(f.Body, orderAxes(c))
	}
	if c.Plan == nil {
		return
	}
	w := &combiner{mesh: m.Mesh, model: priced(c.Plan), bound: c.Target.OrderBinds(), eager: c.Eager}
	h := &halves{mesh: m.Mesh, model: w.model, small: w.small, eager: c.Eager, ordered: orderAxes(c)}
	for _, f := range m.Funcs {
		h.region(f.Body)
		w.region(f.Body, nil)
	}
}

// mostHoisted is how many bytes a device may hold of a collective's operand or result to have it
// out of a loop: on a v4 they cross memory in 14 µs, about the latency of one all_gather over
// 1,024 chips.
const mostHoisted = 16 << 20

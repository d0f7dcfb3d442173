package cost

import "vitc/ir"

// Region is what the ops of a region take. What pointwise ops, broadcasts and movement make is made
// inside the kernels that read it, unless it must be in memory: where it is yielded or stacked, where
// something else than a kernel reads it, or several products do. A kernel's traffic is what it
// finds in memory, each value once, and what it leaves there. Sums of products are taken one after the
// other, each in the epilogue of a product.
func (m *Model) Region(r *ir.Region) Seconds {
	var sum Seconds
	m.Each(r, func(_ *ir.Op, s Seconds) { sum = sum.plus(s, 1) })
	return sum
}

// Each visits the ops of a region in order with what each takes; ops that are part of others' kernels
// take nothing by themselves.
func (m *Model) Each(r *ir.Region, visit func(*ir.Op, Seconds)) {
	k := &kernels{m: m, stored: storedOf(r), sums: sumsOf(r)}
	for op := range k.sums {
		k.stored[op.Out[0]] = true
	}
	for _, op := range r.Ops {
		switch {
		case k.sums[op] != nil:
			visit(op, m.epilogue(k.sums[op]))
		case fuses(op) && !k.anyStored(op):
			visit(op, Seconds{})
		case fuses(op):
			visit(op, k.kernel(op))
		case op.Row.Class == ir.Collective || op.Row.Class == ir.Marker || op.Row.Name == "scan":
			visit(op, m.Op(op))
		default:
			visit(op, k.kernel(op))
		}
	}
}

// inside are the rows of other classes that only move or spread what they read.
var inside = map[string]bool{"broadcast": true, "rearrange": true, "stop": true, "block": true, "put": true, "axis_index": true}

// fuses reports whether an op is made inside the kernels that read it.
func fuses(op *ir.Op) bool {
	switch op.Row.Class {
	case ir.Pointwise, ir.Source:
		return true
	case ir.Indexed:
		return op.Row.Name != "gather" && op.Row.Name != "scatter_add"
	}
	return inside[op.Row.Name]
}

// isProduct reports whether an op works on a matrix unit.
func isProduct(op *ir.Op) bool { return op.ProductFlops() > 0 }

// storedOf marks the values of a region that are in memory.
func storedOf(r *ir.Region) map[*ir.Value]bool {
	stored := map[*ir.Value]bool{}
	products := map[*ir.Value]int{}
	for _, v := range r.Params {
		stored[v] = true
	}
	for _, op := range r.Ops {
		kernel := fuses(op) || op.Body == nil && op.Row.Class != ir.Collective && op.Row.Class != ir.Routine && op.Row.Class != ir.Marker
		for i, v := range op.In {
			stored[v] = stored[v] || v.Def != nil && (!kernel || !fuses(v.Def))
			if isProduct(op) && !seen(op.In[:i], v) {
				products[v]++
			}
			stored[v] = stored[v] || products[v] > 1
		}
		for _, v := range op.Out {
			stored[v] = !fuses(op)
		}
	}
	for _, list := range [][]*ir.Value{r.Yield, r.Stack} {
		for _, v := range list {
			stored[v] = true
		}
	}
	return stored
}

// sumsOf finds the sums that are taken in a product's epilogue, and what each adds to its product:
// another product, or such a sum.
func sumsOf(r *ir.Region) map[*ir.Op]*ir.Value {
	sums, uses := map[*ir.Op]*ir.Value{}, r.Uses()
	for _, op := range r.Ops {
		if op.Row.Name != "add" {
			continue
		}
		for i, v := range op.In {
			other := op.In[1-i]
			if v.Def == nil || !isProduct(v.Def) || uses[v] > 1 || other.Def == nil {
				continue
			}
			if isProduct(other.Def) || sums[other.Def] != nil {
				sums[op] = other
			}
		}
	}
	return sums
}

// epilogue is how much longer a product takes that adds a value to what it makes: on a v4, products of
// 1.3 and 4.8 ms take 0.2 and 0.8 ms more by libtpu's estimate, in which the value is read.
func (m *Model) epilogue(v *ir.Value) Seconds {
	t := m.Pass(m.bytes(v.Type))
	return Seconds{Memory: t, Core: t}
}

// kernels prices the kernels of one region.
type kernels struct {
	m      *Model
	stored map[*ir.Value]bool
	sums   map[*ir.Op]*ir.Value
}

func (k *kernels) anyStored(op *ir.Op) bool {
	for _, v := range op.Out {
		if k.stored[v] {
			return true
		}
	}
	return false
}

// kernel is the time of an op with all that is made inside its kernel.
func (k *kernels) kernel(op *ir.Op) Seconds {
	bytes, work := 0.0, k.m.work(op)
	done := map[*ir.Value]bool{}
	var read func(v *ir.Value)
	read = func(v *ir.Value) {
		if v.Lit != nil || done[v] {
			return
		}
		done[v] = true
		if v.Def == nil || k.stored[v] {
			bytes += k.m.bytes(v.Type)
			return
		}
		work += k.m.work(v.Def)
		for _, x := range v.Def.In {
			read(x)
		}
	}
	for _, v := range op.In {
		read(v)
	}
	for _, v := range op.Out {
		bytes += k.m.bytes(v.Type)
	}
	return k.m.kernel(work, bytes)
}

package stablehlo

import "vitc/ir"

// A TPU's compiler makes what a product reads inside the product: for every tile of the result
// again. That is right for a few ops, and slow for a layer norm that four products share, or for
// a product of its own. Fences (stablehlo.optimization_barrier) have such values made once.

// leastFenced is the size, in bytes on a device, from which on a fence pays: smaller values stay
// on the chip whatever is done with them.
const leastFenced = 1 << 20

// leastReaders is how many products must share a computed value.
const leastReaders = 2

// fences finds the values of a region, without those inside it, that get one.
func (e *emitter) fences(r *ir.Region) map[*ir.Value]bool {
	products := map[*ir.Value]int{}
	direct := map[*ir.Value]bool{}
	for _, op := range r.Ops {
		if op.Row.Name != "dot" {
			continue
		}
		for _, v := range op.In {
			products[v]++
			direct[v] = direct[v] || v.Def != nil && v.Def.Row.Name == "dot"
		}
	}
	out := map[*ir.Value]bool{}
	for v, n := range products {
		if v.Def == nil || e.held(v.Type) < leastFenced {
			continue
		}
		if direct[v] || n >= leastReaders && v.Def.Row.Class == ir.Pointwise {
			out[v] = true
		}
	}
	return out
}

// held is the number of bytes of a type on one device.
func (e *emitter) held(t ir.Type) int {
	if e.o.Mode != Annotated {
		return t.Bytes()
	}
	return t.Bytes() / e.o.Mesh.Size(t.Shard.Axes()...)
}

// fence writes one.
func (e *emitter) fence(v value) value {
	return e.op(v.tensor, "stablehlo.optimization_barrier %s : %s", v.id, v.tensor)
}

package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/topology"
)

// footprint estimates, before any tensor has a sharding, what values will take of one device's
// memory and ops of its time: a dim of an axis that the plan shards is cut by the mesh axes it is
// put on, and whatever has no such dim is whole on each device.
type footprint struct {
	plan      *ir.Plan       // nil: one device
	chip      *topology.Chip // nil: not known
	model     *cost.Model    // nil where chip is
	precision ir.DType       // what real stands for
}

func newFootprint(precision ir.DType, plan *ir.Plan) footprint {
	fp := footprint{plan: plan, precision: precision}
	if plan != nil {
		fp.chip = topology.ChipNamed(plan.Devices.Chip)
	}
	if fp.chip != nil {
		fp.model = priced(plan)
	}
	return fp
}

// bytes is what an activation takes of a device.
func (fp footprint) bytes(t ir.Type) int64 { return fp.share(t, "", false) }

// stateBytes is what a leaf of the state takes, or a value shaped as one.
func (fp footprint) stateBytes(t ir.Type, name string) int64 { return fp.share(t, name, true) }

func (fp footprint) share(t ir.Type, path string, param bool) int64 {
	n := 1
	if fp.plan != nil {
		for _, axes := range fp.plan.Split(t, path, param) {
			n *= fp.plan.Mesh.Size(axes...)
		}
	}
	return max(1, fp.whole(t)/int64(n))
}

// whole is a value's size with real as what it stands for.
func (fp footprint) whole(t ir.Type) int64 {
	if t.DType == ir.Real {
		t.DType = fp.precision
	}
	return int64(t.Bytes())
}

// seconds is the time of an op on one device: a product's, a sum's reading of its operand; what is
// pointwise rides along in other ops' passes over memory.
func (fp footprint) seconds(op *ir.Op) float64 {
	if fp.model == nil {
		return 0
	}
	moved := int64(0)
	for _, v := range op.In {
		moved += fp.bytes(v.Type)
	}
	memory := fp.model.Pass(float64(moved))
	if flops := op.ProductFlops(); flops > 0 {
		p := cost.ProductOf(op, func(x *ir.Value) ir.Type { return fp.local(x.Type) })
		peak := float64(fp.plan.Mesh.Devices()) * fp.chip.Peak
		return max(flops/peak/fp.model.Efficiency(p), memory)
	}
	if op.Row.Name == "reduce" {
		return memory
	}
	return 0
}

// local is a type of a device's sizes.
func (fp footprint) local(t ir.Type) ir.Type {
	dims := slices.Clone(t.Dims)
	for i, axes := range fp.plan.Split(t, "", false) {
		n := fp.plan.Mesh.Size(axes...)
		dims[i].Size = padded(dims[i].Size, n) / n
	}
	t.Dims = dims
	return t
}

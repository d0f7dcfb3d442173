package cost

import "vitc/ir"

// A TPU keeps a tensor in tiles of its last two dims, 8 rows of 128 lanes. What libtpu makes of
// collectives along these dims depends on whether a device's block is whole tiles; seen in its schedule
// of ViT-22B fully sharded over one axis of 1,024 chips, where the width of 6,144 leaves 6 to each:
//
//   - a reduce_scatter of blocks that are no whole tiles is an all_reduce, of which each device keeps
//     its block;
//   - an all_gather of blocks along the lanes that are no whole tiles is followed by a copy that puts
//     the result in order, 6.7 ms for 288 MiB: ten times what memory needs to read and write it.
const (
	tileLanes = 128
	tileRows  = 8
	reordered = 20 // passes over a gathered result whose lanes are put in order
)

// wholeTiles reports whether a block that is cut along a dim is made of whole tiles.
func (m *Model) wholeTiles(block ir.Type, dim int) bool {
	if m.chip.Array < 2 || block.Rank() < 2 { // no TPU, or a vector
		return true
	}
	switch n := block.Dims[dim].Size; block.Rank() - 1 - dim {
	case 0:
		return n%tileLanes == 0
	case 1:
		return n%tileRows == 0
	}
	return true
}

// rowOf is the name of the row that the TPU's compiler makes of a collective, whole or in two.
func (m *Model) rowOf(op *ir.Op, name string) string {
	if a, ok := op.Attrs.(*ir.GatherAttrs); ok && name == "reduce_scatter" && !m.wholeTiles(op.Out[0].Type, a.Dim) {
		return "all_reduce"
	}
	return name
}

// reordering is what the core takes to put a gathered result in order.
func (m *Model) reordering(op *ir.Op) float64 {
	a, ok := op.Attrs.(*ir.GatherAttrs)
	if !ok || op.Row.Name != "all_gather" || a.Dim < op.In[0].Type.Rank()-1 || m.wholeTiles(op.In[0].Type, a.Dim) {
		return 0
	}
	bytes := m.bytes(op.Out[0].Type)
	if bytes < small {
		return 0
	}
	return m.Pass(reordered * bytes)
}

package report

import (
	"slices"

	"vitc/runtime/hlo"
)

// reached is the part of the memory's rate that streams reach.
const reached = 0.79

// memoryTime is what reading an instruction's operands and writing its result takes, in
// seconds; all says that arrays in the chip's own memory count too.
func (m *machine) memoryTime(in *hlo.Instruction, all bool) float64 {
	size := (*hlo.Shape).HBMBytes
	if all {
		size = (*hlo.Shape).Bytes
	}
	read, written := 0.0, size(&in.Shape)
	for k, o := range in.Operands {
		bytes := size(&o.Shape)
		if b := in.Body(); b != nil {
			bytes = readOf(b, k, bytes)
		}
		read += bytes
	}
	if b := in.Body(); b != nil && b.Root.Is("dynamic-update-slice") && len(b.Root.Operands) > 1 {
		written = b.Root.Operands[1].Shape.Bytes() // in place: the rest stays
	}
	return (read + written) / (reached * m.Topology.Chip.HBMRate)
}

// readOf is how many bytes of its k-th parameter a body reads: a part if it only slices it,
// none if it only writes into it.
func readOf(body *hlo.Computation, k int, bytes float64) float64 {
	at := slices.IndexFunc(body.Instructions, func(x *hlo.Instruction) bool { return x.Is("parameter") && x.Parameter == k })
	if at < 0 {
		return bytes
	}
	parameter := body.Instructions[at]
	sliced, slicedOnly, updatedOnly, used := 0.0, true, true, false
	for _, x := range body.Instructions {
		if !slices.Contains(x.Operands, parameter) {
			continue
		}
		used = true
		slicedOnly = slicedOnly && x.Is("dynamic-slice", "slice")
		updatedOnly = updatedOnly && x.Is("dynamic-update-slice") && x.Operands[0] == parameter
		sliced += x.Shape.Bytes()
	}
	switch {
	case used && slicedOnly:
		return min(bytes, sliced)
	case used && updatedOnly:
		return 0
	}
	return bytes
}

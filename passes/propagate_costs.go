package passes

import (
	"vitc/ir"
	"vitc/ir/topology"
)

// costs compares what devices compute with what they exchange, in bytes that a link brings
// meanwhile: how many floating-point operations of a product, and how many bytes of memory
// traffic, take as long as one byte over a ring of links; and how much slower than such a ring
// each mesh axis is.
type costs struct {
	flops  float64
	memory float64
	axis   map[string]float64
}

// usual are the costs where a plan names no machine: those of a TPU v4, which computes 275
// Tflop/s, reads 1.2 TB/s of memory, and gets 45 GB/s from each of two neighbours.
var usual = costs{flops: 275e12 / 90e9, memory: 1.2e12 / 90e9}

// costsOf are those of a plan's machine, with the mesh laid over its torus.
func costsOf(p *ir.Plan) costs {
	t, err := topology.Of(p.Devices)
	if err != nil {
		return usual
	}
	a, err := topology.Assign(t, p.Mesh)
	if err != nil {
		return usual // what is wrong with the mesh is not for this pass to say
	}
	ring := 2 * t.Chip.Link
	c := costs{flops: t.Chip.Peak / ring, memory: t.Chip.HBMRate / ring, axis: map[string]float64{}}
	for _, x := range a.Axes {
		if x.Bandwidth > 0 {
			c.axis[x.Name] = ring / x.Bandwidth
		}
	}
	return c
}

// over is how much slower than a ring of links a collective over axes is: as its slowest axis.
func (c *costs) over(axes []string) float64 {
	slow := 0.0
	for _, a := range axes {
		slow = max(slow, c.axis[a])
	}
	if slow == 0 {
		return 1
	}
	return slow
}

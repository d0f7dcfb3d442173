// Package topology knows the machines that a plan can be made for: chips, the tori that they
// are joined to, and how a mesh of devices is laid over a torus so that collectives run along
// its links.
package topology

// Chip is one row of the table of chips. Figures are of one device, as the compiler counts
// devices: a whole chip where its cores work as one, else a core.
type Chip struct {
	Name     string  // v4, as topologies are named
	Platform string  // tpu, or cpu for virtual devices of one machine
	Kind     string  // the device kind that a PJRT plugin reports
	Cores    int     // devices a chip
	Megacore bool    // both cores as one device must be asked for
	HBM      int64   // bytes of memory a device; 0: not known
	Peak     float64 // dense bf16 FLOP/s
	Dense    float64 // the part of it that large products reach
	Array    int     // multipliers along a side of an array: products are padded to it
	Clock    float64 // Hz
	HBMRate  float64 // bytes/s to and from memory
	Link     float64 // bytes/s one way along one link of the torus
	Pod      []int   // the largest torus, as many sizes as it has dimensions
	Halts    bool    // libtpu lets the core stand still while a gather is under way

	// Wrap says whether the links of a dimension close to a ring in a torus of a shape.
	wrap func(shape []int, dim int) bool
}

// Dims is the number of dimensions of the chip's torus.
func (c *Chip) Dims() int { return len(c.Pod) }

const gib = 1 << 30

// chips is the table. Peaks, memory and its rate are those of Google Cloud's pages of the
// systems; v3's rows, its clock and links come from N. Jouppi et al., "TPU v4" (ISCA 2023),
// table 4. What the step-time estimate that programs are compared by knows of v4, v5e and v5p
// (peak, clock, memory, links) stands here as there. v6e's clock follows from its peak, four
// arrays of 256x256 multipliers; its links from 800 GB/s a chip over four links, both ways.
// Dense is what libtpu 0.0.52 estimates of products of 6,144 and more along each side.
var chips = []Chip{
	{Name: "v3", Platform: "tpu", Kind: "TPU v3", Cores: 2, HBM: 16 * gib, Peak: 61.5e12, Clock: 0.94e9, Dense: 0.97, Array: 128,
		HBMRate: 4.5e11, Link: 7e10, Pod: []int{32, 32}, wrap: atLeast(32)},
	{Name: "v4", Platform: "tpu", Kind: "TPU v4", Cores: 1, Megacore: true, HBM: 32 * gib, Peak: 275e12, Clock: 1.05e9, Dense: 0.95, Array: 128,
		HBMRate: 1.2e12, Link: 4.5e10, Pod: []int{16, 16, 16}, wrap: ofCubes},
	{Name: "v5e", Platform: "tpu", Kind: "TPU v5 lite", Cores: 1, HBM: 16 * gib, Peak: 197e12, Clock: 1.5e9, Dense: 0.97, Array: 128,
		HBMRate: 8.1e11, Link: 5e10, Pod: []int{16, 16}, Halts: true, wrap: atLeast(16)},
	{Name: "v5p", Platform: "tpu", Kind: "TPU v5", Cores: 1, HBM: 95 * gib, Peak: 459e12, Clock: 1.75e9, Dense: 0.95, Array: 128,
		HBMRate: 2.8e12, Link: 1e11, Pod: []int{16, 20, 28}, wrap: ofCubes},
	{Name: "v6e", Platform: "tpu", Kind: "TPU v6 lite", Cores: 1, HBM: 32 * gib, Peak: 918e12, Clock: 1.75e9, Dense: 0.85, Array: 256,
		HBMRate: 1.64e12, Link: 1e11, Pod: []int{16, 16}, wrap: atLeast(16)},
	// Virtual devices share one machine's memory: nothing here is a limit, and every one is as
	// near as any other. The figures are of the order of a server's; only ratios matter.
	{Name: "cpu", Platform: "cpu", Kind: "cpu", Cores: 1, Peak: 1e12, Clock: 2.5e9, Dense: 0.85, Array: 1,
		HBMRate: 1e11, Link: 1e10, Pod: []int{4096}, wrap: atLeast(2)},
}

// atLeast: links close where the dimension spans the machine.
func atLeast(n int) func([]int, int) bool {
	return func(shape []int, dim int) bool { return shape[dim] >= n }
}

// ofCubes: optical switches close the dimensions of slices made of whole cubes of 4x4x4;
// within a cube there are no closing links.
func ofCubes(shape []int, _ int) bool {
	for _, n := range shape {
		if n%4 != 0 {
			return false
		}
	}
	return true
}

// Chips lists the chips, the oldest first and virtual devices last.
func Chips() []Chip { return chips }

// ChipNamed finds a chip, nil if there is none of the name.
func ChipNamed(name string) *Chip {
	for i := range chips {
		if chips[i].Name == name {
			return &chips[i]
		}
	}
	return nil
}

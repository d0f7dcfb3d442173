package ir

import "vitc/ir/diag"

// Plan is a plan block: where a train block's tensors lie on a machine. It changes no number
// but the order of sums. Paths are patterns over instance paths, as in the language: `*` stands
// for one part, `**` for any number of them.
type Plan struct {
	Name    string      `json:"name"`
	Devices Devices     `json:"devices"`
	Mesh    Mesh        `json:"mesh"`
	Shard   []ShardLine `json:"shard,omitempty"`   // in order: the earlier line wins a mesh axis
	Remat   []RematLine `json:"remat,omitempty"`   // in order: the first match wins
	Reserve float64     `json:"reserve,omitempty"` // fraction of a device's memory that is left free
	Overlap OverlapKind `json:"overlap"`
	Micro   int         `json:"micro"` // microbatches a step, at least 1
	Pos     diag.Pos    `json:"-"`
}

// Chosen is the plan that the program is compiled for, nil for one device.
func (p *Program) Chosen() *Plan {
	for i := range p.Plans {
		if p.Plan != "" && p.Plans[i].Name == p.Plan {
			return &p.Plans[i]
		}
	}
	return nil
}

// Devices are what a plan is made for: a chip of package topology's table in a torus of some shape,
// or virtual devices of this machine.
type Devices struct {
	Platform string   `json:"platform"`       // tpu, cpu
	Chip     string   `json:"chip,omitempty"` // v4, v5p
	Shape    []int    `json:"shape"`          // of the torus: 8, 8, 16; one number for virtual devices
	Pos      diag.Pos `json:"-"`
}

// Count is the number of devices.
func (d Devices) Count() int {
	n := 1
	for _, s := range d.Shape {
		n *= s
	}
	return n
}

// ShardLine puts an axis on mesh axes, major first. Params: of parameters, their gradients and
// optimizer state only. Path, where not empty, limits it to what instances under a path compute
// and store: `"net.head.classes": model`. See Plan.Split for which line counts.
type ShardLine struct {
	Axis   string   `json:"axis"`
	Params bool     `json:"params,omitempty"`
	Path   string   `json:"path,omitempty"`
	Over   []string `json:"over"`
	Pos    diag.Pos `json:"-"`
}

// RematLine says what the backward pass of the instances under Path keeps.
type RematLine struct {
	Path   string      `json:"path"`
	Policy RematPolicy `json:"policy"`
	Pos    diag.Pos    `json:"-"`
}

// RematPolicy is a policy of recomputation.
type RematPolicy string

// The policies.
const (
	RematAll  RematPolicy = "all"  // keep what enters a loop's turn, recompute the rest
	RematDots RematPolicy = "dots" // keep the results of products
	RematNone RematPolicy = "none" // keep whatever the backward pass reads
	RematFit  RematPolicy = "fit"  // recompute only what memory cannot hold
)

// OverlapKind says how communication is hidden behind products.
type OverlapKind string

// The kinds.
const (
	OverlapNone OverlapKind = "none"
	OverlapRing OverlapKind = "ring" // sums and gathers taken in blocks beside products, where the cost model says that it pays
)

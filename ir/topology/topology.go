package topology

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// Codes of the diagnostics of topologies and of meshes over them.
const (
	CodeTopology = "V0501" // no such chip, or not in this shape
	CodeMesh     = "V0502" // a mesh that is not the topology's
)

// Topology is chips of one kind in a torus of some shape, or virtual devices in a row.
type Topology struct {
	Chip  *Chip
	Shape []int // chips along each dimension
}

// Parse reads `tpu:v4:8x8x16`, `v4:8x8x16` or `cpu:8`. The error is a *diag.Diagnostic without
// a position.
func Parse(name string) (*Topology, error) {
	rest := strings.TrimPrefix(name, "tpu:")
	chip, sizes, ok := strings.Cut(rest, ":")
	if !ok {
		return nil, shapeError(name, chip, "has no shape")
	}
	if rest != name && chip == "cpu" {
		return nil, unknownChip("tpu", chip)
	}
	var shape []int
	for _, s := range strings.Split(sizes, "x") {
		n, err := strconv.Atoi(s)
		if err != nil || strconv.Itoa(n) != s {
			return nil, shapeError(name, chip, fmt.Sprintf("has %q for a size", s))
		}
		shape = append(shape, n)
	}
	d := ir.Devices{Platform: "tpu", Chip: chip, Shape: shape}
	if chip == "cpu" {
		d = ir.Devices{Platform: "cpu", Shape: shape}
	}
	return Of(d)
}

// Of is the topology of a plan's devices. The error is a *diag.Diagnostic without a position.
func Of(d ir.Devices) (*Topology, error) {
	name := d.Chip
	if d.Platform == "cpu" {
		name = "cpu"
	}
	c := ChipNamed(name)
	if c == nil || c.Platform != d.Platform {
		return nil, unknownChip(d.Platform, name)
	}
	t := &Topology{Chip: c, Shape: slices.Clone(d.Shape)}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// check makes sure that slices of the shape exist.
func (t *Topology) check() error {
	name := t.Target()
	if len(t.Shape) != t.Chip.Dims() {
		return shapeError(name, t.Chip.Name, fmt.Sprintf("has %s, but %s", count(len(t.Shape), "size"), t.Chip.dimensions()))
	}
	if slices.ContainsFunc(t.Shape, func(n int) bool { return n < 1 }) {
		return shapeError(name, t.Chip.Name, "has a size below 1")
	}
	have, most := slices.Clone(t.Shape), slices.Clone(t.Chip.Pod)
	slices.Sort(have)
	slices.Sort(most)
	for i := range have {
		if have[i] > most[i] {
			return shapeError(name, t.Chip.Name, "is larger than a whole machine, "+Sizes(t.Chip.Pod))
		}
	}
	if t.Chip.Platform == "tpu" && !t.ofHosts() {
		return shapeError(name, t.Chip.Name, "is not made of whole hosts of 2x2 chips")
	}
	return nil
}

// hostSide is how many chips of one host lie along each of the first two dimensions.
const hostSide = 2

// ofHosts: slices are hosts of 2x2 chips, or lie within one.
func (t *Topology) ofHosts() bool {
	within := t.Shape[0] <= hostSide && t.Shape[1] <= hostSide && t.chips() == t.Shape[0]*t.Shape[1]
	return within || t.Shape[0]%hostSide == 0 && t.Shape[1]%hostSide == 0
}

func unknownChip(platform, chip string) error {
	var names []string
	for _, c := range chips {
		if c.Platform == "tpu" {
			names = append(names, c.Name)
		}
	}
	d := &diag.Diagnostic{Code: CodeTopology, Msg: fmt.Sprintf("there is no chip %q", chip), Expected: "one of " + strings.Join(names, ", "), Fix: diag.Nearest(chip, names)}
	if platform != "tpu" && platform != "cpu" {
		d.Msg, d.Expected, d.Fix = fmt.Sprintf("there is no platform %q", platform), "tpu or cpu", ""
	}
	return d
}

func shapeError(name, chip, problem string) error {
	d := &diag.Diagnostic{Code: CodeTopology, Msg: fmt.Sprintf("the topology `%s` %s", name, problem), Expected: "a chip and the sizes of its torus, such as tpu:v4:8x8x16 or tpu:v5e:16x16"}
	c := ChipNamed(chip)
	switch {
	case c == nil && strings.Contains(name, ":"):
		return unknownChip("tpu", chip)
	case c == nil:
	case c.Platform == "cpu":
		d.Expected = fmt.Sprintf("1 to %d virtual devices, such as cpu:8", c.Pod[0])
	default:
		d.Expected = fmt.Sprintf("%s, at most %s", count(c.Dims(), "size"), Sizes(c.Pod))
		if c.Dims() == 3 {
			d.Fix = fmt.Sprintf("tpu:%s:4x4x4", c.Name)
		} else {
			d.Fix = fmt.Sprintf("tpu:%s:4x4", c.Name)
		}
	}
	return d
}

// dimensions says in words what torus the chip has.
func (c *Chip) dimensions() string {
	if c.Platform == "cpu" {
		return "virtual devices stand in one row"
	}
	return fmt.Sprintf("%s chips form a torus of %d dimensions", c.Name, c.Dims())
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Sizes writes a shape: 8x8x16.
func Sizes(shape []int) string {
	var parts []string
	for _, n := range shape {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, "x")
}

// Name is the topology as a plugin is asked for it: v4:8x8x16.
func (t *Topology) Name() string { return t.Chip.Name + ":" + Sizes(t.Shape) }

// Target is the topology as the command line names it: tpu:v4:8x8x16, cpu:8.
func (t *Topology) Target() string {
	if t.Chip.Platform == "cpu" {
		return t.Name()
	}
	return t.Chip.Platform + ":" + t.Name()
}

// Devices is the number of devices.
func (t *Topology) Devices() int { return t.chips() * t.Chip.Cores }

func (t *Topology) chips() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Wraps says whether the links of a dimension close to a ring.
func (t *Topology) Wraps(dim int) bool { return t.Chip.wrap(t.Shape, dim) }

// Options are what a plugin must be told to create the topology, beside its name.
type Options struct {
	ChipConfig string // chip_config_name; "" to leave it out
	Wrap       []bool // wrap, a dimension each; nil to leave it out
}

// Options of the topology. Without `wrap` the compiler plans collectives for a mesh, at half
// the bandwidth of a torus.
func (t *Topology) Options() Options {
	var o Options
	if t.Chip.Megacore {
		o.ChipConfig = "megacore"
	}
	wraps := make([]bool, len(t.Shape))
	for i := range wraps {
		wraps[i] = t.Wraps(i)
	}
	if t.Chip.Platform == "tpu" && t.Chip.Dims() == 3 && wraps[0] {
		o.Wrap = wraps
	}
	return o
}

// ID is the device id of a core at a place of the torus: plugins number the cores of a chip
// first, then chips along the first dimension, then the others.
func (t *Topology) ID(coords []int, core int) int {
	id := 0
	for d := len(t.Shape) - 1; d >= 0; d-- {
		id = id*t.Shape[d] + coords[d]
	}
	return id*t.Chip.Cores + core
}

// Coords is the place of a device and its core there.
func (t *Topology) Coords(id int) (coords []int, core int) {
	id, core = id/t.Chip.Cores, id%t.Chip.Cores
	for _, n := range t.Shape {
		coords = append(coords, id%n)
		id /= n
	}
	return coords, core
}

// Listed is the place of a device in the list that plugins give of a topology's devices: host
// by host, hosts and the chips of one in the order of ids.
func (t *Topology) Listed(id int) int {
	if t.Chip.Platform == "cpu" || t.chips() <= hostSide*hostSide {
		return id
	}
	coords, core := t.Coords(id)
	hosts := &Topology{Chip: &Chip{Cores: 1}, Shape: slices.Clone(t.Shape)}
	host := slices.Clone(coords)
	within := 0
	for d := 1; d >= 0; d-- {
		hosts.Shape[d] /= hostSide
		host[d] /= hostSide
		within = within*hostSide + coords[d]%hostSide
	}
	return (hosts.ID(host, 0)*hostSide*hostSide+within)*t.Chip.Cores + core
}

package draw

import (
	"fmt"
	"strconv"
	"strings"

	"vitc/ir"
)

// Tensor is a value as the devices hold it together: a grid of blocks, over two of its dims.
type Tensor struct {
	Name       string
	Rows, Cols Side
	Blocks     [][]Block // by row and column
	// Sheets is how many summands there are, each on devices of its own; 1 where the value is
	// whole. Blocks are those of the first.
	Sheets int
	Note   string // what else is to be said
}

// Side is a dim of the grid; one of no label where the tensor has none.
type Side struct {
	Label string // width:32
	Over  string // the mesh axes that it is cut along
}

// Block is one part, and the devices that hold it.
type Block struct {
	Index   int // counted over the grid: the same number is the same block, in every picture
	Devices []int
}

// tensor lays a value out.
func (d *drawer) tensor(v *ir.Value) Tensor {
	t, cuts := v.Type, d.cutsOf(v)
	row, col := sides(cuts)
	x := Tensor{Name: name(v), Sheets: d.mesh.Size(t.Shard.Sums()...), Rows: d.side(t, cuts, row), Cols: d.side(t, cuts, col)}
	rows, cols := 1, 1
	if row >= 0 {
		rows = d.mesh.Size(cuts[row].over...)
	}
	if col >= 0 {
		cols = d.mesh.Size(cuts[col].over...)
	}
	x.Blocks = make([][]Block, rows)
	for i := range x.Blocks {
		x.Blocks[i] = make([]Block, cols)
		for j := range x.Blocks[i] {
			x.Blocks[i][j].Index = i*cols + j
		}
	}
	for device := range d.mesh.Devices() {
		if d.mesh.Place(device, t.Shard.Sums()) > 0 {
			continue // another sheet's
		}
		b := &x.Blocks[d.place(device, cuts, row)][d.place(device, cuts, col)]
		b.Devices = append(b.Devices, device)
	}
	x.Note = d.note(v, x.Sheets)
	return x
}

// place is which block of a dim a device holds.
func (d *drawer) place(device int, cuts []cut, dim int) int {
	if dim < 0 {
		return 0
	}
	c := cuts[dim]
	n := d.mesh.Size(c.over...)
	return ((d.mesh.Place(device, c.over)+c.off)%n + n) % n
}

// sides chooses the two dims to draw: those that are cut, and then the last ones. -1: none.
func sides(cuts []cut) (row, col int) {
	var order []int
	for i := range cuts {
		if len(cuts[i].over) > 0 {
			order = append(order, i)
		}
	}
	for i := len(cuts) - 1; i >= 0 && len(order) < 2; i-- {
		if len(cuts[i].over) == 0 {
			order = append(order, i)
		}
	}
	switch len(order) {
	case 0:
		return -1, -1
	case 1:
		return -1, order[0]
	}
	return min(order[0], order[1]), max(order[0], order[1])
}

// side names a dim by its size on all devices together.
func (d *drawer) side(t ir.Type, cuts []cut, dim int) Side {
	if dim < 0 {
		return Side{}
	}
	x := t.Dims[dim]
	size := x.Size * d.mesh.Size(cuts[dim].over...)
	if x.Global != 0 {
		size = x.Global
	}
	return Side{Label: x.Label + ":" + strconv.Itoa(size), Over: strings.Join(cuts[dim].over, ", ")}
}

// note says what a grid does not show.
func (d *drawer) note(v *ir.Value, sheets int) string {
	vary := v.Type.Shard.Varies()
	_, known := d.cuts[v]
	switch {
	case sheets > 1:
		return fmt.Sprintf("the sum of %d along %s", sheets, strings.Join(v.Type.Shard.Sums(), ", "))
	case d.terms[v] > 0 && len(vary) > 0:
		return fmt.Sprintf("%d of %d terms", d.terms[v], d.mesh.Size(vary...))
	case len(vary) > 0 && !known:
		return "each device's own along " + strings.Join(vary, ", ")
	}
	return ""
}

func name(v *ir.Value) string {
	if v.Name == "" {
		return ""
	}
	return "%" + v.Name
}

// Package table prints tables as plain text.
package table

import (
	"fmt"
	"strings"
)

// Table aligns the columns of rows, two blanks between them.
type Table struct {
	Right  []bool // of each column: its cells stand to the right
	Indent string // in front of each row
	rows   [][]string
}

// Add appends a row of at most as many cells as there are columns.
func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// String is a line for each row, without blanks at its end.
func (t *Table) String() string {
	widths := make([]int, len(t.Right))
	for _, r := range t.rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, r := range t.rows {
		cells := make([]string, len(r))
		for i, cell := range r {
			width := widths[i]
			if !t.Right[i] {
				width = -width
			}
			cells[i] = fmt.Sprintf("%*s", width, cell)
		}
		b.WriteString(strings.TrimRight(t.Indent+strings.Join(cells, "  "), " ") + "\n")
	}
	return b.String()
}

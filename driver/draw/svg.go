package draw

import (
	"fmt"
	"html"
	"strings"
)

// Sizes in pixels.
const (
	side     = 132 // of a tensor's grid, at the longest
	gap      = 34
	titleRow = 30
	caption  = 52
	margin   = 16
	sheetOff = 7 // of one sheet behind another
	arrow    = 46
)

// mostShown blocks of a dim are drawn; of more, the first ones and the last.
const mostShown = 8

// palette is the fills of blocks, by their index: distinct neighbours, black text readable on all.
var palette = []string{"#8ecae6", "#ffd166", "#a8dba8", "#f4a6a6", "#cdb4db", "#f6bd60", "#b8e0d2", "#e2c6a5"}

// SVG draws panels one below the other.
func SVG(panels []Panel) []byte {
	c := &canvas{}
	y, width := margin, 0
	for _, p := range panels {
		height, w := c.panel(p, y)
		y += height
		width = max(width, w)
	}
	width += margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, y, width, y)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, y)
	b.WriteString(c.b.String())
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

type canvas struct{ b strings.Builder }

// panel draws one step and gives its height and right edge.
func (c *canvas) panel(p Panel, y int) (height, right int) {
	c.text(margin, y+14, p.Title, `font-weight="bold"`)
	if p.Place != "" {
		c.text(margin+9*len(p.Title)+12, y+14, p.Place, `fill="#666666"`)
	}
	top, x := y+titleRow, margin
	tallest := side
	for k, t := range p.Operands {
		if k > 0 {
			c.text(x-gap/2-4, top+side/2+6, p.Sign, `font-size="22"`)
		}
		w, h := c.tensor(t, x, top)
		x, tallest = x+w+gap, max(tallest, h)
	}
	fmt.Fprintf(&c.b, `<path d="M%d %dh%dm-7 -5l7 5l-7 5" fill="none" stroke="#333333" stroke-width="1.5"/>`+"\n", x-gap/2, top+side/2, arrow)
	x += arrow
	w, h := c.tensor(p.Result, x, top)
	return titleRow + max(tallest, h) + caption + 12, max(x+w, margin+9*(len(p.Title)+len(p.Place))+12)
}

// tensor draws a grid of blocks with its name and sides, and gives its size.
func (c *canvas) tensor(t Tensor, x, y int) (w, h int) {
	sheets := min(t.Sheets, 4)
	for k := sheets - 1; k > 0; k-- {
		fmt.Fprintf(&c.b, `<rect x="%d" y="%d" width="%d" height="%d" fill="#f2f2f2" stroke="#555555" stroke-dasharray="4 3"/>`+"\n",
			x+k*sheetOff, y+k*sheetOff, side, side)
	}
	rows, cols := kept(len(t.Blocks)), kept(len(t.Blocks[0]))
	for i, r := range rows {
		for j, k := range cols {
			x0, x1 := x+j*side/len(cols), x+(j+1)*side/len(cols)
			y0, y1 := y+i*side/len(rows), y+(i+1)*side/len(rows)
			if r < 0 || k < 0 {
				c.cell(x0, y0, x1-x0, y1-y0, "#ffffff", "…")
				continue
			}
			b := t.Blocks[r][k]
			if len(b.Devices) == 0 {
				c.cell(x0, y0, x1-x0, y1-y0, "#ffffff", "")
				continue
			}
			c.cell(x0, y0, x1-x0, y1-y0, palette[b.Index%len(palette)], devices(b.Devices, x1-x0))
		}
	}
	extra := (sheets - 1) * sheetOff
	h = side + extra
	for i, line := range captions(t) {
		c.text(x, y+h+15+15*i, line, `fill="#333333"`)
	}
	return side + extra, h
}

// captions are the lines below a grid.
func captions(t Tensor) []string {
	var lines []string
	if first := strings.TrimSpace(t.Name + " " + t.Note); first != "" {
		lines = append(lines, first)
	}
	for _, s := range []Side{t.Rows, t.Cols} {
		switch {
		case s.Label == "":
		case s.Over == "":
			lines = append(lines, s.Label)
		default:
			lines = append(lines, s.Label+" @"+s.Over)
		}
	}
	return lines
}

// kept lists the places of a dim that are drawn; -1 stands for those left out.
func kept(n int) []int {
	var out []int
	for i := range n {
		if n > mostShown && i >= mostShown-2 && i < n-1 {
			if i == mostShown-2 {
				out = append(out, -1)
			}
			continue
		}
		out = append(out, i)
	}
	return out
}

// devices names those that hold a block, as far as there is room.
func devices(list []int, width int) string {
	var words []string
	for _, d := range list {
		words = append(words, fmt.Sprint(d))
	}
	if s := strings.Join(words, " "); 7*len(s) <= width-4 {
		return s
	}
	return fmt.Sprintf("×%d", len(list))
}

func (c *canvas) cell(x, y, w, h int, fill, label string) {
	fmt.Fprintf(&c.b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="#333333"/>`+"\n", x, y, w, h, fill)
	size := 12
	if h < 16 {
		size = max(h-3, 5)
	}
	if room := 12 * (w - 2) / (7 * max(len([]rune(label)), 1)); room < size {
		size = max(room, 5)
	}
	fmt.Fprintf(&c.b, `<text x="%d" y="%d" text-anchor="middle" font-size="%d">%s</text>`+"\n", x+w/2, y+h/2+size/3, size, html.EscapeString(label))
}

func (c *canvas) text(x, y int, s, style string) {
	fmt.Fprintf(&c.b, `<text x="%d" y="%d" %s>%s</text>`+"\n", x, y, style, html.EscapeString(s))
}

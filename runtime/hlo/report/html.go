package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"strconv"
	"strings"
)

//go:embed page.html
var pageText string

// page is the report for a browser: one file that needs no other.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"size": size, "seconds": seconds, "percent": percent, "class": class,
	"mfu":   func(x float64) float64 { return 100 * x },
	"grow":  func(seconds float64) float64 { return 1e9 * seconds }, // flex items that grow by less than 1 in all leave room
	"bytes": func(n int64) string { return size(float64(n)) },
}).Parse(pageText))

// bar is one rectangle of the timeline.
type bar struct {
	X, Y, W float64
	Class   string
	Title   string
	Label   string
}

// The drawing's measures, in units of its own: the page scales it.
const (
	drawingWidth = 4000.0
	rowHeight    = 26.0
	narrowest    = 0.02 // bars below it are not drawn: nobody could see them
)

// drawing is the timeline: rows of the core by the depth of loops, then of the links.
type drawing struct {
	Width, Height float64
	Long          float64 // seconds
	Rows          []rowLabel
	Bars          []bar
	Left          int // bars too narrow to draw
}

type rowLabel struct {
	Y    float64
	Text string
}

// WriteHTML writes a page with all of the report and a timeline of one step.
func (r *Report) WriteHTML(w io.Writer) error {
	var b bytes.Buffer
	if err := page.Execute(&b, struct {
		*Report
		Drawing *drawing
	}{r, r.draw()}); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// draw lays out the folded step.
func (r *Report) draw() *drawing {
	list, long := fold(r.step, 0, 0, 1)
	d := &drawing{Width: drawingWidth, Long: long}
	if long <= 0 {
		return d
	}
	deepest := 0
	for _, s := range list {
		deepest = max(deepest, s.depth)
	}
	rows := lanesOf(list)
	for k := range deepest + 1 {
		text := "step"
		if k > 0 {
			text = "one turn" + strings.Repeat(" of a turn", k-1)
		}
		d.Rows = append(d.Rows, rowLabel{float64(k) * rowHeight, text})
	}
	for k := range rows.ends {
		text := ""
		if k == 0 {
			text = "links"
		}
		d.Rows = append(d.Rows, rowLabel{float64(deepest+1+k) * rowHeight, text})
	}
	d.Height = float64(len(d.Rows)) * rowHeight
	for i, s := range list {
		row := s.depth
		if s.transfer != nil {
			row = deepest + 1 + rows.row[i]
		}
		d.add(s, float64(row)*rowHeight)
	}
	return d
}

// add draws a stretch.
func (d *drawing) add(s stretch, y float64) {
	scale := d.Width / d.Long
	b := bar{X: s.at * scale, Y: y, W: s.long * scale, Class: class(s.kind), Label: s.in.Name}
	if b.W < narrowest {
		d.Left++
		return
	}
	b.Title = s.in.Name + "\n" + s.kind + ", " + seconds(s.seconds)
	switch {
	case s.body != nil:
		b.Label = s.in.Name + " x " + strconv.Itoa(s.trips)
		b.Title = b.Label + "\n" + seconds(s.body.Step) + " a turn, " + seconds(s.seconds) + " in all; one turn is drawn"
	case s.transfer != nil:
		b.Label = s.transfer.Kind
		b.Title += "\n" + s.transfer.Kind + " along " + s.transfer.Axis + ", " + size(s.transfer.Bytes) + "\nexposed " + seconds(s.transfer.Exposed)
		if !s.transfer.Async {
			b.Title += ", synchronous"
		}
	}
	for _, line := range []string{where(s.in.Source), s.in.Source.Op} {
		if line != "" {
			b.Title += "\n" + line
		}
	}
	d.Bars = append(d.Bars, b)
}

// class is a kind's name in the page's style sheet.
func class(kind string) string { return strings.ReplaceAll(kind, " ", "-") }

// Package progress tells a person how a training run goes: a bar on a terminal, a line
// every so often elsewhere, without control characters there.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Options describes a run.
type Options struct {
	Out   io.Writer     // os.Stdout, usually; a bar is drawn if it is a terminal
	Name  string        // of the train block
	Start int64         // steps done before
	Total int64         // steps in all
	Batch int           // images a step
	Every time.Duration // between lines where there is no bar; 0: ten seconds
}

// The times between redrawing a bar, between lines by default, and over which the images a
// second are averaged.
const (
	redrawEvery  = 100 * time.Millisecond
	defaultEvery = 10 * time.Second
	rateWindow   = 5 * time.Second
)

// Value is a named result of an evaluation.
type Value struct {
	Name  string
	Value float64
}

// Progress shows one run. It belongs to one goroutine.
type Progress struct {
	o     Options
	bar   *progressbar.ProgressBar // nil: lines
	color bool
	now   func() time.Time
	width func() int // of the terminal

	began   time.Time
	shown   time.Time // when last drawn or printed
	samples []sample  // of the last rateWindow, oldest first
	evals   string    // the last results, for the bar
}

// sample is how far the run was at a time.
type sample struct {
	at   time.Time
	step int64
}

// New begins to show a run. NO_COLOR (https://no-color.org) turns colours off, TERM=dumb the
// bar too.
func New(o Options) *Progress {
	p := &Progress{o: o, now: time.Now}
	if f, ok := o.Out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width < 1 {
				return 80
			}
			return width
		}
		p.color = os.Getenv("NO_COLOR") == ""
	}
	p.begin()
	return p
}

// begin starts the clock and, where there is a width, the bar.
func (p *Progress) begin() {
	if p.o.Every == 0 {
		p.o.Every = defaultEvery
	}
	p.began = p.now()
	p.samples = []sample{{p.began, p.o.Start}}
	if p.width != nil && p.o.Total > 0 {
		p.bar = newBar(p.o)
	}
}

// Step tells that step steps are done, the last with this loss. It costs little where
// nothing is due to be drawn.
func (p *Progress) Step(step int64, loss float64) {
	now, every := p.now(), p.o.Every
	if p.bar != nil {
		every = redrawEvery
	}
	if !p.shown.IsZero() && now.Sub(p.shown) < every && step < p.o.Total {
		return
	}
	p.shown = now
	parts := p.parts(step, loss, now)
	if p.bar == nil {
		p.line(join(parts))
		return
	}
	p.draw(step, parts)
	if step >= p.o.Total {
		p.Finish() // what follows stands below the full bar
	}
}

// Eval tells the results of an evaluation after step steps.
func (p *Progress) Eval(step int64, name string, values []Value) {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%s.%s %.4g", name, v.Name, v.Value)
	}
	p.evals = strings.Join(texts, "  ")
	p.print(fmt.Sprintf("step %d  %s", step, p.evals), bold)
}

// Warn prints a warning between the other lines.
func (p *Progress) Warn(text string) { p.print("warning: "+text, yellow) }

// Finish leaves the terminal's cursor on a line of its own.
func (p *Progress) Finish() {
	if p.bar != nil && !p.shown.IsZero() {
		fmt.Fprintln(p.o.Out)
	}
	p.bar = nil
}

// The colours, as ANSI parameters.
const (
	bold   = "1"
	yellow = "33"
)

// print puts a lasting line above the bar, or among the lines.
func (p *Progress) print(text, style string) {
	if p.bar == nil {
		p.line(text)
		return
	}
	text = printable(text)
	if p.color {
		text = "\x1b[" + style + "m" + text + "\x1b[0m"
	}
	fmt.Fprintf(p.o.Out, "\r\x1b[2K%s\n", text)
	p.shown = time.Time{} // the next step draws the bar again
}

// line prints a line with the run's name before it.
func (p *Progress) line(text string) {
	fmt.Fprintln(p.o.Out, printable(p.o.Name+": "+text))
}

// printable replaces what would move a cursor, such as a file name's escape sequences.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

package diag

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of an excerpt: a longer line is clipped around its carets.
const (
	excerptWidth = 120 // columns of source shown at most
	clipMargin   = 20  // columns kept before the carets of a clipped line
	tabWidth     = 4   // blanks that a tab is shown as
	ellipsis     = "..."
)

// String returns the severity's word.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// String returns file:line:col, or the empty string for no position.
func (p Pos) String() string {
	if !p.Valid() {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// String returns the message on one line: place, severity, code, message and fix.
func (d *Diagnostic) String() string {
	var b strings.Builder
	if at := d.Pos.String(); at != "" {
		b.WriteString(at + ": ")
	}
	b.WriteString(d.heading())
	if d.Expected != "" {
		b.WriteString("; expected " + d.Expected)
	}
	if d.Fix != "" {
		b.WriteString("; fix: " + d.Fix)
	}
	return b.String()
}

func (d *Diagnostic) heading() string {
	if d.Code == "" {
		return d.Severity.String() + ": " + d.Msg
	}
	return fmt.Sprintf("%s[%s]: %s", d.Severity, d.Code, d.Msg)
}

// Render writes d in full: heading, place, excerpt with carets, what was expected,
// notes and fix. src returns a file's text, nil if it cannot be had: the excerpt is then
// left out. src itself may be nil.
func Render(w io.Writer, d *Diagnostic, src func(file string) []byte) error {
	var b strings.Builder
	b.WriteString(d.heading() + "\n")
	renderPlace(&b, d, src)
	if d.Expected != "" {
		b.WriteString("expected " + d.Expected + "\n")
	}
	for _, n := range d.Notes {
		b.WriteString("note: ")
		if at := n.Pos.String(); at != "" {
			b.WriteString(at + ": ")
		}
		b.WriteString(n.Text + "\n")
	}
	if d.Fix != "" {
		b.WriteString("fix:  " + d.Fix + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// renderPlace writes the arrow line and the excerpt, or, where there is no excerpt, the
// label on a line of its own so that it is not lost.
func renderPlace(b *strings.Builder, d *Diagnostic, src func(string) []byte) {
	number := fmt.Sprint(d.Pos.Line)
	if at := d.Pos.String(); at != "" {
		fmt.Fprintf(b, "%s--> %s\n", strings.Repeat(" ", len(number)), at)
	}
	line, ok := sourceLine(d.Pos, src)
	if !ok {
		if d.Label != "" {
			b.WriteString(d.Label + "\n")
		}
		return
	}
	text, before, under := excerpt(line, d.Pos)
	fmt.Fprintf(b, "%s | %s\n", number, text)
	carets := strings.Repeat(" ", before) + strings.Repeat("^", under)
	if d.Label != "" {
		carets += " " + d.Label
	}
	fmt.Fprintf(b, "%s | %s\n", strings.Repeat(" ", len(number)), carets)
}

// sourceLine returns the text of the line that p names, without its line end.
func sourceLine(p Pos, src func(string) []byte) ([]byte, bool) {
	if src == nil || !p.Valid() {
		return nil, false
	}
	text := src(p.File)
	if text == nil {
		return nil, false
	}
	for i := 1; i < p.Line; i++ {
		n := bytes.IndexByte(text, '\n')
		if n < 0 {
			return nil, false
		}
		text = text[n+1:]
	}
	if n := bytes.IndexByte(text, '\n'); n >= 0 {
		text = text[:n]
	}
	return bytes.TrimRight(text, "\r"), true
}

// excerpt returns the line as shown, and how many columns stand before the carets and
// how many carets there are. Positions count bytes; columns count characters.
func excerpt(line []byte, p Pos) (text string, before, under int) {
	from := clamp(p.Col-1, 0, len(line))
	to := from
	if p.End > p.Col {
		to = clamp(p.End-1, from, len(line))
	}
	head, mid, tail := display(line[:from]), display(line[from:to]), display(line[to:])
	before, under = utf8.RuneCountInString(head), max(utf8.RuneCountInString(mid), 1)
	return clip(head+mid+tail, before, under)
}

// clip cuts a long line to excerptWidth columns around its carets.
func clip(text string, before, under int) (string, int, int) {
	runes := []rune(text)
	if len(runes) <= excerptWidth {
		return text, before, under
	}
	start := 0
	if before+under > excerptWidth-len(ellipsis) {
		start = before - clipMargin
		start = max(start, 0)
	}
	stop := min(start+excerptWidth, len(runes))
	shown := string(runes[start:stop])
	before -= start
	under = max(min(under, stop-start-before), 1)
	if start > 0 {
		shown, before = ellipsis+shown, before+len(ellipsis)
	}
	if stop < len(runes) {
		shown += ellipsis
	}
	return shown, before, under
}

// display makes text safe to show: tabs become blanks; control characters and invalid
// bytes become the replacement character.
func display(text []byte) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\t':
			b.WriteString(strings.Repeat(" ", tabWidth))
		case r < ' ' || r == 0x7f:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
		text = text[n:]
	}
	return b.String()
}

func clamp(x, low, high int) int { return min(max(x, low), high) }

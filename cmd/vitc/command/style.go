package command

import (
	"bytes"
	"os"
	"regexp"

	"vitc/ir/diag"
)

// colours reports whether the user lets programs use them (https://no-color.org).
func colours() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// The parts of a rendered diagnostic that are coloured, each with its escape sequence.
var styles = []struct {
	part  *regexp.Regexp
	style string
}{
	{regexp.MustCompile(`(?m)^(internal )?error(\[\w+\])?`), "\x1b[1;31m"},
	{regexp.MustCompile(`(?m)^warning(\[\w+\])?`), "\x1b[1;33m"},
	{regexp.MustCompile(`(?m)^ *--> `), "\x1b[34m"},
	{regexp.MustCompile(`(?m)^note: `), "\x1b[36m"},
	{regexp.MustCompile(`(?m)^fix:  `), "\x1b[32m"},
}

const unstyled = "\x1b[0m"

// colour adds colours to rendered diagnostics.
func colour(text []byte) []byte {
	for _, s := range styles {
		text = s.part.ReplaceAll(text, []byte(s.style+"$0"+unstyled))
	}
	return text
}

// printDiagnostics writes diagnostics in full, with excerpts, where errors go.
func (a *app) printDiagnostics(list diag.List) {
	var b bytes.Buffer
	if err := list.Render(&b, a.sources.Text); err != nil {
		b.WriteString(list.Error() + "\n")
	}
	text := b.Bytes()
	if a.colourErr {
		text = colour(text)
	}
	a.err.Write(text)
}

// Package fault holds the one error type of what the runtime reads and writes: files,
// data sets, checkpoints. It separates what a message says into parts, so that the
// command can print them as it prints the compiler's diagnostics.
package fault

import (
	"io/fs"
	"os"
	"strings"
)

// Error says what is wrong, where, and what to do about it. Every part but Msg may be
// empty.
type Error struct {
	Where    string // a file and the place in it: "a.safetensors: tensor w: byte 12"
	Msg      string // one line, no full stop
	Expected string
	Found    string
	Fix      string
	Err      error // the cause, for errors.Is; its text follows Msg
}

// Error joins the parts on one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Where != "" {
		b.WriteString(e.Where + ": ")
	}
	b.WriteString(e.Msg)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	sep := ": "
	for _, part := range [...]struct{ label, text string }{{"expected", e.Expected}, {"found", e.Found}} {
		if part.text != "" {
			b.WriteString(sep + part.label + " " + part.text)
			sep = ", "
		}
	}
	if e.Fix != "" {
		b.WriteString("; fix: " + e.Fix)
	}
	return b.String()
}

// Cause drops the operation and the paths from a file's error, for an Error whose Where
// names the path.
func Cause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

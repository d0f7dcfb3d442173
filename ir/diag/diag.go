// Package diag holds source positions and diagnostics: what every stage of the
// compiler uses to say where something came from and what is wrong with it.
package diag

// Pos is a place in a source file. Line and Col count from 1, Col in bytes; End is
// the column just after the last byte on the same line (0: one character).
type Pos struct {
	File      string
	Line, Col int
	End       int
}

// Valid reports whether p names a line.
func (p Pos) Valid() bool { return p.Line > 0 }

// Loc is where a value came from: a place, the places that instantiated it (innermost
// first), and the path of the module instance that computed it, such as
// net.encoder.block. Values share Locs; passes copy the pointer.
type Loc struct {
	Pos
	Path string
	From *Loc // the instantiation or call, nil at the top
}

// Severity says whether a diagnostic stops the build.
type Severity int

// The severities.
const (
	Error Severity = iota
	Warning
)

// Note is a remark that belongs to a diagnostic; Pos may be zero.
type Note struct {
	Pos  Pos
	Text string
}

// Diagnostic is one message. Label stands under the excerpt, beside the carets.
type Diagnostic struct {
	Severity Severity
	Code     string // V0201
	Msg      string // one line, no full stop
	Pos      Pos    // zero: no excerpt
	Label    string
	Expected string // "one of batch, seq": printed on a line of its own after "expected "
	Notes    []Note
	Fix      string
}

// Error makes a Diagnostic an error: its code and message, with its place.
func (d *Diagnostic) Error() string { return d.String() }

package diag

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// MaxShown is how many diagnostics a List prints before it only counts.
const MaxShown = 20

// List collects diagnostics. It is an error; use Err to get nil from a list that only
// holds warnings.
type List []*Diagnostic

// Add appends d.
func (l *List) Add(d *Diagnostic) { *l = append(*l, d) }

// Sorted returns the list ordered by file and place, without repetitions. Diagnostics of
// one place keep their order.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b *Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	n := 0
	for _, d := range out {
		if !repeats(out[:n], d) {
			out[n] = d
			n++
		}
	}
	return out[:n]
}

// repeats reports whether d is among the last of a sorted list, those of d's place.
func repeats(sorted []*Diagnostic, d *Diagnostic) bool {
	for i := len(sorted) - 1; i >= 0 && sorted[i].Pos == d.Pos; i-- {
		if reflect.DeepEqual(sorted[i], d) {
			return true
		}
	}
	return false
}

// Errors returns how many of the list's diagnostics are errors.
func (l List) Errors() int {
	n := 0
	for _, d := range l {
		if d.Severity == Error {
			n++
		}
	}
	return n
}

// Err returns the list as an error, or nil if it holds no error.
func (l List) Err() error {
	if l.Errors() == 0 {
		return nil
	}
	return l
}

// Error returns the diagnostics, sorted, each on a line.
func (l List) Error() string {
	var b strings.Builder
	sorted := l.Sorted()
	for i, d := range sorted {
		if i == MaxShown {
			fmt.Fprintf(&b, "... and %d more\n", len(sorted)-i)
			break
		}
		b.WriteString(d.String() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Render writes the diagnostics in full, sorted, with a blank line between them; see the
// function Render.
func (l List) Render(w io.Writer, src func(file string) []byte) error {
	sorted := l.Sorted()
	for i, d := range sorted {
		if i == MaxShown {
			_, err := fmt.Fprintf(w, "\n... and %d more\n", len(sorted)-i)
			return err
		}
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := Render(w, d, src); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes every diagnostic, sorted, as a JSON object on a line of its own.
func (l List) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, d := range l.Sorted() {
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	return nil
}

// The JSON form of a diagnostic: stable names, and no key for what is absent.
type jsonPos struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
	End  int    `json:"end,omitempty"`
}

type jsonNote struct {
	Pos  *jsonPos `json:"pos,omitempty"`
	Text string   `json:"text"`
}

type jsonDiagnostic struct {
	Severity string     `json:"severity"`
	Code     string     `json:"code,omitempty"`
	Message  string     `json:"message"`
	Pos      *jsonPos   `json:"pos,omitempty"`
	Label    string     `json:"label,omitempty"`
	Expected string     `json:"expected,omitempty"`
	Notes    []jsonNote `json:"notes,omitempty"`
	Fix      string     `json:"fix,omitempty"`
}

func (p Pos) json() *jsonPos {
	if p == (Pos{}) {
		return nil
	}
	return &jsonPos{p.File, p.Line, p.Col, p.End}
}

// MarshalJSON writes the diagnostic for tools: severity, code, message, pos {file, line,
// col, end}, label, expected, notes and fix.
func (d *Diagnostic) MarshalJSON() ([]byte, error) {
	out := jsonDiagnostic{Severity: d.Severity.String(), Code: d.Code, Message: d.Msg, Pos: d.Pos.json(),
		Label: d.Label, Expected: d.Expected, Fix: d.Fix}
	for _, n := range d.Notes {
		out.Notes = append(out.Notes, jsonNote{n.Pos.json(), n.Text})
	}
	return json.Marshal(out)
}

package fault

import (
	"errors"
	"strings"

	"vitc/ir/diag"
)

// Diagnostic turns an error into what the compiler prints. The parts of the first *Error
// in err's chain become the diagnostic's parts; pos is the place in the program that asked
// for what failed, and where it is not valid the error's own Where takes its place. A
// *diag.Diagnostic in the chain is returned as it is.
func Diagnostic(err error, code string, pos diag.Pos) *diag.Diagnostic {
	var done *diag.Diagnostic
	if errors.As(err, &done) {
		return done
	}
	d := &diag.Diagnostic{Code: code, Pos: pos}
	var e *Error
	if !errors.As(err, &e) {
		d.Msg = err.Error()
		return d
	}
	d.Msg, d.Fix = e.headline(), e.Fix
	d.Expected = e.expectation()
	switch {
	case e.Where == "":
	case pos.Valid():
		d.Label = e.Where
	default:
		d.Pos = diag.Pos{File: e.Where}
	}
	return d
}

// headline is the message and its cause, on one line.
func (e *Error) headline() string {
	if e.Err == nil {
		return e.Msg
	}
	cause := strings.Join(strings.Fields(e.Err.Error()), " ")
	return e.Msg + ": " + cause
}

// expectation is what follows the word "expected" in a diagnostic.
func (e *Error) expectation() string {
	switch {
	case e.Expected == "" && e.Found == "":
		return ""
	case e.Found == "":
		return e.Expected
	case e.Expected == "":
		return "otherwise; found " + e.Found
	}
	return e.Expected + "; found " + e.Found
}

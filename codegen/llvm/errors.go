package llvm

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

// Error is a program that cannot be compiled for the CPU, or a module that breaks what the
// passes promise.
type Error struct {
	Op  string
	Pos *diag.Loc // of the op; nil where it has none
	Err error
}

func (e *Error) Error() string {
	if e.Pos != nil && e.Pos.Valid() {
		return fmt.Sprintf("%s:%d:%d: %s: %v", e.Pos.File, e.Pos.Line, e.Pos.Col, e.Op, e.Err)
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// located says which op an error is about.
func located(op *ir.Op, err error) *Error { return &Error{op.Row.Name, op.Pos, err} }

// failf stops the compilation: panics with an *Error, which Compile returns.
func failf(op *ir.Op, format string, args ...any) {
	panic(located(op, fmt.Errorf(format, args...)))
}

package stablehlo

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

// Mode says who divides a program over devices.
type Mode uint8

// The modes.
const (
	Single    Mode = iota // one device
	Annotated             // XLA does, from shardings of arguments, results and some values
	Manual                // the pass partition did: shapes are one device's, communication is explicit
)

// Options say how a function is written.
type Options struct {
	Mode Mode
	Mesh ir.Mesh // of Annotated and Manual
	// Args and Results say how devices hold what the function takes and gives, one entry each;
	// nil: as the types of the values say.
	Args, Results []*ir.Sharding
	// RowMajor lets what turns of loops read more than once of what they carry lie in the order of its
	// dims in memory. The TPU compiler, left to choose, takes the order that one product of a turn
	// likes, and copies for the others. What is only added to lies as its summands do.
	RowMajor bool
}

// Error is a function that cannot be written.
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

// failf stops the emission: panics with an *Error, which Emit returns.
func failf(op *ir.Op, format string, args ...any) {
	panic(&Error{op.Row.Name, op.Pos, fmt.Errorf(format, args...)})
}

// Emit writes a function of a verified module without gradients and without values of dtype
// real as an MLIR module. On a mesh, compile it for Mesh.Devices() partitions, partition i being
// device i of the mesh, with the partitioner Shardy: both modes carry its shardings. State arguments lend their buffers to the results that replace them.
// The text is a function of f and o alone. The error is an *Error.
func Emit(f *ir.Func, o Options) (text []byte, err error) {
	defer func() {
		if x := recover(); x != nil {
			e, ok := x.(*Error)
			if !ok {
				panic(x)
			}
			err = e
		}
	}()
	return newEmitter(f, o).module(), nil
}

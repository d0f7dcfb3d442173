// Package codegen defines what a target is to the rest of the compiler, and the bundle that
// carries a built program. Each target lives in a folder of its own.
package codegen

import (
	"context"

	"vitc/ir"
)

// Machine is a program made ready to run on a target, with its state. State leaves and an
// evaluation's accumulators live in the machine: Call takes them from there by name and puts
// a function's state and acc results back, so callers pass and receive only the rest.
//
// A Machine is not safe for concurrent use.
type Machine interface {
	// Call runs a function. inputs holds the bytes (little-endian, row-major) of every argument
	// with the role input, by name; sizes must match. The results are those with the roles
	// metric and output, in the function's order; their Data is the caller's.
	Call(ctx context.Context, fn string, inputs map[string][]byte) ([]Result, error)
	// Leaf copies out the bytes of a state leaf or accumulator.
	Leaf(name string) ([]byte, error)
	// SetLeaf replaces them; the size must match.
	SetLeaf(name string, data []byte) error
	// Close frees what the machine holds.
	Close() error
}

// Result is one value that a call hands out.
type Result struct {
	Name string
	Type ir.Type
	Data []byte
}

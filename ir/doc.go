// Package ir is vitc's one intermediate representation: SSA over tensors with ordered,
// labelled dims, from lowering to emission.
//
// A Row of the op table holds everything the compiler knows about an op: its index rule
// in factor notation, its scalar body, its vector-Jacobian product and its attributes.
// Readers (verifier, printer, autodiff, interpreter, code generators) are generic over rows.
package ir

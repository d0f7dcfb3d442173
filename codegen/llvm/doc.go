// Package llvm compiles scheduled modules to native code for x86-64.
//
// One program goes through it like this. compile.go walks every function and makes a plan of
// steps; each fusion op becomes the call of one kernel, or of a few. Kernels are told apart by
// what they compute and not by name (hash.go), so that equal layers and equal shapes compile
// once. A kernel of kind loop is a nest of loops over the unified dims of its body
// (space.go), emitted by loop.go with values evaluated lazily (eval.go) and scalar ops by
// their rows (scalar.go); kind gemm is a product of package gemm with the rest of the body as
// its epilogue (dot.go); kind copy moves elements (copy.go). Texts go to package toolchain,
// which caches objects, and everything into a codegen.Bundle.
//
// Numbers: a kernel computes in f32 where its values are f32, bf16 or f16, and rounds to the
// narrow dtypes after every op, so that fusion changes no bit. Sums are in f32 and round
// once, in an order fixed by the code and not by threads.
package llvm

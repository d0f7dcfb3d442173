// Package toolchain turns LLVM text into machine code.
//
// It finds a libLLVM (19 to 22) on the machine, binds a dozen functions of the LLVM-C
// API without cgo, and uses them in child processes only: LLVM aborts its process when
// it cannot select an instruction, and a compiler must answer that with an error. A
// child is this same binary, started again with an environment variable that MaybeServe
// looks for; main must therefore call MaybeServe before anything else.
//
// Objects are cached on disk by the hash of everything that goes into them.
package toolchain

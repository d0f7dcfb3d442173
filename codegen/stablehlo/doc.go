// Package stablehlo writes functions of the IR as StableHLO, the language that XLA's compilers
// read: one module of MLIR text with one public function, @main.
//
// rows.go maps every row of the op table to the function that writes it; hlo.go holds the
// StableHLO ops they are made of, writer.go the text with its names, scopes and locations.
// Each file beside those is one kind of rows.
//
// Numbers: every value has its dtype of the IR, so XLA may keep more bits between two ops but
// never fewer. Sums of narrow floats are made in f32 and rounded once, as the IR says; products
// of f32 ask for full precision, which an accelerator's matrix unit does not give by itself.
// Maxima of a NaN are NaN, as StableHLO has it; XLA:CPU keeps to that when it compiles with
// xla_cpu_enable_fast_min_max=false only. Random bits are computed by our own generator in u32 arithmetic, the same for every target.
package stablehlo

// Vitc compiles and trains Vision Transformers described in .vit files.
package main

import (
	"os"

	"vitc/cmd/vitc/command"
	"vitc/codegen/llvm/toolchain"
	"vitc/runtime/pjrt/aot"
)

func main() {
	toolchain.MaybeServe() // a compile child never comes back from here
	aot.MaybeServe()
	os.Exit(command.Main(os.Args[1:]))
}

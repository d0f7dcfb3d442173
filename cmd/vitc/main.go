// Vitc compiles and trains Vision Transformers described in .vit files.
package main

import (
	"os"

	"vitc/cmd/vitc/command"
	"vitc/codegen/llvm/toolchain"
)

func main() {
	toolchain.MaybeServe() // a compile child never comes back from here
	os.Exit(command.Main(os.Args[1:]))
}

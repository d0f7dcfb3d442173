package lang

import (
	"sync"

	"vitc/stdlib"
)

// libraryNames are the names that one file of the library declares.
type libraryNames struct {
	file  string
	names []string
}

// stdlibDecls serves suggestions only: what could have been meant by an unknown name.
var stdlibDecls = sync.OnceValue(func() []libraryNames {
	var out []libraryNames
	for _, name := range stdlib.Names() {
		text, _ := stdlib.Source(name)
		file, _ := Parse(name+".vit", text)
		lib := libraryNames{file: name}
		for _, d := range file.Decls {
			if id := declName(d); id.Name != "" {
				lib.names = append(lib.names, id.Name)
			}
		}
		out = append(out, lib)
	}
	return out
})

// Package stdlib holds the library of the language, written in the language: layers,
// Vision Transformers, losses, optimizers and schedules, metrics and augmentation.
package stdlib

import (
	"embed"
	"strings"
)

// FS holds the files, NAME.vit.
//
//go:embed *.vit
var FS embed.FS

// Source returns the text of the library file that `use name` means, and whether there
// is one.
func Source(name string) ([]byte, bool) {
	text, err := FS.ReadFile(name + ".vit")
	return text, err == nil
}

// Names returns what can be used, in alphabetical order.
func Names() []string {
	entries, err := FS.ReadDir(".")
	if err != nil {
		return nil // an embedded root can always be read
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".vit"))
	}
	return out
}

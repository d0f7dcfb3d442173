package lang

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vitc/ir/diag"
)

// FuzzParse feeds the parser anything. It must not panic, must report errors at places
// that exist, and must format what it accepts without changing it.
func FuzzParse(f *testing.F) {
	for _, src := range programs(f) {
		f.Add(src)
	}
	for _, src := range sources(f) {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		_, list := Parse("fuzz.vit", src)
		checkPlaces(t, src, list)
		if len(list) == 0 {
			checkFormat(t, "fuzz.vit", src)
		}
	})
}

// sources returns the inputs of the golden tests.
func sources(t testing.TB) [][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			out = append(out, file.Data)
		}
	}
	return out
}

// checkPlaces demands that every diagnostic stands within the source, and renders it.
func checkPlaces(t testing.TB, src []byte, list diag.List) {
	t.Helper()
	lines := bytes.Split(src, []byte("\n"))
	for _, d := range list {
		for _, p := range places(d) {
			if p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > len(lines[p.Line-1])+1 || p.End > len(lines[p.Line-1])+1 {
				t.Fatalf("%s: place %+v is not in the source", d, p)
			}
		}
		if err := diag.Render(io.Discard, d, func(string) []byte { return src }); err != nil {
			t.Fatal(err)
		}
	}
}

// places returns the places of a diagnostic, but for that of a file as a whole.
func places(d *diag.Diagnostic) []diag.Pos {
	var out []diag.Pos
	if d.Pos.Valid() {
		out = append(out, d.Pos)
	}
	for _, n := range d.Notes {
		if n.Pos.Valid() {
			out = append(out, n.Pos)
		}
	}
	return out
}

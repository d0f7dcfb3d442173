package stablehlo_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vitc/codegen/stablehlo"
	"vitc/ir"
	"vitc/runtime/pjrt"
)

var update = flag.Bool("update", false, "rewrite the golden texts")

var modes = map[string]stablehlo.Mode{"mode: annotated": stablehlo.Annotated, "mode: manual": stablehlo.Manual}

// TestGolden runs testdata/NAME.txtar: the function in is written as out. A line "mode: .."
// of the comment says who divides it, and "row major" behind it how what loops carry lies.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { goldenCase(t, file) })
	}
}

func goldenCase(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := parsed(t, string(a.Files[0].Data))
	if err := ir.Verify(m); err != nil {
		t.Fatal(err)
	}
	said, _, _ := strings.Cut(string(a.Comment), "\n")
	mode, order, _ := strings.Cut(said, ", ")
	text, err := stablehlo.Emit(m.Funcs[0], stablehlo.Options{Mode: modes[mode], Mesh: m.Mesh, RowMajor: order == "row major"})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		a.Files = []txtar.File{a.Files[0], {Name: "out", Data: text}}
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(a.Files) != 2 {
		t.Fatalf("%s has no file out: go test ./codegen/stablehlo -run TestGolden -update writes it", file)
	}
	if d := cmp.Diff(string(a.Files[1].Data), string(text)); d != "" {
		t.Errorf("%s (-want +got; go test ./codegen/stablehlo -run TestGolden -update accepts it):\n%s", file, d)
	}
	l, err := xla(t).Compile(text, pjrt.CompileOptions{Partitions: m.Mesh.Devices(), Shardy: modes[mode] != stablehlo.Single, Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

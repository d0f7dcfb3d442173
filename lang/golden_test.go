package lang

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vitc/ir/diag"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// golden runs every pair NAME.vit and NAME.out of the txtar archives that the pattern
// matches: make turns the source into the output. With -update it writes the outputs.
func golden(t *testing.T, pattern string, make func(t *testing.T, name string, src []byte) string) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			goldenArchive(t, archive, make)
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func goldenArchive(t *testing.T, archive *txtar.Archive, make func(*testing.T, string, []byte) string) {
	want := map[string]string{}
	var inputs []txtar.File
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".vit") {
			inputs = append(inputs, f)
			continue
		}
		want[f.Name] = string(f.Data)
	}
	archive.Files = nil
	for _, in := range inputs {
		name := strings.TrimSuffix(in.Name, ".vit") + ".out"
		got := make(t, in.Name, in.Data)
		archive.Files = append(archive.Files, in, txtar.File{Name: name, Data: []byte(got)})
		if diff := cmp.Diff(want[name], got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", in.Name, diff)
		}
	}
}

// TestSyntaxErrors compares the diagnostics of broken files, as users see them.
func TestSyntaxErrors(t *testing.T) {
	golden(t, "testdata/syntax/*.txtar", func(t *testing.T, name string, src []byte) string {
		_, list := Parse(name, src)
		checkPlaces(t, src, list)
		var b bytes.Buffer
		if err := list.Render(&b, func(string) []byte { return src }); err != nil {
			t.Fatal(err)
		}
		if list.Errors() == 0 {
			t.Errorf("%s has no errors", name)
		}
		return b.String()
	})
}

// TestSyntaxCodes demands a golden case of every code.
func TestSyntaxCodes(t *testing.T) {
	var all strings.Builder
	for _, src := range sources(t) {
		all.Write(src)
	}
	for _, code := range []string{codeExpected, codeLine, codeChar, codeString, codeNumber, codeBracket, codeEdition,
		codeDecl, codeReserved, codeColon, codeChain, codeComma, codeElse, codeNot, codeForeign} {
		if !strings.Contains(all.String(), "error["+code+"]") {
			t.Errorf("no case of %s", code)
		}
	}
}

// TestTrees compares the trees of files that use every construct.
func TestTrees(t *testing.T) {
	golden(t, "testdata/ast/*.txtar", func(t *testing.T, name string, src []byte) string {
		f, list := Parse(name, src)
		if len(list) > 0 {
			t.Fatal(list)
		}
		return dump(t, f)
	})
}

// TestFormatGolden compares what the formatter makes of untidy files.
func TestFormatGolden(t *testing.T) {
	golden(t, "testdata/format/*.txtar", func(t *testing.T, name string, src []byte) string {
		return string(checkFormat(t, name, src))
	})
}

// TestUnreadable covers the errors that need more text than an archive should hold, or
// text that it cannot hold.
func TestUnreadable(t *testing.T) {
	nested := func(n int) string {
		return "edition 1\nlet x = " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) + "\n"
	}
	chain := func(n int) string { return "edition 1\nlet x = 1" + strings.Repeat(" + 1", n) + "\n" }
	for _, c := range []struct {
		name, src, code string
		line, col       int
	}{
		{"size", strings.Repeat(" ", maxSource+1), codeSource, 0, 0},
		{"encoding", "edition 1\nlet x = \"\xff\"\n", codeSource, 2, 10},
		{"brackets", nested(maxDepth + 1), codeDepth, 2, 9 + maxDepth},
		{"signs", "edition 1\nlet x = " + strings.Repeat("- ", maxDepth) + "1\n", codeDepth, 2, 0},
		{"powers", "edition 1\nlet x = " + strings.Repeat("1 ** ", maxDepth) + "1\n", codeDepth, 2, 0},
		{"conditions", "edition 1\nlet x = " + strings.Repeat("1 if true else ", maxDepth) + "1\n", codeDepth, 2, 0},
		{"chain", chain(maxChain + 1), codeDepth, 2, 0},
		{"calls", "edition 1\nlet x = f" + strings.Repeat("()", maxChain+1) + "\n", codeDepth, 2, 0},
	} {
		_, list := Parse("x.vit", []byte(c.src))
		if len(list) != 1 || list[0].Code != c.code || list[0].Pos.Line != c.line || c.col > 0 && list[0].Pos.Col != c.col {
			t.Errorf("%s: got %s, want one %s at %d:%d", c.name, list, c.code, c.line, c.col)
		}
	}
	for _, src := range []string{nested(maxDepth / 2), chain(maxChain - 1)} {
		if _, list := Parse("x.vit", []byte(src)); len(list) > 0 {
			t.Error(list)
		}
	}
}

// TestManyErrors demands a bound on what a hostile file can make the compiler say.
func TestManyErrors(t *testing.T) {
	_, list := Parse("x.vit", []byte("edition 1\n"+strings.Repeat("?\n", 5000)))
	if len(list) != maxErrors {
		t.Errorf("%d diagnostics, want %d", len(list), maxErrors)
	}
	var b bytes.Buffer
	if err := list.Render(&b, nil); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "error["); n != diag.MaxShown {
		t.Errorf("%d diagnostics shown, want %d", n, diag.MaxShown)
	}
}

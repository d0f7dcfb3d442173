package testsuite

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is this module's path, and root where it lies.
const (
	module = "vitc/"
	root   = ".."
)

// imports is the import policy: what the packages of a folder may import of ours. The
// longest folder that fits a package counts, and a folder may always import itself. Few
// packages, deep ones: a new row needs a reason.
var imports = map[string][]string{
	"ir/diag":     {},
	"ir/threefry": {},
	"ir":          {"ir"},
	"ir/topology": {"ir"},
	"ir/cost":     {"ir"},
	"stdlib":      {},
	"lang":        {"ir", "stdlib"},
	"passes":      {"ir"},
	"codegen":     {"ir"},
	"runtime":     {"ir", "codegen"},
	"bench":       {"ir", "codegen", "runtime"},
	"driver":      {"ir", "stdlib", "lang", "passes", "codegen", "runtime", "bench"},
	"scripts":     {},
	"cmd":         {"ir", "stdlib", "lang", "passes", "codegen", "runtime", "driver", "bench"},
	"testsuite":   {"ir", "stdlib", "lang", "passes", "codegen", "runtime", "driver", "bench", "cmd"},
}

// within reports whether a package lies in a folder.
func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// policy finds the row of a package.
func policy(pkg string) (folder string, allowed []string, ok bool) {
	for f, a := range imports {
		if within(pkg, f) && len(f) >= len(folder) {
			folder, allowed, ok = f, a, true
		}
	}
	return folder, allowed, ok
}

func mayImport(pkg, dependency string) bool {
	folder, allowed, _ := policy(pkg)
	if within(dependency, folder) {
		return true
	}
	for _, a := range allowed {
		if within(dependency, a) {
			return true
		}
	}
	return false
}

// TestImports holds every package to the policy. Tests may import what they compare with,
// but for the command.
func TestImports(t *testing.T) {
	seen := 0
	for file, deps := range importsOfAll(t) {
		seen++
		pkg := filepath.ToSlash(filepath.Dir(file))
		if _, _, ok := policy(pkg); !ok {
			t.Errorf("%s: the folder %s is not in the import policy: add a row, and its reason to docs/ARCHITECTURE.md", file, pkg)
			continue
		}
		for _, dep := range deps {
			ours, isOurs := strings.CutPrefix(dep, module)
			switch {
			case dep == "C":
				t.Errorf("%s imports C: vitc is built without cgo", file)
			case !isOurs:
			case strings.HasSuffix(file, "_test.go"):
				if within(ours, "cmd") && !within(pkg, "cmd") && !within(pkg, "testsuite") {
					t.Errorf("%s imports %s: test commands in testsuite", file, ours)
				}
			case !mayImport(pkg, ours):
				t.Errorf("%s: %s may not import %s", file, pkg, ours)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// TestPolicyTellsPackagesApart makes sure that the rules reject what they are there for.
func TestPolicyTellsPackagesApart(t *testing.T) {
	for _, c := range []struct {
		pkg, dep string
		want     bool
	}{
		{"lang", "passes", false}, {"passes", "lang", false}, {"codegen/llvm", "passes", false}, {"passes", "codegen", false},
		{"ir", "lang", false}, {"ir/diag", "ir", false}, {"runtime/native", "passes", false}, {"driver", "cmd/vitc/command", false},
		{"codegen/llvm", "codegen", true}, {"codegen/llvm", "codegen/llvm/emit", true}, {"ir", "ir/diag", true},
		{"runtime/native", "codegen/llvm/elfload", true}, {"lang", "language", false}, {"cmd/vitc", "driver", true},
	} {
		if got := mayImport(c.pkg, c.dep); got != c.want {
			t.Errorf("%s may import %s: %v, want %v", c.pkg, c.dep, got, c.want)
		}
	}
}

// importsOfAll parses the import lines of every Go file of the module.
func importsOfAll(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if e.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		for _, spec := range f.Imports {
			dep, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
			all[rel] = append(all[rel], dep)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

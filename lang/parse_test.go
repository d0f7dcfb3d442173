package lang

import (
	"os"
	"path/filepath"
	"testing"

	"vitc/stdlib"
)

// programs returns every .vit program of the repository, by name.
func programs(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range stdlib.Names() {
		src, ok := stdlib.Source(name)
		if !ok {
			t.Fatalf("stdlib has no source of %s", name)
		}
		out[name+".vit"] = src
	}
	studies, err := filepath.Glob("testdata/studies/*.vit")
	if err != nil || len(studies) == 0 {
		t.Fatalf("no studies: %v", err)
	}
	for _, path := range studies {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = src
	}
	return out
}

func TestProgramsParse(t *testing.T) {
	for name, src := range programs(t) {
		f, list := Parse(name, src)
		if len(list) > 0 {
			t.Errorf("%s:\n%s", name, list.Error())
		}
		if len(f.Decls) == 0 || f.Edition != Edition {
			t.Errorf("%s: %d declarations, edition %d", name, len(f.Decls), f.Edition)
		}
	}
}

package lang

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitc/ir"
	"vitc/ir/diag"
)

// loadProgram loads a program of testdata/studies.
func loadProgram(t testing.TB, name string) *Unit {
	t.Helper()
	path := filepath.ToSlash(filepath.Join("testdata/studies", name))
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u, list := Load(path, src, os.ReadFile)
	if len(list) > 0 {
		t.Fatal(rendered(t, u, list))
	}
	return u
}

func rendered(t testing.TB, u *Unit, list diag.List) string {
	t.Helper()
	var b strings.Builder
	if err := list.Render(&b, u.Source); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func lowerProgram(t testing.TB, u *Unit, train string, o Options) *ir.Program {
	t.Helper()
	p, list := Lower(u, train, o)
	if list.Errors() > 0 {
		t.Fatal(rendered(t, u, list))
	}
	if err := ir.Verify(p.Module); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLowerPrograms(t *testing.T) {
	for _, c := range []struct{ file, train string }{{"fashion.vit", "fashion"}, {"vit22b.vit", "pretrain"}} {
		u := loadProgram(t, c.file)
		start := time.Now()
		p := lowerProgram(t, u, c.train, Options{})
		t.Log(c.file, time.Since(start), p.Module.CountOps(), len(p.State))
		if os.Getenv("DUMP") != "" {
			os.WriteFile("/tmp/"+c.file+".ir", []byte(p.Module.String()), 0o644)
		}
	}
}

func BenchmarkLower22B(b *testing.B) {
	u := loadProgram(b, "vit22b.vit")
	for b.Loop() {
		if _, list := Lower(u, "pretrain", Options{}); list.Errors() > 0 {
			b.Fatal(rendered(b, u, list))
		}
	}
}

func BenchmarkCheck22B(b *testing.B) {
	for b.Loop() {
		u := loadProgram(b, "vit22b.vit")
		if list := Check(u); list.Errors() > 0 {
			b.Fatal(rendered(b, u, list))
		}
	}
}

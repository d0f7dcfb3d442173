package lang

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestErrors checks every program of the archives and compares what is reported.
func TestErrors(t *testing.T) {
	golden(t, "testdata/errors/*.txtar", func(t *testing.T, name string, src []byte) string {
		u, list := Load(name, src, func(string) ([]byte, error) { return nil, fs.ErrNotExist })
		if list.Errors() == 0 {
			list = Check(u)
		}
		if len(list) == 0 {
			t.Errorf("%s: nothing is reported", name)
		}
		return rendered(t, u, list)
	})
}

// TestDocumentedCheckCodes demands that the specification names every code of the checker.
func TestDocumentedCheckCodes(t *testing.T) {
	src, err := os.ReadFile("../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	codes, err := os.ReadFile("check_codes.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"(V0[2345]\d\d)"`).FindAllSubmatch(codes, -1)
	if len(found) < 30 {
		t.Fatalf("only %d codes found", len(found))
	}
	for _, m := range found {
		if !bytes.Contains(src, []byte("| "+string(m[1])+" |")) {
			t.Errorf("%s is not explained", m[1])
		}
	}
}

// Every code of the checker but that of its own bugs is shown by some golden program.
func TestEveryCodeIsShown(t *testing.T) {
	codes, err := os.ReadFile("check_codes.go")
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	paths, err := filepath.Glob("testdata/errors/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	for _, m := range regexp.MustCompile(`"(V0[2345]\d\d)"`).FindAllSubmatch(codes, -1) {
		if !bytes.Contains(shown.Bytes(), []byte("["+string(m[1])+"]")) {
			t.Errorf("no program shows %s", m[1])
		}
	}
}

// The whole files in the specification check without errors.
func TestDocumentationChecks(t *testing.T) {
	n := 0
	for _, e := range examples(t, "../docs/language.md") {
		if e.mark != "vit" {
			continue
		}
		n++
		u, list := Load(fmt.Sprintf("language.md:%d", e.line), []byte(e.text), nil)
		if list = append(list, Check(u)...); list.Errors() > 0 {
			t.Error(rendered(t, u, list))
		}
	}
	if n < 2 {
		t.Errorf("only %d files", n)
	}
}

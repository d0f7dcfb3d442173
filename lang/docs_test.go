package lang

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vitc/ir/diag"
)

// example is a fenced block of the language's documentation.
type example struct {
	mark string // what stands behind the opening fence
	text string
	line int
	out  string // of a broken file: the block below it
}

// examples returns the fenced blocks of a Markdown file.
func examples(t *testing.T, path string) []example {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []example
	open := false
	for i, line := range strings.Split(string(src), "\n") {
		mark, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			out = append(out, example{mark: mark, line: i + 1})
			open = true
		case fence:
			open = false
		case open:
			out[len(out)-1].text += line + "\n"
		}
	}
	for i := range out[:len(out)-1] {
		out[i].out = out[i+1].text
	}
	return out
}

// TestDocumentation reads every example of the specification: files and fragments must
// parse and be in canonical form, broken files must be reported as shown.
func TestDocumentation(t *testing.T) {
	count := map[string]int{}
	for _, e := range examples(t, "../docs/language.md") {
		name := fmt.Sprintf("docs/language.md:%d", e.line)
		count[e.mark]++
		switch e.mark {
		case "vit":
			checkExample(t, name, e.text)
			compileExample(t, name, e.text)
		case "vit fragment":
			checkExample(t, name, "edition 1\n"+e.text)
		case "vit error":
			checkBroken(t, name, e)
		}
	}
	for _, e := range examples(t, "../README.md") {
		if e.mark == "vit" {
			checkExample(t, "README.md", e.text)
			compileExample(t, "README.md", e.text)
		}
	}
	for _, mark := range []string{"vit", "vit fragment", "vit error"} {
		if count[mark] < 2 {
			t.Errorf("%d examples marked %q: are they found?", count[mark], mark)
		}
	}
}

func checkExample(t *testing.T, name, text string) {
	formatted, list := Format(name, []byte(text))
	if len(list) > 0 {
		t.Errorf("%s\n%s", list.Error(), text)
		return
	}
	if diff := cmp.Diff(text, string(formatted)); diff != "" {
		t.Errorf("%s is not in canonical form:\n%s", name, diff)
	}
}

// compileExample checks a file in full, and lowers its train blocks, but for what comes later.
func compileExample(t *testing.T, name, text string) {
	u, list := Load(name, []byte(text), func(string) ([]byte, error) { return nil, os.ErrNotExist })
	if err := list.Err(); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if err := Check(u).Err(); err != nil {
		t.Errorf("%s does not check: %v", name, err)
	}
	for _, train := range u.Trains() {
		if _, list := Lower(u, train, Options{}); list.Err() != nil && !onlyLater(list) {
			t.Errorf("%s, train %s does not lower: %v", name, train, list.Err())
		}
	}
}

// onlyLater reports whether all that is wrong is that the compiler does not do it yet.
func onlyLater(list diag.List) bool {
	for _, d := range list {
		if d.Severity == diag.Error && d.Code != codeLater {
			return false
		}
	}
	return true
}

func checkBroken(t *testing.T, name string, e example) {
	_, list := Parse("example.vit", []byte(e.text))
	var b bytes.Buffer
	if err := list.Render(&b, func(string) []byte { return []byte(e.text) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e.out, b.String()); diff != "" {
		t.Errorf("%s: the messages differ (-shown +printed):\n%s", name, diff)
	}
}

// TestDocumentedCodes demands that the specification names every code of the syntax.
func TestDocumentedCodes(t *testing.T) {
	src, err := os.ReadFile("../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{codeSource, codeExpected, codeLine, codeChar, codeString, codeNumber, codeBracket, codeDepth,
		codeEdition, codeDecl, codeReserved, codeColon, codeChain, codeComma, codeElse, codeNot, codeForeign} {
		if !bytes.Contains(src, []byte("| "+code+" |")) {
			t.Errorf("%s is not explained", code)
		}
	}
}

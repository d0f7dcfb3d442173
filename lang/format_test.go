package lang

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tester is what testing.TB and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func dump(t tester, f *File) string {
	t.Helper()
	var b bytes.Buffer
	if err := Dump(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkFormat demands of a source without errors that formatting keeps its tree and
// comments, and changes nothing the second time. It returns the formatted text.
func checkFormat(t tester, name string, src []byte) []byte {
	t.Helper()
	before, list := Parse(name, src)
	if list.Errors() > 0 {
		t.Fatalf("%s does not parse:\n%s\n%s", name, list.Error(), src)
	}
	once, list := Format(name, src)
	if list.Errors() > 0 {
		t.Fatalf("%s: Format reports\n%s", name, list.Error())
	}
	after, list := Parse(name, once)
	if list.Errors() > 0 {
		t.Fatalf("%s formatted does not parse:\n%s\n%s", name, list.Error(), once)
	}
	if diff := cmp.Diff(dump(t, before), dump(t, after)); diff != "" {
		t.Fatalf("%s: formatting changes the tree:\n%s\n%s", name, diff, once)
	}
	if diff := cmp.Diff(comments(name, src), comments(name, once)); diff != "" {
		t.Fatalf("%s: formatting changes the comments:\n%s", name, diff)
	}
	twice, _ := Format(name, once)
	if diff := cmp.Diff(string(once), string(twice)); diff != "" {
		t.Fatalf("%s: formatting again changes more:\n%s", name, diff)
	}
	return once
}

func comments(name string, src []byte) []string {
	var out []string
	for _, t := range read(name, src).all {
		if t.Type == tokComment || t.Type == tokDoc {
			out = append(out, t.Value)
		}
	}
	return out
}

func TestFormatPrograms(t *testing.T) {
	for name, src := range programs(t) {
		once := checkFormat(t, name, src)
		if diff := cmp.Diff(string(src), string(once)); diff != "" {
			t.Errorf("%s is not in canonical form:\n%s", name, diff)
		}
	}
}

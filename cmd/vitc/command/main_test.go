package command

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"vitc/driver"
	"vitc/ir/diag"
)

func TestGuard(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	a := &app{err: &bytes.Buffer{}, sources: driver.NewSources()}
	args := []string{"check", "model.vit"}
	err := guard(args, func() error {
		var list []int
		_ = list[len(args)]
		return nil
	})
	if status := a.fail(err); status != driver.ExitInternal {
		t.Errorf("status %d, want %d", status, driver.ExitInternal)
	}
	text := a.err.(*bytes.Buffer).String()
	if !strings.HasPrefix(text, "error[V9999]: internal error: runtime error: index out of range") || strings.Contains(text, "goroutine") {
		t.Errorf("printed:\n%s", text)
	}
	var bug *driver.InternalError
	if !errors.As(err, &bug) {
		t.Fatalf("error %v", err)
	}
	report, readErr := os.ReadFile(bug.File)
	if readErr != nil {
		t.Fatal(readErr)
	}
	for _, want := range []string{`["check" "model.vit"]`, "index out of range", "command.TestGuard"} {
		if !strings.Contains(string(report), want) {
			t.Errorf("the report lacks %s:\n%s", want, report)
		}
	}
}

func TestFail(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		text   string
	}{
		{nil, 0, ""},
		{driver.ErrReported, 1, ""},
		{driver.ErrInterrupted, 130, ""},
		{errors.New("odd\nmore"), 1, "error[V0905]: odd\n"},
		{diag.List{{Code: "V0201", Msg: "one"}, {Code: "V0202", Msg: "two"}}, 1, "error[V0201]: one\n\nerror[V0202]: two\n"},
		{usage("V0901", "no", "yes", "maybe"), 2, "error[V0901]: no\nexpected yes\nfix:  maybe\n"},
	} {
		var b bytes.Buffer
		a := &app{err: &b, sources: driver.NewSources()}
		if status := a.fail(c.err); status != c.status || b.String() != c.text {
			t.Errorf("%v: status %d, printed %q; want %d, %q", c.err, status, b.String(), c.status, c.text)
		}
	}
}

func TestColour(t *testing.T) {
	var b bytes.Buffer
	a := &app{err: &b, sources: driver.NewSources(), colourErr: true}
	a.printDiagnostics(diag.List{{Code: "V0201", Msg: "error in the word error", Fix: "none"}})
	want := "\x1b[1;31merror[V0201]\x1b[0m: error in the word error\n\x1b[32mfix:  \x1b[0mnone\n"
	if b.String() != want {
		t.Errorf("printed %q, want %q", b.String(), want)
	}
}

func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{"a.vit": "a.vit", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'"} {
		if got := shellWord(word); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", word, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 1536: "1.5 KiB", 123456789: "118 MiB", 1 << 50: "1024 TiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 21743512345: "21,743,512,345"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
}

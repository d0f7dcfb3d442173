package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// limitedChild, when set, makes the test binary write the file it names under a limit
// of 64 KiB on file sizes, and print the error.
const limitedChild = "ATOMICFILE_LIMITED_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(limitedChild); path != "" {
		os.Exit(writeLimited(path))
	}
	os.Exit(m.Run())
}

func writeLimited(path string) int {
	signal.Ignore(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return 3
	}
	err := Write(path, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 4<<20))
		return err
	})
	os.Stdout.WriteString(err.Error())
	return 0
}

func put(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// content checks that dir holds one file, path, with this text.
func content(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("content %q, %v; want %q", got, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("folder holds %v, %v; want one file", entries, err)
	}
}

func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	for _, text := range []string{"first", "second, longer", ""} {
		if err := Write(path, put(text)); err != nil {
			t.Fatal(err)
		}
		content(t, path, text)
	}
}

func TestFailedFillLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := Write(path, put("old")); err != nil {
		t.Fatal(err)
	}
	err := Write(path, func(w io.Writer) error {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 3*bufferSize)); err != nil {
			return err
		}
		return syscall.ENOSPC
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "a.bin") || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("error %v", err)
	}
	content(t, path, "old")
}

func TestRealWriteErrorLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	if err := Write(path, put("old")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), limitedChild+"="+path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "file too large") || !strings.Contains(string(out), "ulimit -f") {
		t.Errorf("message %q", out)
	}
	content(t, path, "old")
}

func TestMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "a.bin")
	err := Write(path, put("x"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create the folder "+filepath.Dir(path)) {
		t.Errorf("error %v", err)
	}
}

func TestNameIsAFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub")
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, put("x")); err == nil {
		t.Error("replaced a folder")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left %v", entries)
	}
}

func TestCleanRemovesOnlyLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".step-1.ABCDEFGH.tmp", ".other.ABCDEFGH.tmp", "step-1", "step-1.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clean(dir, "step-"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != ".other.ABCDEFGH.tmp step-1 step-1.tmp" {
		t.Errorf("left %s", got)
	}
}

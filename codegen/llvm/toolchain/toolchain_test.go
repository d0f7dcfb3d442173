package toolchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	MaybeServe()
	os.Exit(m.Run())
}

// skipWithout skips a test on a machine without LLVM.
func skipWithout(t *testing.T, err error) {
	t.Helper()
	var none *NotFoundError
	switch {
	case errors.As(err, &none):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// newCompiler returns a compiler with a cache of its own.
func newCompiler(t *testing.T, o Options) *Compiler {
	t.Helper()
	if o.CacheDir == "" {
		o.CacheDir = t.TempDir()
	}
	c, err := New(o)
	skipWithout(t, err)
	t.Cleanup(c.Close)
	return c
}

const addModule = `%ptr = type ptr
define void @add(%ptr %p) {
  %x = load i64, %ptr %p
  %y = add i64 %x, 1
  store i64 %y, %ptr %p
  ret void
}
`

func TestObject(t *testing.T) {
	c := newCompiler(t, Options{})
	out, err := c.Compile(context.Background(), Request{Name: "add", Text: []byte(addModule), Opt: 2})
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_REL || f.Machine != elf.EM_X86_64 {
		t.Errorf("got %v for %v, want a relocatable x86-64 object", f.Type, f.Machine)
	}
	v, err := c.Version(context.Background())
	if err != nil || !strings.HasPrefix(v, c.Library().Version()+".") {
		t.Errorf("Version() = %q, %v, want %s.x", v, err, c.Library().Version())
	}
}

func TestKindsAndTargets(t *testing.T) {
	c := newCompiler(t, Options{})
	for _, tc := range []struct {
		r    Request
		want string
	}{
		{Request{Kind: Assembly, Opt: 1}, "retq"},
		{Request{Kind: IR, Passes: "default<O1>"}, "define void @add"},
		{Request{Kind: Assembly, Triple: "aarch64-unknown-linux-gnu"}, "add\tx"},
	} {
		tc.r.Text = []byte(addModule)
		out, err := c.Compile(context.Background(), tc.r)
		if err != nil {
			t.Errorf("%+v: %v", tc.r, err)
		} else if !strings.Contains(string(out), tc.want) {
			t.Errorf("kind %d: no %q in\n%s", tc.r.Kind, tc.want, out)
		}
	}
}

// unselectable makes LLVM abort when AVX-512 is off.
const unselectable = `define <16 x float> @f(<16 x float> %x) {
  %y = call <16 x float> @llvm.x86.avx512.mask.scalef.ps.512(<16 x float> %x, <16 x float> %x, <16 x float> %x, i16 -1, i32 4)
  ret <16 x float> %y
}
declare <16 x float> @llvm.x86.avx512.mask.scalef.ps.512(<16 x float>, <16 x float>, <16 x float>, i16, i32)
`

func TestErrors(t *testing.T) {
	c := newCompiler(t, Options{Children: 1})
	for _, tc := range []struct {
		name, text, passes, triple, stage, want string
	}{
		{"syntax", "define void @f( {", "", "", StageParse, "expected type"},
		{"empty", "", "", "", StageParse, "empty"},
		{"ssa", "define i32 @f() {\na:\n  br label %c\nb:\n  %x = add i32 1, 2\n  br label %c\nc:\n  ret i32 %x\n}", "", "", StageVerify, "does not dominate"},
		{"pass", addModule, "no-such-pass", "", StagePasses, "no-such-pass"},
		{"triple", addModule, "", "z80-none", StageTarget, "z80"},
		{"abort", unselectable, "", "", StageCrash, "LLVM ERROR: "},
		{"after the abort", "define", "", "", StageParse, "expected type"},
	} {
		_, err := c.Compile(context.Background(), Request{Name: tc.name, Text: []byte(tc.text), Passes: tc.passes, Triple: tc.triple})
		var ce *CompileError
		if !errors.As(err, &ce) || ce.Stage != tc.stage || !strings.Contains(ce.Msg, tc.want) {
			t.Errorf("%s: got %v, want stage %s with %q", tc.name, err, tc.stage, tc.want)
		}
	}
	if _, err := c.Compile(context.Background(), Request{Text: []byte(addModule)}); err != nil {
		t.Errorf("after the errors: %v", err)
	}
}

func TestAllInOrder(t *testing.T) {
	c := newCompiler(t, Options{Children: 3, NoCache: true})
	var rs []Request
	for i := range 20 {
		text := strings.ReplaceAll(addModule, "@add", fmt.Sprintf("@add%d", i))
		rs = append(rs, Request{Name: fmt.Sprint(i), Text: []byte(text), Kind: Assembly})
	}
	outs, err := c.CompileAll(context.Background(), rs)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outs {
		if !strings.Contains(string(o), fmt.Sprintf("add%d:", i)) {
			t.Errorf("output %d is another's:\n%s", i, o)
		}
	}
	rs[7].Text, rs[12].Text = []byte("bad7"), []byte("bad12")
	var ce *CompileError
	if _, err = c.CompileAll(context.Background(), rs); !errors.As(err, &ce) || ce.Name != "7" {
		t.Errorf("got %v, want the error of request 7", err)
	}
}

func TestCancelAndClose(t *testing.T) {
	c := newCompiler(t, Options{Children: 1, NoCache: true, Timeout: time.Nanosecond})
	if _, err := c.Compile(context.Background(), Request{Name: "slow", Text: []byte(addModule)}); err == nil || !strings.Contains(err.Error(), "did not finish") {
		t.Errorf("got %v, want a timeout", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Version(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	c.Close()
	c.Close()
	if _, err := c.Compile(context.Background(), Request{Text: []byte(addModule)}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestNoRecursion(t *testing.T) {
	t.Setenv(envServe, "x")
	c := newCompiler(t, Options{NoCache: true})
	if _, err := c.Version(context.Background()); err == nil || !strings.Contains(err.Error(), "MaybeServe") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestCache(t *testing.T) {
	dir := t.TempDir()
	c := newCompiler(t, Options{CacheDir: dir})
	r := Request{Name: "add", Text: []byte(addModule)}
	first, err := c.Compile(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	file := c.cache.path(c.key(&r))
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A file with a right checksum is believed: the answer comes from the cache.
	planted := []byte("planted")
	sum := sha256.Sum256(planted)
	os.WriteFile(file, append(sum[:], planted...), 0o644)
	if out, err := c.Compile(context.Background(), r); err != nil || !bytes.Equal(out, planted) {
		t.Errorf("got %d bytes, %v: not from the cache", len(out), err)
	}
	for _, damaged := range [][]byte{nil, stored[:10], stored[:len(stored)-1], append(bytes.Clone(stored), 0)} {
		os.WriteFile(file, damaged, 0o644)
		if out, err := c.Compile(context.Background(), r); err != nil || !bytes.Equal(out, first) {
			t.Errorf("with a damaged file of %d bytes: %d bytes, %v", len(damaged), len(out), err)
		}
	}
	other := r
	other.CPU = "x86-64-v3"
	if c.key(&other) == c.key(&r) {
		t.Error("requests for two CPUs share a key")
	}
}

func TestCacheBound(t *testing.T) {
	dir := t.TempDir()
	k := newCache(dir, 10_000)
	for i := range 30 {
		k.put(fmt.Sprint(i), make([]byte, 1000))
		os.Chtimes(k.path(fmt.Sprint(i)), time.Unix(int64(i), 0), time.Unix(int64(i), 0))
	}
	if _, ok := k.get("0"); ok {
		t.Error("the oldest object is still there")
	}
	if _, ok := k.get("29"); !ok {
		t.Error("the newest object is gone")
	}
	var total int64
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		st, _ := os.Stat(f)
		total += st.Size()
	}
	if total > 10_000 {
		t.Errorf("%d bytes kept, bound 10000", total)
	}
	// A folder that cannot be written is no error.
	bad := newCache(filepath.Join(dir, "29"+cacheExt, "x"), 0)
	bad.put("k", []byte("v"))
	if _, ok := bad.get("k"); ok {
		t.Error("a value from a folder that cannot be")
	}
}

func TestParseSoname(t *testing.T) {
	for s, want := range map[string][2]int{
		"libLLVM.so.19.1": {19, 1}, "libLLVM-19.so.1": {19, 1}, "libLLVM-19.so": {19, 0},
		"libLLVM.so.22.1-rust": {22, 0}, "libLLVM-14.so.1": {14, 1},
	} {
		if a, b, ok := parseSoname(s); !ok || a != want[0] || b != want[1] {
			t.Errorf("%s: %d.%d %v, want %v", s, a, b, ok, want)
		}
	}
	for _, s := range []string{"libc.so.6", "libLLVM.so", "libLLVMx.so.1"} {
		if _, _, ok := parseSoname(s); ok {
			t.Errorf("%s has a version", s)
		}
	}
}

func TestSearch(t *testing.T) {
	real, err := Find()
	skipWithout(t, err)
	dir := t.TempDir()
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	junk := filepath.Join(dir, "libLLVM.so.20.1")
	os.WriteFile(junk, []byte("not a library"), 0o644)
	looks, f := search(env(map[string]string{EnvLibrary: junk}))
	if f != nil || len(looks) != 1 || !strings.Contains(looks[0].Result, "not a shared library") {
		t.Errorf("a junk file: %v, %v", f, looks)
	}
	if _, f = search(env(map[string]string{EnvLibrary: filepath.Join(dir, "none")})); f != nil {
		t.Errorf("a missing file: %v", f)
	}
	if err := (&NotFoundError{looks}); !strings.Contains(err.Error(), "libllvm19") || !strings.Contains(err.Error(), junk) {
		t.Errorf("the error does not help: %v", err)
	}
	os.Remove(junk)
	sub := filepath.Join(dir, "vitc", "llvm", "x")
	os.MkdirAll(sub, 0o755)
	os.Symlink(real.Path, filepath.Join(sub, "libLLVM.so.9"))
	if _, f = search(env(map[string]string{EnvLibrary: sub})); f == nil || f.Path != real.Path {
		t.Errorf("a folder with a link: %v", f)
	}
	if _, f = search(env(map[string]string{"XDG_CACHE_HOME": dir})); f == nil || f.From != "user cache" {
		t.Errorf("the user's cache: %v", f)
	}
	os.WriteFile(filepath.Join(dir, "libLLVM.so.20.1"), mustRead(t, "/proc/self/exe"), 0o644)
	looks, f = search(env(map[string]string{EnvLibrary: filepath.Join(dir, "libLLVM.so.20.1")}))
	if f == nil {
		t.Fatalf("a library named by its file: %v", looks)
	}
	// It looks like one from outside and is none: starting a child says so.
	c := newCompiler(t, Options{Library: f, NoCache: true})
	if _, err := c.Version(context.Background()); err == nil || !strings.Contains(err.Error(), f.Path) {
		t.Errorf("got %v, want an error about %s", err, f.Path)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

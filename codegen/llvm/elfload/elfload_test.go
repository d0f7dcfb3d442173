package elfload

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"flag"
	"os"
	"strings"
	"testing"
	"unsafe"

	"vitc/codegen/llvm/toolchain"
)

func TestMain(m *testing.M) {
	toolchain.MaybeServe()
	os.Exit(m.Run())
}

var update = flag.Bool("update", false, "compile testdata/*.ll into testdata/*.o")

// sample returns testdata/NAME.o, compiled from testdata/NAME.ll by -update.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	file := "testdata/" + name + ".o"
	if *update {
		text, err := os.ReadFile("testdata/" + name + ".ll")
		if err != nil {
			t.Fatal(err)
		}
		c, err := toolchain.New(toolchain.Options{NoCache: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		obj, err := c.Compile(context.Background(), toolchain.Request{Name: name, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, obj, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run calls a kernel with one buffer of int64.
func run(t *testing.T, im *Image, name string, buf []int64, lo, hi int64) {
	t.Helper()
	f, err := im.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	args := []unsafe.Pointer{unsafe.Pointer(&buf[0])}
	Call(f, unsafe.Pointer(&args[0]), lo, hi, nil)
}

func TestLoadAndCall(t *testing.T) {
	im, err := Load(sample(t, "sample"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(im.Functions(), " "); got != "counter fill helper" {
		t.Errorf("Functions() = %s", got)
	}
	buf := make([]int64, 8)
	run(t, im, "fill", buf, 2, 6)
	// fill: buf[i] = table[i%4] through a constant, a variable's address and a call.
	if want := []int64{0, 0, 132, 142, 112, 122, 0, 0}; !equal(buf, want) {
		t.Errorf("fill gave %v, want %v", buf, want)
	}
	for i := range 3 {
		run(t, im, "counter", buf, 0, 0)
		if buf[0] != int64(i+1) {
			t.Errorf("call %d of counter gave %d", i, buf[0])
		}
	}
	if _, err := im.Lookup("table"); err == nil || !strings.Contains(err.Error(), "fill") {
		t.Errorf("got %v: data is not a function, and the message should list those there are", err)
	}
	for range 2 { // it may be closed again
		if err := im.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := im.Lookup("fill"); err == nil {
		t.Error("a closed image still has functions")
	}
}

func equal(a, b []int64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestNeverWritableAndExecutable(t *testing.T) {
	im, err := Load(sample(t, "sample"))
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := im.Lookup("fill")
	found := false
	for line := range strings.Lines(string(maps)) {
		var lo, hi uintptr
		fields := strings.Fields(line)
		a, b, _ := strings.Cut(fields[0], "-")
		lo, hi = hex(a), hex(b)
		if lo <= f && f < hi {
			found = true
			if fields[1] != "r-xp" {
				t.Errorf("code lies in %s", line)
			}
		}
		if strings.HasPrefix(fields[1], "rwx") {
			t.Errorf("writable and executable: %s", line)
		}
	}
	if !found {
		t.Error("the code is in no mapping")
	}
}

func hex(s string) (n uintptr) {
	for _, c := range s {
		n = n<<4 | uintptr(strings.IndexRune("0123456789abcdef", c))
	}
	return n
}

func TestRejects(t *testing.T) {
	good := sample(t, "sample")
	patch := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	shoff := int(binary.LittleEndian.Uint64(good[40:]))
	header := func(b []byte, name string) []byte {
		f, err := elf.NewFile(bytes.NewReader(good))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range f.Sections {
			if s.Name == name {
				return b[shoff+64*i:]
			}
		}
		t.Fatalf("no section %s", name)
		return nil
	}
	for _, tc := range []struct {
		name string
		obj  []byte
		want string
	}{
		{"nothing", nil, "not an ELF"},
		{"short", good[:40], "not an ELF"},
		{"32 bits", patch(func(b []byte) { b[4] = 1 }), "64-bit"},
		{"shared library", patch(func(b []byte) { b[16] = 3 }), "ET_DYN"},
		{"arm64", patch(func(b []byte) { b[18] = 183 }), "AARCH64"},
		{"no sections", patch(func(b []byte) { b[60], b[61] = 0, 0 }), "malformed"},
		{"far table", patch(func(b []byte) { b[47] = 0xff }), "outside the file"},
		{"huge section", patch(func(b []byte) { binary.LittleEndian.PutUint64(header(b, ".bss")[32:], 1<<62) }), "MiB"},
		{"long section", patch(func(b []byte) { binary.LittleEndian.PutUint64(header(b, ".text")[32:], 1<<62) }), "outside the file"},
		{"odd alignment", patch(func(b []byte) { header(b, ".text")[48] = 3 }), "aligned"},
		{"relocations beyond", patch(func(b []byte) { header(b, ".text")[32] = 8 }), "malformed"},
		{"undefined", sample(t, "undefined"), `undefined symbol "memcpy"`},
		{"thread-local", sample(t, "tls"), "thread-local"},
	} {
		im, err := Load(tc.obj)
		if err == nil {
			im.Close()
			t.Errorf("%s: loaded", tc.name)
		} else if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %q, want %q", tc.name, err, tc.want)
		}
	}
}

func TestTruncated(t *testing.T) {
	good := sample(t, "sample")
	for n := range good {
		if im, err := Load(good[:n]); err == nil {
			im.Close()
			t.Errorf("an object cut to %d of %d bytes was loaded", n, len(good))
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{"sample", "undefined", "tls"} {
		f.Add(sample(f, s))
	}
	f.Fuzz(func(t *testing.T, obj []byte) {
		im, err := Load(obj)
		if err != nil {
			return
		}
		for _, n := range im.Functions() {
			if a, err := im.Lookup(n); err != nil || a < uintptr(im.base()) || a >= uintptr(im.base())+uintptr(len(im.mem)) {
				t.Errorf("function %q at %#x, outside the image: %v", n, a, err)
			}
		}
		if err := im.Close(); err != nil {
			t.Error(err)
		}
	})
}

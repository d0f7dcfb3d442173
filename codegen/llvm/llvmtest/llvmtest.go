// Package llvmtest compiles and calls kernels in tests. A test binary that uses it must
// call toolchain.MaybeServe first thing in TestMain.
package llvmtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"unsafe"

	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/elfload"
	"vitc/codegen/llvm/emit"
	"vitc/codegen/llvm/toolchain"
)

var compiler = sync.OnceValues(func() (*toolchain.Compiler, error) {
	return toolchain.New(toolchain.Options{NoCache: true})
})

// Image is a compiled and loaded module.
type Image struct {
	t testing.TB
	*elfload.Image
}

// Compile compiles a module with the given passes ("" for none) and loads it. It is
// unmapped at the end of the test.
func Compile(t testing.TB, m *emit.Module, passes string) Image {
	t.Helper()
	im, err := elfload.Load(Emit(t, m, passes, toolchain.Object))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return Image{t, im}
}

// Emit compiles a module to another kind of output, for looking at it.
func Emit(t testing.TB, m *emit.Module, passes string, kind toolchain.Kind) []byte {
	t.Helper()
	c, err := compiler()
	SkipWithout(t, err)
	triple, cpuName, features := m.ISA.LLVM()
	out, err := c.Compile(context.Background(), toolchain.Request{
		Name: t.Name(), Triple: triple, CPU: cpuName, Features: features,
		Passes: passes, Opt: 2, Kind: kind, Text: m.Text(),
	})
	if err != nil {
		t.Fatalf("%v\n%.20000s", err, m.Text())
	}
	return out
}

// SkipWithout ends the test if err is not nil: as skipped where the machine has no LLVM,
// which err then explains how to get, as failed otherwise.
func SkipWithout(t testing.TB, err error) {
	t.Helper()
	var none *toolchain.NotFoundError
	switch {
	case errors.As(err, &none):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// Kernel is a function of a loaded module.
type Kernel uintptr

// Kernel returns the kernel of a name.
func (im Image) Kernel(name string) Kernel {
	im.t.Helper()
	f, err := im.Lookup(name)
	if err != nil {
		im.t.Fatal(err)
	}
	return Kernel(f)
}

// Call runs tasks [lo, hi) with operands from Ptr.
func (k Kernel) Call(lo, hi int, scratch unsafe.Pointer, operands ...unsafe.Pointer) {
	args := make([]unsafe.Pointer, len(operands)+1)
	copy(args, operands)
	elfload.Call(uintptr(k), unsafe.Pointer(&args[0]), int64(lo), int64(hi), scratch)
}

// Ptr returns the address of a slice's first element.
func Ptr[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

// Aligned returns n zero elements that start at a multiple of 64 bytes, as the runtime's
// tensors do.
func Aligned[T any](n int) []T {
	var t T
	size := int(unsafe.Sizeof(t))
	s := make([]T, n+64/size)
	off := int(-uintptr(Ptr(s))&63) / size
	return s[off : off+n : off+n]
}

// EachLevel runs a test at every level this machine runs.
func EachLevel(t *testing.T, f func(t *testing.T, isa cpu.Level)) {
	for _, l := range cpu.Detect().Levels() {
		t.Run(l.String(), func(t *testing.T) { f(t, l) })
	}
}

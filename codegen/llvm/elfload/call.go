package elfload

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

// Call calls a kernel: a function of the C signature
//
//	void kernel(ptr args, i64 lo, i64 hi, ptr scratch)
//
// at an address from Lookup. args points at an array of pointers to the operands, [lo,
// hi) are the tasks to do, scratch is memory of the calling thread. All memory must stay
// where it is during the call: mapped, or on the Go heap and kept alive by the caller,
// never on a goroutine's stack. The kernel runs on the system's stack: it may use 1 MiB.
func Call(kernel uintptr, args unsafe.Pointer, lo, hi int64, scratch unsafe.Pointer) {
	purego.SyscallN(kernel, uintptr(args), uintptr(lo), uintptr(hi), uintptr(scratch))
}

package native

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// block is memory outside the Go heap, page-aligned, which kernels read and write. All of it
// is zero at first.
type block struct {
	mem []byte
}

// hugeBytes is the size from which large pages are asked for: fewer misses of the address
// cache where kernels stride through it.
const hugeBytes = 4 << 20

func newBlock(bytes int) (*block, error) {
	if bytes == 0 {
		return &block{}, nil
	}
	mem, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of memory: %w; fix: use a smaller batch or model, or a machine with more memory", bytes, err)
	}
	if bytes >= hugeBytes {
		unix.Madvise(mem, unix.MADV_HUGEPAGE) // advice only: without it all is the same, slower
	}
	return &block{mem}, nil
}

// first points at the first byte; it is nil of an empty block.
func (b *block) first() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b.mem)) }

// addr is first as a number: the memory is not Go's to move.
func (b *block) addr() uintptr { return uintptr(b.first()) }

func (b *block) free() error {
	if b == nil || b.mem == nil {
		return nil
	}
	mem := b.mem
	b.mem = nil
	return unix.Munmap(mem)
}

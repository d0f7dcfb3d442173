// Package elfload maps a relocatable x86-64 object into memory and makes it callable,
// without LLVM and without the system's loader, so that a compiled model runs where no
// compiler is.
//
// An object is untrusted as to its structure: a truncated or contradictory one is an
// error. (What its code does is another matter: loading is trusting the code.) No page
// is ever both writable and executable.
package elfload

import (
	"debug/elf"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Image is a loaded object.
type Image struct {
	mem   []byte
	funcs map[string]uintptr
}

const pageSize = 4096

// segment is a run of pages with one protection.
type segment struct {
	prot       int
	start, end int
}

// layout is where sections go: code, then constants (with the table of addresses that
// code may read symbols' places from), then variables, each on pages of its own.
type layout struct {
	segments []segment
	got      int // offset of the first table entry
	size     int
}

// Load maps an object. Close unmaps it.
func Load(obj []byte) (*Image, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("objects for x86-64 cannot be loaded on %s", runtime.GOARCH)
	}
	o, err := parse(obj)
	if err != nil {
		return nil, err
	}
	table := o.tableOf()
	l, err := o.place(len(table.symbols))
	if err != nil {
		return nil, err
	}
	if l.size == 0 {
		return nil, errors.New("the object holds neither code nor data")
	}
	mem, err := unix.Mmap(-1, 0, l.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("mapping %d bytes for an object: %w", l.size, err)
	}
	im := &Image{mem: mem}
	if err := im.fill(o, l, table); err != nil {
		im.Close()
		return nil, err
	}
	return im, nil
}

func (im *Image) base() uint64 { return uint64(uintptr(unsafe.Pointer(&im.mem[0]))) }

// fill copies, relocates and protects.
func (im *Image) fill(o *object, l layout, table addressTable) error {
	for i := range o.sections {
		if s := &o.sections[i]; s.off >= 0 {
			copy(im.mem[s.off:], s.data)
		}
	}
	k := linker{obj: o, mem: im.mem, base: im.base(), got: l.got, table: table}
	if err := k.fillTable(); err != nil {
		return err
	}
	for i := range o.relocs {
		if err := k.apply(&o.relocs[i]); err != nil {
			return err
		}
	}
	for _, g := range l.segments {
		if g.start == g.end {
			continue
		}
		if err := unix.Mprotect(im.mem[g.start:g.end], g.prot); err != nil {
			return fmt.Errorf("protecting an object's memory: %w", err)
		}
	}
	im.funcs = map[string]uintptr{}
	for i := range o.symbols {
		y := &o.symbols[i]
		if y.kind == elf.STT_FUNC && y.bind == elf.STB_GLOBAL && o.executable(y) {
			im.funcs[y.name] = uintptr(im.base() + uint64(o.sections[y.section].off) + y.value)
		}
	}
	return nil
}

// executable reports whether a symbol is defined inside loaded code.
func (o *object) executable(y *symbol) bool {
	if y.section == elf.SHN_UNDEF || int(y.section) >= len(o.sections) {
		return false
	}
	s := &o.sections[y.section]
	return s.off >= 0 && s.flags&elf.SHF_EXECINSTR != 0 && y.value < s.size
}

// Lookup returns the address of a global function. It is valid until Close.
func (im *Image) Lookup(name string) (uintptr, error) {
	if a, ok := im.funcs[name]; ok {
		return a, nil
	}
	return 0, fmt.Errorf("the object has no function %q; it has %d: %.200v", name, len(im.funcs), im.Functions())
}

// Functions returns the names of the global functions, sorted.
func (im *Image) Functions() []string {
	names := make([]string, 0, len(im.funcs))
	for n := range im.funcs {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Close unmaps the object; its functions must not be called any more. It may be called
// twice.
func (im *Image) Close() error {
	if im.mem == nil {
		return nil
	}
	mem := im.mem
	im.mem, im.funcs = nil, nil
	return unix.Munmap(mem)
}

// place gives every loaded section an offset, grouped by protection.
func (o *object) place(entries int) (layout, error) {
	var l layout
	size := uint64(0)
	fail := func() (layout, error) {
		return l, fmt.Errorf("the object wants more than %d MiB of memory", maxImage>>20)
	}
	for _, prot := range []int{unix.PROT_READ | unix.PROT_EXEC, unix.PROT_READ, unix.PROT_READ | unix.PROT_WRITE} {
		g := segment{prot: prot, start: int(size)}
		for i := range o.sections {
			s := &o.sections[i]
			if !s.loaded() || s.protection() != prot {
				continue
			}
			size = roundUp(size, max(s.align, 64))
			s.off = int(size)
			if s.size > maxImage {
				return fail()
			}
			if size += s.size; size > maxImage {
				return fail()
			}
		}
		if prot == unix.PROT_READ {
			l.got = int(roundUp(size, 8))
			size = uint64(l.got) + 8*uint64(entries)
		}
		size = roundUp(size, pageSize)
		g.end = int(size)
		l.segments = append(l.segments, g)
	}
	l.size = int(size)
	return l, nil
}

func roundUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }

func (s *section) protection() int {
	switch {
	case s.flags&elf.SHF_EXECINSTR != 0: // wins over SHF_WRITE: never both
		return unix.PROT_READ | unix.PROT_EXEC
	case s.flags&elf.SHF_WRITE != 0:
		return unix.PROT_READ | unix.PROT_WRITE
	}
	return unix.PROT_READ
}

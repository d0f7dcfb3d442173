package elfload

import (
	"debug/elf"
	"fmt"
	"math"
)

// linker patches addresses into the image, by the x86-64 psABI's table of relocations:
// S is the symbol's address, A the addend, P the place patched, G the address of the
// symbol's entry in the table of addresses.
type linker struct {
	obj   *object
	mem   []byte
	base  uint64
	got   int
	table addressTable
}

// addressTable lists the symbols whose addresses code reads from memory.
type addressTable struct {
	symbols []uint32
	slot    map[uint32]int // the inverse
}

// usesTable reports whether a relocation reads its symbol's address from the table.
func usesTable(k elf.R_X86_64) bool {
	return k == elf.R_X86_64_GOTPCREL || k == elf.R_X86_64_GOTPCRELX || k == elf.R_X86_64_REX_GOTPCRELX
}

// tableOf collects the symbols that need an entry in the table of addresses.
func (o *object) tableOf() addressTable {
	t := addressTable{slot: map[uint32]int{}}
	for _, r := range o.relocs {
		if _, ok := t.slot[r.symbol]; !ok && usesTable(r.kind) {
			t.slot[r.symbol] = len(t.symbols)
			t.symbols = append(t.symbols, r.symbol)
		}
	}
	return t
}

// address returns S of a symbol.
func (k *linker) address(sym uint32) (uint64, error) {
	y := &k.obj.symbols[sym]
	switch {
	case y.section == elf.SHN_ABS:
		return y.value, nil
	case y.section == elf.SHN_UNDEF:
		return 0, fmt.Errorf("undefined symbol %q: an object must define all it calls", y.name)
	case int(y.section) >= len(k.obj.sections) || k.obj.sections[y.section].off < 0:
		return 0, malformed("symbol %q lies in a section that is not loaded", y.name)
	}
	return k.base + uint64(k.obj.sections[y.section].off) + y.value, nil
}

func (k *linker) fillTable() error {
	for slot, sym := range k.table.symbols {
		s, err := k.address(sym)
		if err != nil {
			return err
		}
		le.PutUint64(k.mem[k.got+8*slot:], s)
	}
	return nil
}

func (k *linker) apply(r *reloc) error {
	s, err := k.address(r.symbol)
	if err != nil {
		return err
	}
	sec := &k.obj.sections[r.section]
	at := uint64(sec.off) + r.offset
	place := func(width uint64) ([]byte, error) {
		if r.offset > sec.size || sec.size-r.offset < width {
			return nil, malformed("relocation at %d of section %q of %d bytes", r.offset, sec.name, sec.size)
		}
		return k.mem[at : at+width], nil
	}
	p, a := k.base+at, uint64(r.addend)
	if usesTable(r.kind) {
		s = k.base + uint64(k.got) + 8*uint64(k.table.slot[r.symbol])
	}
	switch {
	case r.kind == elf.R_X86_64_NONE:
		return nil
	case r.kind == elf.R_X86_64_PC32 || r.kind == elf.R_X86_64_PLT32 || usesTable(r.kind):
		to, err := place(4)
		if err != nil {
			return err
		}
		d := int64(s + a - p)
		if d < math.MinInt32 || d > math.MaxInt32 {
			return malformed("symbol %q is %d bytes away, out of reach", k.obj.symbols[r.symbol].name, d)
		}
		le.PutUint32(to, uint32(d))
	case r.kind == elf.R_X86_64_64 || r.kind == elf.R_X86_64_PC64:
		to, err := place(8)
		if err != nil {
			return err
		}
		if r.kind == elf.R_X86_64_PC64 {
			s -= p
		}
		le.PutUint64(to, s+a)
	default:
		return fmt.Errorf("relocation %v is not supported", r.kind)
	}
	return nil
}

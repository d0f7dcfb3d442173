package elfload

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// object is a parsed relocatable file. Every slice in it was checked to lie inside the
// file, every index inside its table.
type object struct {
	sections []section
	symbols  []symbol
	relocs   []reloc
}

type section struct {
	name  string
	kind  elf.SectionType
	flags elf.SectionFlag
	align uint64 // a power of two, at least 1
	size  uint64 // in memory; that of SHT_NOBITS is not in the file
	data  []byte
	info  uint32
	link  uint32
	ent   uint64
	off   int // in the image; -1 if not loaded
}

func (s *section) loaded() bool {
	return s.flags&elf.SHF_ALLOC != 0 && s.size > 0 && s.name != ".eh_frame" // nothing unwinds
}

type symbol struct {
	name    string
	kind    elf.SymType
	bind    elf.SymBind
	section elf.SectionIndex
	value   uint64
}

type reloc struct {
	section int // that is patched
	offset  uint64
	kind    elf.R_X86_64
	symbol  uint32
	addend  int64
}

// Sizes of the structures of ELF64.
const (
	headerSize  = 64
	sectionSize = 64
	symbolSize  = 24
	relaSize    = 24
)

// maxImage bounds the memory that an object may ask for, which a few bytes of a hostile
// one could otherwise put at any size.
const maxImage = 256 << 20

func malformed(format string, args ...any) error {
	return fmt.Errorf("malformed object: "+format, args...)
}

var le = binary.LittleEndian

func parse(file []byte) (*object, error) {
	if len(file) < headerSize || string(file[:4]) != elf.ELFMAG {
		return nil, errors.New("not an ELF object")
	}
	if elf.Class(file[4]) != elf.ELFCLASS64 || elf.Data(file[5]) != elf.ELFDATA2LSB {
		return nil, errors.New("not a 64-bit little-endian ELF object")
	}
	if t := elf.Type(le.Uint16(file[16:])); t != elf.ET_REL {
		return nil, fmt.Errorf("ELF file of type %v: expected a relocatable object", t)
	}
	if m := elf.Machine(le.Uint16(file[18:])); m != elf.EM_X86_64 {
		return nil, fmt.Errorf("object for %v: only x86-64 objects can be loaded", m)
	}
	o := &object{}
	if err := o.readSections(file); err != nil {
		return nil, err
	}
	if err := o.readSymbols(); err != nil {
		return nil, err
	}
	return o, o.readRelocs()
}

// span returns file[off:off+size], checked.
func span(file []byte, off, size uint64) ([]byte, bool) {
	end, carry := bits.Add64(off, size, 0)
	if carry != 0 || end > uint64(len(file)) {
		return nil, false
	}
	return file[off:end], true
}

func (o *object) readSections(file []byte) error {
	off, ent, num, str := le.Uint64(file[40:]), le.Uint16(file[58:]), le.Uint16(file[60:]), le.Uint16(file[62:])
	if ent != sectionSize {
		return malformed("section headers of %d bytes, expected %d", ent, sectionSize)
	}
	table, ok := span(file, off, uint64(num)*sectionSize)
	if !ok {
		return malformed("section table outside the file")
	}
	names := make([]uint32, num)
	for i := range int(num) {
		h := table[i*sectionSize:]
		s := section{
			kind: elf.SectionType(le.Uint32(h[4:])), flags: elf.SectionFlag(le.Uint64(h[8:])),
			size: le.Uint64(h[32:]), link: le.Uint32(h[40:]), info: le.Uint32(h[44:]),
			align: max(le.Uint64(h[48:]), 1), ent: le.Uint64(h[56:]), off: -1,
		}
		names[i] = le.Uint32(h)
		if s.kind == elf.SHT_NULL {
			s.size = 0
		} else if s.kind != elf.SHT_NOBITS {
			if s.data, ok = span(file, le.Uint64(h[24:]), s.size); !ok {
				return malformed("section %d outside the file", i)
			}
		}
		if s.align&(s.align-1) != 0 || s.align > pageSize {
			return malformed("section %d aligned to %d bytes", i, s.align)
		}
		o.sections = append(o.sections, s)
	}
	if int(str) >= len(o.sections) {
		return malformed("section names in section %d of %d", str, num)
	}
	for i := range o.sections {
		if o.sections[i].name, ok = cString(o.sections[str].data, names[i]); !ok {
			return malformed("section %d: its name is outside the names, or too long", i)
		}
	}
	return nil
}

// maxName bounds a name, so that many symbols cannot share one huge string and have it
// copied for each.
const maxName = 1024

// cString returns the NUL-terminated string at off.
func cString(table []byte, off uint32) (string, bool) {
	if uint64(off) >= uint64(len(table)) {
		return "", false
	}
	rest := table[off:]
	for i, c := range rest[:min(len(rest), maxName)] {
		if c == 0 {
			return string(rest[:i]), true
		}
	}
	return "", false
}

func (o *object) readSymbols() error {
	for i := range o.sections {
		s := &o.sections[i]
		if s.kind != elf.SHT_SYMTAB {
			continue
		}
		if o.symbols != nil {
			return malformed("two symbol tables")
		}
		if s.ent != symbolSize || s.size%symbolSize != 0 || int(s.link) >= len(o.sections) {
			return malformed("symbol table of %d bytes, entries of %d, names in section %d", s.size, s.ent, s.link)
		}
		for at := 0; at < len(s.data); at += symbolSize {
			d := s.data[at:]
			y := symbol{
				kind: elf.ST_TYPE(d[4]), bind: elf.ST_BIND(d[4]),
				section: elf.SectionIndex(le.Uint16(d[6:])), value: le.Uint64(d[8:]),
			}
			var ok bool
			if y.name, ok = cString(o.sections[s.link].data, le.Uint32(d)); !ok {
				return malformed("symbol %d: its name is outside the names, or too long", at/symbolSize)
			}
			if err := o.checkSymbol(&y); err != nil {
				return err
			}
			o.symbols = append(o.symbols, y)
		}
	}
	return nil
}

func (o *object) checkSymbol(y *symbol) error {
	switch {
	case y.section == elf.SHN_UNDEF, y.section == elf.SHN_ABS, y.kind == elf.STT_FILE:
		return nil
	case y.section == elf.SHN_COMMON:
		return fmt.Errorf("symbol %q: common symbols cannot be loaded", y.name)
	case y.kind == elf.STT_TLS:
		return fmt.Errorf("symbol %q: thread-local variables cannot be loaded", y.name)
	case int(y.section) >= len(o.sections):
		return malformed("symbol %q in section %d of %d", y.name, y.section, len(o.sections))
	case y.value > o.sections[y.section].size:
		return malformed("symbol %q outside its section", y.name)
	}
	return nil
}

func (o *object) readRelocs() error {
	for i := range o.sections {
		s := &o.sections[i]
		if s.kind == elf.SHT_REL {
			return malformed("relocations without addends")
		}
		if s.kind != elf.SHT_RELA {
			continue
		}
		if s.ent != relaSize || s.size%relaSize != 0 || int(s.info) >= len(o.sections) {
			return malformed("relocations of %d bytes, entries of %d, for section %d", s.size, s.ent, s.info)
		}
		if !o.sections[s.info].loaded() {
			continue // debugging information and the like
		}
		for at := 0; at < len(s.data); at += relaSize {
			d := s.data[at:]
			r := reloc{
				section: int(s.info), offset: le.Uint64(d), kind: elf.R_X86_64(le.Uint32(d[8:])),
				symbol: le.Uint32(d[12:]), addend: int64(le.Uint64(d[16:])),
			}
			if int64(r.symbol) >= int64(len(o.symbols)) {
				return malformed("relocation by symbol %d of %d", r.symbol, len(o.symbols))
			}
			o.relocs = append(o.relocs, r)
		}
	}
	return nil
}

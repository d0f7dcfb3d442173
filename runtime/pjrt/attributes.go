package pjrt

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Attribute is a named value: an option that is given, or a property that is told. Value is
// a string, int64, []int64, float32 or bool.
type Attribute struct {
	Name  string
	Value any
}

// namedValue is PJRT_NamedValue: value is a number, or the address of a text or list.
type namedValue struct {
	header
	name     *byte
	nameSize uintptr
	kind     int32
	_        int32
	value    uint64
	size     uintptr // of a text or list; else 1
}

const namedValueBytes = unsafe.Sizeof(namedValue{})

// The kinds of values.
const (
	kindText int32 = iota
	kindInt
	kindInts
	kindFloat
	kindBool
)

// readAttributes copies a list of the plugin's.
func readAttributes(list unsafe.Pointer, count uintptr) []Attribute {
	out := make([]Attribute, 0, count)
	for i := range count {
		v := (*namedValue)(unsafe.Add(list, i*namedValueBytes))
		out = append(out, Attribute{copyText(v.name, v.nameSize), v.read()})
	}
	return out
}

func (v *namedValue) read() any {
	address := *(*unsafe.Pointer)(unsafe.Pointer(&v.value))
	switch v.kind {
	case kindText:
		return copyText((*byte)(address), v.size)
	case kindInt:
		return int64(v.value)
	case kindInts:
		return append([]int64(nil), unsafe.Slice((*int64)(address), v.size)...)
	case kindFloat:
		return *(*float32)(unsafe.Pointer(&v.value))
	case kindBool:
		return *(*bool)(unsafe.Pointer(&v.value))
	}
	return nil
}

// writeAttributes makes the plugin's form of options, which pin keeps in place.
func writeAttributes(pin *runtime.Pinner, options []Attribute) (unsafe.Pointer, uintptr, error) {
	if len(options) == 0 {
		return nil, 0, nil
	}
	list := make([]namedValue, len(options))
	for i, o := range options {
		name, size := pinText(pin, o.Name)
		list[i] = namedValue{name: name, nameSize: size, size: 1}
		setHeader(&list[i])
		if err := list[i].write(pin, o.Value); err != nil {
			return nil, 0, fmt.Errorf("option %s: %w", o.Name, err)
		}
	}
	pin.Pin(&list[0])
	return unsafe.Pointer(&list[0]), uintptr(len(list)), nil
}

func (v *namedValue) write(pin *runtime.Pinner, value any) error {
	switch x := value.(type) {
	case string:
		text, size := pinText(pin, x)
		v.kind, v.size, v.value = kindText, size, uint64(uintptr(unsafe.Pointer(text)))
	case int64:
		v.kind, v.value = kindInt, uint64(x)
	case []int64:
		if len(x) == 0 {
			return fmt.Errorf("an empty list")
		}
		pin.Pin(&x[0])
		v.kind, v.size, v.value = kindInts, uintptr(len(x)), uint64(uintptr(unsafe.Pointer(&x[0])))
	case float32:
		v.kind = kindFloat
		*(*float32)(unsafe.Pointer(&v.value)) = x
	case bool:
		v.kind = kindBool
		*(*bool)(unsafe.Pointer(&v.value)) = x
	default:
		return fmt.Errorf("a value of type %T", value)
	}
	return nil
}

// pinText is a text with a NUL behind it, for readers that want one.
func pinText(pin *runtime.Pinner, s string) (*byte, uintptr) {
	b := append([]byte(s), 0)
	pin.Pin(&b[0])
	return &b[0], uintptr(len(s))
}

// pinBytes is the address of bytes, nil where there are none.
func pinBytes(pin *runtime.Pinner, b []byte) *byte {
	if len(b) == 0 {
		return nil
	}
	pin.Pin(&b[0])
	return &b[0]
}

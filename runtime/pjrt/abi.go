package pjrt

import (
	"reflect"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// slot is the place of a function in the plugin's table. The table only ever grows: the order
// is part of the API's promise.
type slot int

// The functions used here, out of some 140.
const (
	slotErrorDestroy       slot = 0
	slotErrorMessage       slot = 1
	slotErrorGetCode       slot = 2
	slotInitialize         slot = 3
	slotAttributes         slot = 4
	slotEventDestroy       slot = 5
	slotEventAwait         slot = 8
	slotClientCreate       slot = 10
	slotClientDestroy      slot = 11
	slotClientPlatform     slot = 12
	slotClientVersion      slot = 14
	slotAddressableDevices slot = 16
	slotClientCompile      slot = 20
	slotBufferFromHost     slot = 22
	slotDescriptionID      slot = 23
	slotDescriptionAttrs   slot = 25
	slotDescriptionKind    slot = 26
	slotDeviceDescription  slot = 29
	slotDeviceMemoryStats  slot = 34
	slotExecutableDestroy  slot = 40
	slotExecutableOutputs  slot = 44
	slotCodeSize           slot = 45
	slotCostAnalysis       slot = 46
	slotOptimizedProgram   slot = 48
	slotSerialize          slot = 49
	slotLoadedDestroy      slot = 50
	slotLoadedExecutable   slot = 51
	slotExecute            slot = 55
	slotDeserializeAndLoad slot = 56
	slotBufferDestroy      slot = 58
	slotBufferDimensions   slot = 60
	slotBufferIsDeleted    slot = 68
	slotBufferToHost       slot = 70
	slotTopologyCreate     slot = 82
	slotTopologyDestroy    slot = 83
	slotTopologyDevices    slot = 86
	slotTopologyCompile    slot = 89
	slotClientTopology     slot = 95
	slotCompiledMemory     slot = 96
	lastSlot                    = slotCompiledMemory
)

// The layout of PJRT_Api: size, extension, {size, extension, major i32, minor i32}, table.
const (
	offsetMajor = 32
	offsetMinor = 36
	offsetTable = 40
	slotBytes   = 8
)

// header begins every struct of arguments.
type header struct {
	size      uintptr
	extension unsafe.Pointer
}

// setHeader writes the size of a struct that begins with a header, as the API counts it: to
// the end of the last field, without padding.
func setHeader[T any](args *T) {
	t := reflect.TypeFor[T]()
	last := t.Field(t.NumField() - 1)
	(*header)(unsafe.Pointer(args)).size = last.Offset + last.Type.Size()
}

// call calls a function with its arguments, a struct that begins with a header. What the
// fields of args point at must be pinned.
func call[T any](p *Plugin, s slot, args *T) error {
	setHeader(args)
	if e, _, _ := purego.SyscallN(p.function(s), uintptr(unsafe.Pointer(args))); e != 0 {
		return p.takeError(e)
	}
	return nil
}

// text calls a function that returns a text which the object owns.
func text(p *Plugin, s slot, object uintptr) (string, error) {
	args := struct {
		header
		object uintptr
		text   *byte
		size   uintptr
	}{object: object}
	if err := call(p, s, &args); err != nil {
		return "", err
	}
	return copyText(args.text, args.size), nil
}

// copyText copies a text of the plugin's.
func copyText(p *byte, n uintptr) string {
	if p == nil {
		return ""
	}
	return strings.Clone(unsafe.String(p, n))
}

// freeOwner calls a function of the plugin's that frees what it lent.
func freeOwner(free, owner uintptr) {
	if free != 0 {
		purego.SyscallN(free, owner)
	}
}

package pjrt

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"vitc/ir/diag"
)

// Code is the kind of an Error, as absl::StatusCode numbers it.
type Code int32

// The codes that callers tell apart.
const (
	InvalidArgument   Code = 3
	NotFound          Code = 5
	ResourceExhausted Code = 8
	Unimplemented     Code = 12
)

// Error is what a plugin complains about.
type Error struct {
	Code Code
	Msg  string
}

func (e *Error) Error() string { return strings.TrimSpace(e.Msg) }

// Pos is the line of the .vit program that the message names, the zero value where it names
// none: programs carry their lines as locations, and XLA quotes those of ops that it refuses.
func (e *Error) Pos() diag.Pos { return Place(e.Msg) }

// place is a location as MLIR prints it, "examples/fashion.vit":12:3, with or without quotes.
var place = regexp.MustCompile(`"?([^\s"'():]+\.vit)"?:(\d+):(\d+)`)

// Place finds the first line of a .vit program that a text names.
func Place(text string) diag.Pos {
	m := place.FindStringSubmatch(text)
	if m == nil {
		return diag.Pos{}
	}
	line, lineErr := strconv.Atoi(m[2])
	col, colErr := strconv.Atoi(m[3])
	if lineErr != nil || colErr != nil {
		return diag.Pos{}
	}
	return diag.Pos{File: m[1], Line: line, Col: col}
}

// ErrClosed is returned by uses of what was closed.
var ErrClosed = errors.New("used after it was closed")

// LoadError says why a file is no plugin that can be used here.
type LoadError struct {
	Path string
	Msg  string
	Fix  string
}

func (e *LoadError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.Msg) }

// takeError makes a Go error of the plugin's, which it destroys.
func (p *Plugin) takeError(handle uintptr) error {
	type object struct {
		header
		handle uintptr
	}
	message := struct {
		header
		handle uintptr
		text   *byte
		size   uintptr
	}{handle: handle}
	code := struct {
		header
		handle uintptr
		code   int32
	}{handle: handle}
	setHeader(&message)
	setHeader(&code)
	purego.SyscallN(p.function(slotErrorMessage), uintptr(unsafe.Pointer(&message)))
	purego.SyscallN(p.function(slotErrorGetCode), uintptr(unsafe.Pointer(&code)))
	e := &Error{Code(code.code), copyText(message.text, message.size)}
	gone := object{handle: handle}
	setHeader(&gone)
	purego.SyscallN(p.function(slotErrorDestroy), uintptr(unsafe.Pointer(&gone)))
	return e
}

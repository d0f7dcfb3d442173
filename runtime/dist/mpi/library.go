package mpi

import (
	"bytes"
	"fmt"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is Open MPI's, loaded. What its headers call constants are addresses of objects that it
// exports.
type library struct {
	world, bytes, errorsReturn uintptr

	initThread, finalize, abort, setErrhandler  uintptr
	rank, size, isend, irecv, testall, getCount uintptr
	errorString, version                        uintptr
}

// Levels of thread support, and the size of a status, of Open MPI's headers.
const (
	threadSerialized = 2 // MPI_THREAD_SERIALIZED
	statusBytes      = 24
	maxText          = 512 // above MPI_MAX_ERROR_STRING and MPI_MAX_LIBRARY_VERSION_STRING
)

// load opens the library. Its own plugins look for its symbols, which must be global for them.
func load(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", path, err)
	}
	l := &library{}
	for _, s := range []struct {
		to   *uintptr
		name string
	}{
		{&l.world, "ompi_mpi_comm_world"}, {&l.bytes, "ompi_mpi_byte"}, {&l.errorsReturn, "ompi_mpi_errors_return"},
		{&l.initThread, "MPI_Init_thread"}, {&l.finalize, "MPI_Finalize"}, {&l.abort, "MPI_Abort"}, {&l.setErrhandler, "MPI_Comm_set_errhandler"},
		{&l.rank, "MPI_Comm_rank"}, {&l.size, "MPI_Comm_size"}, {&l.isend, "MPI_Isend"}, {&l.irecv, "MPI_Irecv"},
		{&l.testall, "MPI_Testall"}, {&l.getCount, "MPI_Get_count"}, {&l.errorString, "MPI_Error_string"}, {&l.version, "MPI_Get_library_version"},
	} {
		if *s.to, err = purego.Dlsym(handle, s.name); err != nil {
			return nil, fmt.Errorf("%s is no Open MPI: it lacks %s", path, s.name)
		}
	}
	return l, nil
}

// call calls a function that returns an MPI error code. Pointers among the arguments escape, so
// that what they point at does not move meanwhile.
//
//go:uintptrescapes
func (l *library) call(f uintptr, args ...uintptr) error {
	code, _, _ := purego.SyscallN(f, args...)
	if int32(code) == 0 {
		return nil
	}
	return fmt.Errorf("MPI: %s", l.text(l.errorString, code))
}

// text calls a function that writes a text and its length behind the arguments given.
func (l *library) text(f uintptr, args ...uintptr) string {
	buf, n := make([]byte, maxText), new(int32)
	purego.SyscallN(f, append(args, uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(n)))...)
	text, _, _ := bytes.Cut(buf, []byte{0})
	return strings.TrimSpace(string(text))
}

// number calls a function that writes a number of the world.
func (l *library) number(f uintptr) (int, error) {
	n := new(int32)
	err := l.call(f, l.world, uintptr(unsafe.Pointer(n)))
	return int(*n), err
}

// start initialises MPI. Calls may come from any thread, one at a time.
func (l *library) start() error {
	level := new(int32)
	if err := l.call(l.initThread, 0, 0, threadSerialized, uintptr(unsafe.Pointer(level))); err != nil {
		return err
	}
	if *level < threadSerialized {
		return fmt.Errorf("MPI supports threads at level %d: expected at least %d (serialized)", *level, threadSerialized)
	}
	return l.call(l.setErrhandler, l.world, l.errorsReturn)
}

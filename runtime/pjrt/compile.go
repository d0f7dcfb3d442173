package pjrt

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// program is PJRT_Program. Its format "mlir" takes StableHLO as text.
type program struct {
	_          header
	code       *byte
	codeSize   uintptr
	format     *byte
	formatSize uintptr
}

// errEmpty refuses what plugins crash on.
var errEmpty = errors.New("an empty program")

func pinProgram(pin *runtime.Pinner, code []byte) *program {
	p := &program{code: pinBytes(pin, code), codeSize: uintptr(len(code))}
	p.format, p.formatSize = pinText(pin, "mlir")
	setHeader(p)
	pin.Pin(p)
	return p
}

// Loaded is a program that can be run on the devices of its client.
type Loaded struct {
	client  *Client
	h       *handle
	outputs int
}

// Compile compiles StableHLO text for the client's devices.
func (c *Client) Compile(code []byte, o CompileOptions) (*Loaded, error) {
	options, err := o.Encode()
	if err != nil {
		return nil, err
	}
	if len(code) == 0 {
		return nil, errEmpty
	}
	client, err := c.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer c.h.release()
	var pin runtime.Pinner
	defer pin.Unpin()
	args := struct {
		header
		client      uintptr
		program     *program
		options     *byte
		optionsSize uintptr
		loaded      uintptr
	}{client: client, program: pinProgram(&pin, code), options: pinBytes(&pin, options), optionsSize: uintptr(len(options))}
	if err := call(c.plugin, slotClientCompile, &args); err != nil {
		return nil, err
	}
	return c.newLoaded(args.loaded)
}

// Reload makes a program runnable that Executable.Serialize wrote. Only the same plugin, of the
// same version, takes it.
func (c *Client) Reload(serialized []byte) (*Loaded, error) {
	if len(serialized) == 0 {
		return nil, errEmpty
	}
	client, err := c.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer c.h.release()
	var pin runtime.Pinner
	defer pin.Unpin()
	args := struct {
		header
		client        uintptr
		data          *byte
		size          uintptr
		loaded        uintptr
		overrides     uintptr
		overridesSize uintptr
	}{client: client, data: pinBytes(&pin, serialized), size: uintptr(len(serialized))}
	if err := call(c.plugin, slotDeserializeAndLoad, &args); err != nil {
		return nil, err
	}
	return c.newLoaded(args.loaded)
}

func (c *Client) newLoaded(object uintptr) (*Loaded, error) {
	l := &Loaded{client: c, h: newHandle(c.plugin, c.h, object, slotLoadedDestroy)}
	closeForgotten(l, l.h)
	e, err := l.Executable()
	if err == nil {
		defer e.Close()
		l.outputs, err = e.outputs()
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Executable is what can be known of the program.
func (l *Loaded) Executable() (*Executable, error) {
	loaded, err := l.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	defer l.h.release()
	args := struct {
		header
		loaded     uintptr
		executable uintptr
	}{loaded: loaded}
	if err := call(l.h.plugin, slotLoadedExecutable, &args); err != nil {
		return nil, err
	}
	return newExecutable(l.h.plugin, l.h, args.executable), nil
}

// Close frees the program.
func (l *Loaded) Close() error { return l.h.close() }

// Executable is a compiled program, to be looked at or written down.
type Executable struct{ h *handle }

func newExecutable(p *Plugin, parent *handle, object uintptr) *Executable {
	e := &Executable{newHandle(p, parent, object, slotExecutableDestroy)}
	closeForgotten(e, e.h)
	return e
}

// Close frees the executable.
func (e *Executable) Close() error { return e.h.close() }

// number calls a function that returns a number of the executable.
func (e *Executable) number(s slot) (int64, error) {
	executable, err := e.h.acquire()
	if err != nil {
		return 0, fmt.Errorf("executable: %w", err)
	}
	defer e.h.release()
	args := struct {
		header
		executable uintptr
		number     int64
	}{executable: executable}
	err = call(e.h.plugin, s, &args)
	return args.number, err
}

func (e *Executable) outputs() (int, error) {
	n, err := e.number(slotExecutableOutputs)
	return int(n), err
}

// CodeSize is the size of the device's code in bytes.
func (e *Executable) CodeSize() (int64, error) { return e.number(slotCodeSize) }

// Serialize writes the executable down in the plugin's own format.
func (e *Executable) Serialize() ([]byte, error) {
	executable, err := e.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	defer e.h.release()
	args := struct {
		header
		executable uintptr
		data       *byte
		size       uintptr
		owner      uintptr
		free       uintptr // a function that frees owner, and data with it
	}{executable: executable}
	if err := call(e.h.plugin, slotSerialize, &args); err != nil {
		return nil, err
	}
	data := append([]byte(nil), unsafe.Slice(args.data, args.size)...)
	freeOwner(args.free, args.owner)
	return data, nil
}

// Optimized is the scheduled program, an HloModuleProtoWithConfig.
func (e *Executable) Optimized() ([]byte, error) {
	executable, err := e.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	defer e.h.release()
	var pin runtime.Pinner
	defer pin.Unpin()
	out := &program{}
	setHeader(out)
	pin.Pin(out)
	args := struct {
		header
		executable uintptr
		program    *program
	}{executable: executable, program: out}
	if err := call(e.h.plugin, slotOptimizedProgram, &args); err != nil { // tells the size
		return nil, err
	}
	code := make([]byte, out.codeSize)
	out.code = pinBytes(&pin, code)
	return code, call(e.h.plugin, slotOptimizedProgram, &args) // fills
}

// Costs are the plugin's estimates of the program: flops, bytes accessed, and more. A loop's
// body counts once.
func (e *Executable) Costs() ([]Attribute, error) {
	executable, err := e.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	defer e.h.release()
	args := struct {
		header
		executable uintptr
		count      uintptr
		list       unsafe.Pointer
	}{executable: executable}
	if err := call(e.h.plugin, slotCostAnalysis, &args); err != nil {
		return nil, err
	}
	return readAttributes(args.list, args.count), nil
}

// Memory is what a program needs on each device, in bytes.
type Memory struct {
	Code      int64 `json:"code"`
	Arguments int64 `json:"arguments"`
	Outputs   int64 `json:"outputs"`
	Aliased   int64 `json:"aliased"` // outputs that take donated arguments' place
	Temporary int64 `json:"temporary"`
	Peak      int64 `json:"peak"`
}

// Memory tells the memory that the program needs.
func (e *Executable) Memory() (Memory, error) {
	executable, err := e.h.acquire()
	if err != nil {
		return Memory{}, fmt.Errorf("executable: %w", err)
	}
	defer e.h.release()
	args := struct {
		header
		executable uintptr
		device     [5]int64 // code, arguments, outputs, aliased, temporary
		host       [5]int64
		peak       int64
		totals     [4]int64
	}{executable: executable}
	if err := call(e.h.plugin, slotCompiledMemory, &args); err != nil {
		return Memory{}, err
	}
	d := args.device
	return Memory{Code: d[0], Arguments: d[1], Outputs: d[2], Aliased: d[3], Temporary: d[4], Peak: args.peak}, nil
}

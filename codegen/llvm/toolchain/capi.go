package toolchain

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// capi is the part of the LLVM-C API that compiling needs. Handles are opaque pointers;
// out-parameters are written through *uintptr. It lives in children only.
type capi struct {
	handle uintptr

	getVersion       func(major, minor, patch *uint32)
	contextCreate    func() uintptr
	contextDispose   func(ctx uintptr)
	bufferCopy       func(p unsafe.Pointer, n uintptr, name string) uintptr
	bufferStart      func(buf uintptr) uintptr
	bufferSize       func(buf uintptr) uintptr
	bufferDispose    func(buf uintptr)
	parseIR          func(ctx, buf uintptr, m, msg *uintptr) int32
	verify           func(m uintptr, action int32, msg *uintptr) int32
	disposeMessage   func(msg uintptr)
	disposeModule    func(m uintptr)
	printModule      func(m uintptr) uintptr
	setTriple        func(m uintptr, triple string)
	targetFromTriple func(triple string, target, msg *uintptr) int32
	createMachine    func(target uintptr, triple, cpu, features string, opt, reloc, model int32) uintptr
	disposeMachine   func(tm uintptr)
	dataLayout       func(tm uintptr) uintptr
	disposeLayout    func(dl uintptr)
	setDataLayout    func(m, dl uintptr)
	emitToBuffer     func(tm, m uintptr, kind int32, msg, buf *uintptr) int32
	passOptions      func() uintptr
	disposeOptions   func(o uintptr)
	runPasses        func(m uintptr, passes string, tm, opts uintptr) uintptr
	errorMessage     func(e uintptr) uintptr
	disposeErrorMsg  func(msg uintptr)
	initialised      map[string]bool
}

// The values of LLVM-C's enumerations that are passed here.
const (
	returnStatusAction = 2 // LLVMReturnStatusAction
	relocPIC           = 2 // LLVMRelocPIC
	codeModelSmall     = 3 // LLVMCodeModelSmall
	fileAssembly       = 0 // LLVMAssemblyFile
	fileObject         = 1 // LLVMObjectFile
)

func openLibrary(path string) (*capi, error) {
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", path, err)
	}
	c := &capi{handle: h, initialised: map[string]bool{}}
	var missing []string
	for _, f := range c.functions() {
		if _, err := purego.Dlsym(h, f.name); err != nil {
			missing = append(missing, f.name)
			continue
		}
		purego.RegisterLibFunc(f.to, h, f.name)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s lacks %s of the LLVM-C API", path, strings.Join(missing, ", "))
	}
	return c, nil
}

type binding struct {
	to   any
	name string
}

func (c *capi) functions() []binding {
	return []binding{
		{&c.getVersion, "LLVMGetVersion"},
		{&c.contextCreate, "LLVMContextCreate"},
		{&c.contextDispose, "LLVMContextDispose"},
		{&c.bufferCopy, "LLVMCreateMemoryBufferWithMemoryRangeCopy"},
		{&c.bufferStart, "LLVMGetBufferStart"},
		{&c.bufferSize, "LLVMGetBufferSize"},
		{&c.bufferDispose, "LLVMDisposeMemoryBuffer"},
		{&c.parseIR, "LLVMParseIRInContext"},
		{&c.verify, "LLVMVerifyModule"},
		{&c.disposeMessage, "LLVMDisposeMessage"},
		{&c.disposeModule, "LLVMDisposeModule"},
		{&c.printModule, "LLVMPrintModuleToString"},
		{&c.setTriple, "LLVMSetTarget"},
		{&c.targetFromTriple, "LLVMGetTargetFromTriple"},
		{&c.createMachine, "LLVMCreateTargetMachine"},
		{&c.disposeMachine, "LLVMDisposeTargetMachine"},
		{&c.dataLayout, "LLVMCreateTargetDataLayout"},
		{&c.disposeLayout, "LLVMDisposeTargetData"},
		{&c.setDataLayout, "LLVMSetModuleDataLayout"},
		{&c.emitToBuffer, "LLVMTargetMachineEmitToMemoryBuffer"},
		{&c.passOptions, "LLVMCreatePassBuilderOptions"},
		{&c.disposeOptions, "LLVMDisposePassBuilderOptions"},
		{&c.runPasses, "LLVMRunPasses"},
		{&c.errorMessage, "LLVMGetErrorMessage"},
		{&c.disposeErrorMsg, "LLVMDisposeErrorMessage"},
	}
}

// initTarget registers the target that a triple names.
func (c *capi) initTarget(triple string) error {
	arch, _, _ := strings.Cut(triple, "-")
	name, ok := map[string]string{"x86_64": "X86", "aarch64": "AArch64"}[arch]
	if !ok {
		return fmt.Errorf("target %q: expected a triple of x86_64 or aarch64", triple)
	}
	if c.initialised[name] {
		return nil
	}
	for _, part := range []string{"TargetInfo", "Target", "TargetMC", "AsmPrinter"} {
		sym := "LLVMInitialize" + name + part
		if _, err := purego.Dlsym(c.handle, sym); err != nil {
			return fmt.Errorf("this libLLVM cannot compile for %s: it lacks %s", arch, sym)
		}
		var f func()
		purego.RegisterLibFunc(&f, c.handle, sym)
		f()
	}
	c.initialised[name] = true
	return nil
}

func (c *capi) version() string {
	var major, minor, patch uint32
	c.getVersion(&major, &minor, &patch)
	return fmt.Sprintf("%d.%d.%d", major, minor, patch)
}

// take copies and frees a message that LLVM allocated.
func (c *capi) take(msg uintptr) string {
	if msg == 0 {
		return ""
	}
	s := cString(msg)
	c.disposeMessage(msg)
	return strings.TrimSpace(s)
}

func (c *capi) takeError(e uintptr) error {
	if e == 0 {
		return nil
	}
	msg := c.errorMessage(e)
	s := cString(msg)
	c.disposeErrorMsg(msg)
	return errors.New(s)
}

// takeBuffer copies and frees a memory buffer.
func (c *capi) takeBuffer(buf uintptr) []byte {
	out := append([]byte(nil), unsafe.Slice((*byte)(foreign(c.bufferStart(buf))), c.bufferSize(buf))...)
	c.bufferDispose(buf)
	return out
}

// foreign turns an address outside the Go heap into a pointer.
func foreign(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

func cString(p uintptr) string {
	if p == 0 {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(foreign(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(foreign(p)), n))
}

package toolchain

import (
	"fmt"
	"unsafe"
)

// Kind is what a compilation gives back.
type Kind int

// The kinds of output.
const (
	Object   Kind = iota // a relocatable ELF object
	Assembly             // the assembler's text
	IR                   // LLVM text after the passes
)

// Request is one compilation. The zero value of every field but Text is usable; CPU ""
// means a portable CPU of the triple.
type Request struct {
	Name     string // for messages and, as <stdin>'s stand-in, LLVM's positions
	Triple   string // "" is x86_64-unknown-linux-gnu
	CPU      string // LLVM's name: x86-64-v3
	Features string // "+avx512bf16,-prefer-256-bit"
	Passes   string // of LLVM's new pass manager, "" for none: "default<O2>", "function(sroa,early-cse)"
	Opt      int    // effort of code generation, 0 to 3
	Kind     Kind
	Text     []byte
}

// The stages at which a compilation can fail.
const (
	StageParse   = "parse"
	StageVerify  = "verify"
	StageTarget  = "target"
	StagePasses  = "passes"
	StageCodegen = "codegen"
	StageCrash   = "crash" // the child died
)

// CompileError says why LLVM refused a module.
type CompileError struct {
	Name  string // the request's
	Stage string
	Msg   string
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("LLVM, %s of %s: %s", e.Stage, e.Name, e.Msg)
}

const defaultTriple = "x86_64-unknown-linux-gnu"

func (r *Request) name() string {
	if r.Name == "" {
		return "module"
	}
	return r.Name
}

func (r *Request) triple() string {
	if r.Triple == "" {
		return defaultTriple
	}
	return r.Triple
}

// compile runs one request in this process. Each has a context of its own, so nothing
// of one request is seen by the next.
func (c *capi) compile(r *Request) ([]byte, *CompileError) {
	fail := func(stage, msg string) ([]byte, *CompileError) { return nil, &CompileError{r.name(), stage, msg} }
	if len(r.Text) == 0 {
		return fail(StageParse, "the module is empty")
	}
	if r.Kind < Object || r.Kind > IR || r.Opt < 0 || r.Opt > 3 {
		return fail(StageTarget, fmt.Sprintf("kind %d, opt %d: expected kind 0 to 2, opt 0 to 3", r.Kind, r.Opt))
	}
	tm, err := c.machine(r)
	if err != nil {
		return fail(StageTarget, err.Error())
	}
	defer c.disposeMachine(tm)
	ctx := c.contextCreate()
	defer c.contextDispose(ctx)
	m, stage, msg := c.parse(ctx, r)
	if m == 0 {
		return fail(stage, msg)
	}
	defer c.disposeModule(m)
	c.setTriple(m, r.triple())
	dl := c.dataLayout(tm)
	c.setDataLayout(m, dl)
	c.disposeLayout(dl)
	if r.Passes != "" {
		opts := c.passOptions()
		defer c.disposeOptions(opts)
		if err := c.takeError(c.runPasses(m, r.Passes, tm, opts)); err != nil {
			return fail(StagePasses, err.Error())
		}
	}
	out, err := c.emit(tm, m, r.Kind)
	if err != nil {
		return fail(StageCodegen, err.Error())
	}
	return out, nil
}

func (c *capi) machine(r *Request) (uintptr, error) {
	if err := c.initTarget(r.triple()); err != nil {
		return 0, err
	}
	var target, msg uintptr
	if c.targetFromTriple(r.triple(), &target, &msg) != 0 {
		return 0, fmt.Errorf("%s", c.take(msg))
	}
	tm := c.createMachine(target, r.triple(), r.CPU, r.Features, int32(r.Opt), relocPIC, codeModelSmall)
	if tm == 0 {
		return 0, fmt.Errorf("no target machine for %s, cpu %q, features %q", r.triple(), r.CPU, r.Features)
	}
	return tm, nil
}

// parse returns a verified module, or 0, the stage that failed and why.
func (c *capi) parse(ctx uintptr, r *Request) (m uintptr, stage, msg string) {
	// The parser wants a NUL after the text, which the copying constructor adds.
	buf := c.bufferCopy(unsafe.Pointer(&r.Text[0]), uintptr(len(r.Text)), r.name())
	var text uintptr
	if c.parseIR(ctx, buf, &m, &text) != 0 { // takes the buffer
		return 0, StageParse, c.take(text)
	}
	text = 0
	bad := c.verify(m, returnStatusAction, &text) != 0
	if msg = c.take(text); bad {
		c.disposeModule(m)
		return 0, StageVerify, msg
	}
	return m, "", ""
}

func (c *capi) emit(tm, m uintptr, kind Kind) ([]byte, error) {
	if kind == IR {
		return []byte(c.take(c.printModule(m)) + "\n"), nil
	}
	file := int32(fileObject)
	if kind == Assembly {
		file = fileAssembly
	}
	var msg, buf uintptr
	if c.emitToBuffer(tm, m, file, &msg, &buf) != 0 {
		return nil, fmt.Errorf("%s", c.take(msg))
	}
	return c.takeBuffer(buf), nil
}

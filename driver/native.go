package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"vitc/codegen"
	"vitc/codegen/llvm"
	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/toolchain"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/native"
)

// nativeTarget is the target whose code LLVM makes.
const nativeTarget = "cpu"

// nativeRow is the row of the table of targets for native code.
var nativeRow = Target{
	Name:    nativeTarget,
	Doc:     "native code through LLVM",
	Devices: true,
	Ranks:   true,
	Missing: nativeMissing,
	build:   buildNative,
	open: func(b *Built, o MachineOptions) (codegen.Machine, error) {
		return native.Open(b.Bundle, native.Options{Threads: o.Threads, Ranks: o.Ranks})
	},
}

// nativeMissing says why no native code can be made here.
func nativeMissing() error {
	if _, err := toolchain.Find(); err != nil {
		return err
	}
	return cpu.Detect().CanRun(cpu.Baseline)
}

func buildNative(ctx context.Context, p *ir.Program, o MachineOptions) (*codegen.Bundle, error) {
	level, err := isaLevel(o.ISA)
	if err != nil {
		return nil, err
	}
	b, err := llvm.Compile(ctx, p, llvm.Options{ISA: level})
	return b, cannotCompile(err)
}

// HostISA stands for the highest level that this machine runs.
const HostISA = "host"

func isaLevel(name string) (cpu.Level, error) {
	if name == "" || name == HostISA {
		return cpu.Detect().Level, nil
	}
	return cpu.ParseLevel(name)
}

// cannotCompile makes a diagnostic of what LLVM's side of the compiler cannot do, at the op's
// place in the program where it has one.
func cannotCompile(err error) error {
	var e *llvm.Error
	var missing *toolchain.NotFoundError
	var refused *toolchain.CompileError
	d := &diag.Diagnostic{Code: CodeLLVM, Fix: "--target ref runs it, slowly; vitc doctor shows the libLLVM in use"}
	switch {
	case err == nil, errors.As(err, &missing), errors.Is(err, context.Canceled), errors.Is(err, ErrInterrupted):
		return err
	case errors.As(err, &e):
		d.Msg = fmt.Sprintf("no native code for %s: %v", e.Op, e.Err)
		if e.Pos != nil {
			d.Pos = e.Pos.Pos
		}
	case errors.As(err, &refused):
		d.Msg = firstLine(refused.Error())
	default:
		d.Msg = "LLVM cannot be used: " + firstLine(err.Error())
	}
	return d
}

// emitters are the stages of native code that a dump shows.
var emitters = []emitter{
	{"plan", "where values lie in memory, and when", func(_ context.Context, p *ir.Program, _ MachineOptions) ([]byte, error) {
		return planText(p.Module), nil
	}},
	{"llvm", "LLVM's text of every kernel, as generated", emitLLVM},
	{"asm", "assembly of every kernel", emitAssembly},
	{"object", "object files of every kernel, in an ar archive", emitObjects},
}

func generate(p *ir.Program, o MachineOptions) (*llvm.Code, error) {
	level, err := isaLevel(o.ISA)
	if err != nil {
		return nil, err
	}
	code, err := llvm.Generate(p.Module, level)
	return code, cannotCompile(err)
}

func emitLLVM(_ context.Context, p *ir.Program, o MachineOptions) ([]byte, error) {
	code, err := generate(p, o)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, m := range code.Modules {
		fmt.Fprintf(&b, "; module %s\n%s\n", m.Name, m.Text)
	}
	return b.Bytes(), nil
}

func emitAssembly(ctx context.Context, p *ir.Program, o MachineOptions) ([]byte, error) {
	code, err := generate(p, o)
	if err != nil {
		return nil, err
	}
	texts, err := code.Translate(ctx, nil, toolchain.Assembly)
	return bytes.Join(texts, []byte("\n")), err
}

func emitObjects(ctx context.Context, p *ir.Program, o MachineOptions) ([]byte, error) {
	code, err := generate(p, o)
	if err != nil {
		return nil, err
	}
	objects, err := code.Translate(ctx, nil, toolchain.Object)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(objects))
	for i, m := range code.Modules {
		names[i] = m.Name + ".o"
	}
	return archive(names, objects), nil
}

// archive puts files into an ar archive of System V's form, which nm and objdump read:
// "!<arch>\n", a member // with the names, each ending in "/\n", then the files, which refer
// to their names by place. Members begin at even places.
func archive(names []string, files [][]byte) []byte {
	var table bytes.Buffer
	places := make([]int, len(names))
	for i, name := range names {
		places[i] = table.Len()
		table.WriteString(name + "/\n")
	}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	member := func(name string, data []byte) {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, 0, 0, 0, 0o644, len(data))
		b.Write(data)
		if len(data)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	member("//", table.Bytes())
	for i, data := range files {
		member(fmt.Sprintf("/%d", places[i]), data)
	}
	return b.Bytes()
}

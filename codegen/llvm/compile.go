package llvm

import (
	"context"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/toolchain"
	"vitc/ir"
)

// Options say how a program is compiled.
type Options struct {
	ISA      cpu.Level
	Compiler *toolchain.Compiler // nil: one with its defaults, for this call
}

// Compile compiles a program, whose module has been through the passes of target cpu. The
// error is an *Error where an op has no code for the CPU, a *toolchain.NotFoundError where
// there is no LLVM, and a *toolchain.CompileError where LLVM refused a module.
func Compile(ctx context.Context, p *ir.Program, o Options) (*codegen.Bundle, error) {
	code, err := Generate(p.Module, o.ISA)
	if err != nil {
		return nil, err
	}
	objects, err := code.Translate(ctx, o.Compiler, toolchain.Object)
	if err != nil {
		return nil, err
	}
	b := &codegen.Bundle{Program: p, Target: "cpu", ISA: o.ISA.String(), Plan: code.Plan, IR: p.Module.String()}
	for i, m := range code.Modules {
		b.Objects = append(b.Objects, codegen.Object{Name: m.Name, Kernels: m.Kernels, Code: objects[i]})
	}
	return b, nil
}

// Translate has LLVM make objects, assembly, or optimised LLVM text of every module, in their
// order.
func (c *Code) Translate(ctx context.Context, by *toolchain.Compiler, kind toolchain.Kind) ([][]byte, error) {
	if by == nil {
		own, err := toolchain.New(toolchain.Options{})
		if err != nil {
			return nil, err
		}
		defer own.Close()
		by = own
	}
	triple, name, features := c.ISA.LLVM()
	rs := make([]toolchain.Request, len(c.Modules))
	for i, m := range c.Modules {
		rs[i] = toolchain.Request{Name: m.Name, Triple: triple, CPU: name, Features: features,
			Passes: llvmPasses, Opt: 2, Kind: kind, Text: m.Text}
	}
	return by.CompileAll(ctx, rs)
}

// llvmPasses clean up what generators emit without care: equal addresses and dead values.
const llvmPasses = "function(early-cse)"

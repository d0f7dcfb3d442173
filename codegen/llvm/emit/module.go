package emit

import (
	"bytes"
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"

	"vitc/codegen/llvm/cpu"
)

// Module is an LLVM module under construction, for one instruction set level. It is not
// safe for concurrent use.
type Module struct {
	ISA   cpu.Level
	mod   *ir.Module
	funcs map[string]*ir.Func // declared and defined, by name
}

// NewModule returns an empty module.
func NewModule(isa cpu.Level) *Module {
	m := &Module{ISA: isa, mod: ir.NewModule(), funcs: map[string]*ir.Func{}}
	m.mod.TypeDefs = append(m.mod.TypeDefs, ptrDef)
	m.mod.TargetTriple, _, _ = isa.LLVM()
	return m
}

// Text returns the module as LLVM text, for toolchain.Request.
func (m *Module) Text() []byte {
	var b bytes.Buffer
	m.mod.WriteTo(&b) // a bytes.Buffer cannot fail
	return b.Bytes()
}

// declare returns the function of a name, declared on first use.
func (m *Module) declare(name string, ret types.Type, params ...types.Type) *ir.Func {
	if f, ok := m.funcs[name]; ok {
		return f
	}
	ps := make([]*ir.Param, len(params))
	for i, t := range params {
		ps[i] = ir.NewParam("", t)
	}
	f := m.mod.NewFunc(name, ret, ps...)
	m.funcs[name] = f
	return f
}

// Param returns a parameter for Module.Func.
func Param(name string, t types.Type) *ir.Param { return ir.NewParam(name, t) }

// NoAlias returns a pointer parameter whose memory is reached by no other parameter.
func NoAlias(name string) *ir.Param {
	p := ir.NewParam(name, Ptr)
	p.Attrs = append(p.Attrs, enum.ParamAttrNoAlias)
	return p
}

// Func begins a function that other objects cannot see and returns the builder of its
// body. A name in use is an error of the caller's and panics.
func (m *Module) Func(name string, ret types.Type, params ...*ir.Param) *Builder {
	b := m.define(name, ret, params...)
	b.fn.Linkage = enum.LinkageInternal
	return b
}

func (m *Module) define(name string, ret types.Type, params ...*ir.Param) *Builder {
	if _, ok := m.funcs[name]; ok {
		panic(fmt.Sprintf("emit: function %q is defined twice", name))
	}
	f := m.mod.NewFunc(name, ret, params...)
	f.FuncAttrs = append(f.FuncAttrs, enum.FuncAttrNoUnwind,
		// Or LLVM would turn loops into calls of memset and memcpy, which no one defines.
		ir.AttrPair{Key: "no-builtins"},
		ir.AttrPair{Key: "prefer-vector-width", Value: fmt.Sprint(m.ISA.VectorBits())})
	m.funcs[name] = f
	entry := f.NewBlock("entry")
	return &Builder{m: m, fn: f, entry: entry, cur: entry}
}

// Has reports whether a function of this name was defined or declared.
func (m *Module) Has(name string) bool { return m.funcs[name] != nil }

// KernelArgs are the parameters of a kernel.
type KernelArgs struct {
	Args    *ir.Param // pointer to an array of pointers to operands
	Lo, Hi  *ir.Param // i64: the tasks to do are [Lo, Hi)
	Scratch *ir.Param // pointer to memory of the calling thread
}

// Kernel begins an exported function of the signature that elfload.Call calls:
//
//	void name(ptr args, i64 lo, i64 hi, ptr scratch)
func (m *Module) Kernel(name string) (*Builder, KernelArgs) {
	k := KernelArgs{Param("args", Ptr), Param("lo", I64), Param("hi", I64), Param("scratch", Ptr)}
	return m.define(name, Void, k.Args, k.Lo, k.Hi, k.Scratch), k
}

// NoInline keeps calls of the function calls, so that a micro-kernel keeps all registers.
func (b *Builder) NoInline() *Builder {
	b.fn.FuncAttrs = append(b.fn.FuncAttrs, enum.FuncAttrNoInline)
	return b
}

// Inline has calls of the function replaced by its body, when a pass inlines.
func (b *Builder) Inline() *Builder {
	b.fn.FuncAttrs = append(b.fn.FuncAttrs, enum.FuncAttrAlwaysInline)
	return b
}

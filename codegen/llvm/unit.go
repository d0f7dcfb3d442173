package llvm

import (
	"fmt"

	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/emit"
	"vitc/ir"
)

// unit is the code of one fusion: kernels in a module, to be called one after the other.
type unit struct {
	name   string // of the module; kernels' names begin with it
	module *emit.Module
	chunks chunking // of sums in kernels of kind loop
	calls  []call
	temp   int // bytes of memory that the calls share
}

// call is one kernel to run.
type call struct {
	kernel  string
	args    []ref
	tasks   int
	scratch int // bytes a thread
}

// ref is what a kernel's argument points at: an operand or a result of the fusion, or temp
// memory of the unit.
type ref struct {
	kind   refKind
	index  int // of the operand or result
	offset int // into temp
	bytes  int
}

type refKind uint8

const (
	operand refKind = iota
	result
	temp
)

func operandRef(op *ir.Op, i int) ref {
	return ref{kind: operand, index: i, bytes: op.In[i].Type.Bytes()}
}

func resultRef(op *ir.Op, i int) ref {
	return ref{kind: result, index: i, bytes: op.Out[i].Type.Bytes()}
}

// refs lists a fusion's operands, then its results.
func refs(op *ir.Op) []ref {
	var rs []ref
	for i := range op.In {
		rs = append(rs, operandRef(op, i))
	}
	for i := range op.Out {
		rs = append(rs, resultRef(op, i))
	}
	return rs
}

// reserve takes temp memory, aligned to a cache line.
func (u *unit) reserve(bytes int) ref {
	r := ref{kind: temp, offset: u.temp, bytes: bytes}
	u.temp += (bytes + 63) &^ 63
	return r
}

// next names the unit's next kernel: the first as the unit.
func (u *unit) next() string {
	if len(u.calls) == 0 {
		return u.name
	}
	return fmt.Sprintf("%s_%d", u.name, len(u.calls))
}

// redirect has the calls read operand to[i] where they read operand first+i. Operands are told
// apart by number and never by value: other fusions, of other values, share the code.
func (u *unit) redirect(first int, to []int) {
	for _, c := range u.calls {
		for i := range c.args {
			if a := &c.args[i]; a.kind == operand && a.index >= first {
				a.index = to[a.index-first]
			}
		}
	}
}

// newUnit generates the code of a fusion.
func newUnit(name string, op *ir.Op, isa cpu.Level, chunks chunking) *unit {
	u := &unit{name: name, module: emit.NewModule(isa), chunks: chunks}
	switch kind := op.Attrs.(*ir.FusionAttrs).Kind; kind {
	case "loop":
		u.loop(op)
	case "gemm":
		u.dot(op)
	case "copy":
		u.copy(op)
	default:
		failf(op, "there is no kernel of kind %q; kinds: loop, gemm, copy", kind)
	}
	return u
}

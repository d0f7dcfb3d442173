package llvm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math"

	"vitc/codegen/llvm/cpu"
	"vitc/ir"
)

// kernelName names the code of a fusion by what it computes: kind, shapes, ops and literals,
// but no value's or dim's name and no place; chunks says how its sums are cut. Equal fusions have equal names, in whatever
// program they stand.
func kernelName(op *ir.Op, isa cpu.Level, chunks chunking) string {
	h := &hasher{Hash: sha256.New(), ids: map[*ir.Value]int{}}
	h.put("%v %d", isa, chunks)
	h.region(op.Body)
	kind := op.Attrs.(*ir.FusionAttrs).Kind
	return kind + "_" + hex.EncodeToString(h.Sum(nil))[:16]
}

type hasher struct {
	hash.Hash
	ids map[*ir.Value]int
}

func (h *hasher) put(format string, args ...any) { fmt.Fprintf(h, format+";", args...) }

func (h *hasher) define(v *ir.Value) {
	h.ids[v] = len(h.ids)
	h.put("%v%v", v.Type.DType, v.Type.Shape())
}

func (h *hasher) use(v *ir.Value) {
	if v.Lit != nil {
		h.put("%v %x", v.Type.DType, math.Float64bits(*v.Lit))
		return
	}
	h.put("%d", h.ids[v])
}

func (h *hasher) region(r *ir.Region) {
	for _, p := range r.Params {
		h.define(p)
	}
	for _, op := range r.Ops {
		h.put("%s%v%v", op.Row.Name, op.Rule, op.Attrs)
		for _, v := range op.In {
			h.use(v)
		}
		for _, v := range op.Out {
			h.define(v)
		}
	}
	for _, v := range r.Yield {
		h.use(v)
	}
}

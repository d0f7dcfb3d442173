// Package draw makes pictures of how the devices of a mesh hold tensors, and of what they exchange
// around products: a panel for each step, in SVG that stands alone.
package draw

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"vitc/ir"
)

// Panel is one step: what is read, what is done, what comes of it.
type Panel struct {
	Title    string // all_gather over data, or dot [bw,wm->bm]
	Place    string // the line of the program
	Sign     string // between operands
	Operands []Tensor
	Result   Tensor
}

// Steps are the products and exchanges of the instance at a path, and of those inside it, in the
// order of the function; "" is all of them. The module is partitioned.
func Steps(m *ir.Module, f *ir.Func, path string) []Panel {
	d := &drawer{mesh: m.Mesh, cuts: map[*ir.Value][]cut{}, terms: map[*ir.Value]int{}}
	f.Body.Walk(func(op *ir.Op) {
		d.follow(op)
		if d.shown(op) && under(op, path) {
			d.panel(op)
		}
	})
	return d.panels
}

// drawer walks a function.
type drawer struct {
	mesh   ir.Mesh
	panels []Panel
	cuts   map[*ir.Value][]cut // of values that vary, what their shardings do not say
	terms  map[*ir.Value]int   // how many terms of a sum over a ring a value has
}

// cut says which block of a dim a device holds: that of the device Off places on along Over.
type cut struct {
	over []string
	off  int
}

// shown reports whether an op is a step: it brings numbers from device to device, multiplies
// matrices, or adds the last term of a ring.
func (d *drawer) shown(op *ir.Op) bool {
	switch {
	case op.ProductFlops() > 0:
		return true
	case op.Row.Class == ir.Collective:
		_, own := op.Attrs.(*ir.BlockAttrs)
		return len(op.In) > 0 && !own
	}
	return d.adds(op) && len(op.Out[0].Type.Shard.Varies()) == 0
}

// adds reports whether an op adds up terms of a ring.
func (d *drawer) adds(op *ir.Op) bool { return op.Row.Name == "add" && d.terms[op.Out[0]] > 0 }

func under(op *ir.Op, path string) bool {
	if path == "" {
		return true
	}
	return op.Pos != nil && (op.Pos.Path == path || strings.HasPrefix(op.Pos.Path, path+"."))
}

// follow keeps track of what varies: of blocks that go round, and of products with them.
func (d *drawer) follow(op *ir.Op) {
	if op.Row.Name == "fence" {
		d.through(op)
		return
	}
	if len(op.Out) != 1 {
		return
	}
	out := op.Out[0]
	d.count(op)
	if len(out.Type.Shard.Varies()) == 0 {
		return // its sharding says all
	}
	switch a := op.Attrs.(type) {
	case *ir.BlockAttrs:
		cuts := slices.Clone(d.cutsOf(op.In[0]))
		cuts[a.Dim] = cut{a.Over, a.Step}
		d.cuts[out] = cuts
	case *ir.PermuteAttrs:
		cuts := slices.Clone(d.cutsOf(op.In[0]))
		for i, c := range cuts {
			if slices.Equal(c.over, a.Over) {
				cuts[i].off -= a.Step
			}
		}
		d.cuts[out] = cuts
	default:
		d.along(op)
	}
}

// through gives the results of a fence what is known of its operands.
func (d *drawer) through(fence *ir.Op) {
	for i, x := range fence.In {
		out := fence.Out[i]
		d.terms[out] = d.terms[x]
		if cuts, ok := d.cuts[x]; ok {
			d.cuts[out] = cuts
		}
	}
}

// count says how many terms of a sum an op's result has.
func (d *drawer) count(op *ir.Op) {
	out := op.Out[0]
	switch {
	case op.ProductFlops() > 0 && d.sums(op):
		d.terms[out] = 1
	case op.Row.Name == "permute" || op.Row.Name == "cast":
		d.terms[out] = d.terms[op.In[0]]
	case op.Row.Name == "add":
		if x, y := d.terms[op.In[0]], d.terms[op.In[1]]; x > 0 && y > 0 {
			d.terms[out] = x + y
		}
	}
}

// along gives an op's result the cuts that its factors have in the operands.
func (d *drawer) along(op *ir.Op) {
	r := ir.RuleOf(op)
	if len(r.Out) != 1 {
		return
	}
	of := map[int]cut{}
	for i, x := range op.In {
		for k, c := range d.cutsOf(x) {
			if f := r.In[i][k]; len(f) == 1 && len(c.over) > 0 {
				of[f[0]] = c
			}
		}
	}
	cuts := make([]cut, len(r.Out[0]))
	for k, f := range r.Out[0] {
		if len(f) == 1 {
			cuts[k] = of[f[0]]
		}
	}
	d.cuts[op.Out[0]] = cuts
}

// cutsOf is how the dims of a value are cut: as was noted, or as its sharding says.
func (d *drawer) cutsOf(v *ir.Value) []cut {
	if cuts, ok := d.cuts[v]; ok {
		return cuts
	}
	cuts := make([]cut, v.Type.Rank())
	for i := range cuts {
		cuts[i].over = v.Type.Shard.Of(i)
	}
	return cuts
}

// sums reports whether a product sums over blocks that go round.
func (d *drawer) sums(op *ir.Op) bool {
	r := ir.RuleOf(op)
	for i, x := range op.In {
		for k, c := range d.cuts[x] {
			if len(c.over) > 0 && r.Factors[r.In[i][k][0]].Kind == ir.Contracted {
				return true
			}
		}
	}
	return false
}

// panel draws one op.
func (d *drawer) panel(op *ir.Op) {
	p := Panel{Title: title(op), Sign: "·", Result: d.tensor(op.Out[0])}
	if d.adds(op) {
		p.Sign = "+"
	}
	for _, x := range op.In {
		if x.Lit == nil {
			p.Operands = append(p.Operands, d.tensor(x))
		}
	}
	if op.Pos != nil && op.Pos.Valid() {
		p.Place = fmt.Sprintf("%s:%d", filepath.Base(op.Pos.File), op.Pos.Line)
	}
	d.panels = append(d.panels, p)
}

// title says what an op does.
func title(op *ir.Op) string {
	t := op.Row.Name
	if rule := op.Rule.String(); rule != "" {
		t += " " + rule
	}
	if over := ir.Over(op.Attrs); len(over) > 0 {
		t += " over " + strings.Join(over, ", ")
	}
	switch a := op.Attrs.(type) {
	case *ir.PermuteAttrs:
		t += fmt.Sprintf(", %d on", a.Step)
	case *ir.ReduceOverAttrs:
		if a.Kind != "sum" {
			t += ", " + a.Kind
		}
	}
	return t
}

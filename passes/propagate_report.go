package passes

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// largeTensor is the size in bytes from which on a tensor that the plan would cut, and that an op
// needs whole, is reported.
const largeTensor = 16 << 20

// say passes a diagnostic on: errors refuse the program, the rest is a note.
func (c *Context) say(d *diag.Diagnostic) {
	if d.Severity == diag.Error {
		c.Refuse(d)
		return
	}
	c.Note(d)
}

// replicated reports an operand that is cut where it comes from, along a dim that the op needs
// whole, if it is large.
func (s *scope) replicated(op *ir.Op, v *view, i int) {
	x := op.In[i]
	if x.Lit != nil || x.Type.Bytes() < largeTensor {
		return
	}
	for d, fs := range v.in[i] {
		axes := axesOf(s.p.homes.dims[x], d)
		if len(axes) > 0 && !v.cuttable(s.p.mesh, fs, axes) {
			s.p.c.Note(gathered(op, x.Type, d, axes, s.p.mesh))
			return
		}
	}
}

// cuttable reports whether an op can work on a dim of factors as it is cut.
func (v *view) cuttable(mesh ir.Mesh, fs ir.DimFactors, axes []string) bool {
	per, ok := v.deal(mesh, fs, axes)
	for k, f := range fs {
		ok = ok && v.admits(mesh, f, per[k])
	}
	return ok
}

// wholeTurns reports a large operand of a scan that is cut along the dim of turns, which every device
// runs through.
func (s *scope) wholeTurns(op *ir.Op, i int) {
	x := op.In[i]
	if axes := axesOf(s.p.homes.dims[x], 0); len(axes) > 0 && x.Type.Bytes() >= largeTensor {
		s.p.c.Note(gathered(op, x.Type, 0, axes, s.p.mesh))
	}
}

// wholeState reports the large leaves of a function's state that no line of the plan cuts, where
// some line speaks of parameters.
func wholeState(c *Context, f *ir.Func, args []*ir.Sharding) {
	if !slices.ContainsFunc(c.Plan.Shard, func(l ir.ShardLine) bool { return l.Params }) {
		return
	}
	d := &diag.Diagnostic{Code: CodeReplicated, Pos: c.Plan.Pos, Fix: "a line `params.AXIS: MESH AXES` for an axis of theirs"}
	total := 0
	for i, v := range f.Body.Params {
		if f.Args[i].Role == ir.RoleState && args[i] == nil && v.Type.Bytes() >= largeTensor {
			total += v.Type.Bytes()
			d.Notes = append(d.Notes, diag.Note{Text: fmt.Sprintf("%s: %s, %s", f.Args[i].Name, v.Type, size(v.Type.Bytes()))})
		}
	}
	if total > 0 {
		d.Msg = fmt.Sprintf("@%s: %s of its state are whole on every device: no line of the plan cuts them", f.Name, size(total))
		c.Note(d)
	}
}

// gathered says that an op makes devices hold a dim whole.
func gathered(op *ir.Op, t ir.Type, dim int, axes []string, mesh ir.Mesh) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: CodeReplicated,
		Msg: fmt.Sprintf("%s needs %s of %s, %s, whole: it is gathered over %s", op.Row.Name, t.Dims[dim].Label, t.Sharded(nil), size(t.Bytes()), devices(axes, mesh.Size(axes...))),
		Fix: "a plan that leaves " + t.Dims[dim].Label + " whole there, or a size that the devices divide",
	}
	if op.Pos != nil {
		d.Pos = op.Pos.Pos
	}
	return d
}

// size prints a number of bytes.
func size(n int) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

package passes

import (
	"fmt"

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
		for _, f := range fs {
			if len(axes) > 0 && !v.admits(s.p.mesh, f, axes) {
				s.p.c.Note(gathered(op, x.Type, d, axes, s.p.mesh))
				return
			}
		}
	}
}

// gathered says that an op makes devices hold a dim whole.
func gathered(op *ir.Op, t ir.Type, dim int, axes []string, mesh ir.Mesh) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: CodeReplicated,
		Msg: fmt.Sprintf("%s needs %s of %s whole: %s are gathered over %s", op.Row.Name, t.Dims[dim].Label, t.Sharded(nil), size(t.Bytes()), devices(axes, mesh.Size(axes...))),
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

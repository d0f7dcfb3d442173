package passes

import (
	"vitc/ir"
	"vitc/ir/diag"
)

// Config is what passes may know beside the module: the target, and where the program's tensors
// are to lie.
type Config struct {
	Target Target
	Plan   *ir.Plan // nil: one device, and the module goes through as it is
	// Ordered: sums over examples are to be the same to the last bit on 1, 2, 4 and 8 devices.
	Ordered bool
	// Eager: communication is overlapped wherever it can be, whether it pays or not.
	Eager bool
	Remat func(Remat)       // is told what autodiff keeps of each loop; may be nil
	Why   func(*Derivation) // is told why propagate cut each function's values as it did; may be nil
}

// Target describes the machine that code is generated for, as far as passes care.
type Target struct {
	Name string // cpu, ref, xla
}

// OrderBinds reports whether ops run in the order in which they stand; XLA starts a transfer when it
// thinks best.
func (t Target) OrderBinds() bool { return t.Name == "cpu" || t.Name == "ref" }

// Context is a pass's view of one run: the configuration, and where it says what the user
// should know.
type Context struct {
	Config
	notes   diag.List // what the pass has to report: warnings
	refused diag.List // why the program cannot be compiled as the plan wants it
}

// Note reports a fact that the user should know and that stops nothing.
func (c *Context) Note(d *diag.Diagnostic) {
	d.Severity = diag.Warning
	c.notes.Add(d)
}

// Refuse reports what keeps the program from being compiled under its configuration. The pass
// may go on, to find more; the run ends after it.
func (c *Context) Refuse(d *diag.Diagnostic) { c.refused.Add(d) }

// Package passes holds the transformations of the IR: a table with a row a pass, and one driver
// that verifies, times and dumps. A pass is a file with one function and a row here.
package passes

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"vitc/ir"
	"vitc/ir/diag"
)

// Pass is one row of the table.
type Pass struct {
	Name string
	Doc  string // one line for --help and the manual
	// After lists passes that must stand before this one in any pipeline that has both, each
	// with the reason; checked at start.
	After map[string]string
	// Needs says what the pass needs and the module lacks, "" where it can be run; nil where
	// it always can.
	Needs func(*ir.Module) string
	// Phase is the phase the module is in once the pass has run ("" leaves it).
	Phase ir.Phase
	Run   func(*ir.Module, *Context)
}

// Options of a run. After is called after each pass with its name and whether the module
// changed; Time and Note too, Note with what the pass reported. All three may be nil.
type Options struct {
	Config Config
	After  func(name string, m *ir.Module, changed bool)
	Time   func(name string, d time.Duration)
	Note   func(name string, d *diag.Diagnostic)
	// Quick leaves out what only a broken pass needs: the text to run it again by, and verifying but
	// before the first pass and after the last. After is told of every pass that it changed something.
	Quick bool
}

// Crash is a pass that broke an invariant or panicked; Input is the module's text before it,
// which `vitc opt` runs again.
type Crash struct {
	Pass  string
	Input string
	Err   error
	Stack string
}

func (c *Crash) Error() string { return fmt.Sprintf("pass %s: %v", c.Pass, c.Err) }

func (c *Crash) Unwrap() error { return c.Err }

// TooEarly says that a pass was asked for before one whose work it needs.
type TooEarly struct{ Pass, Needs string }

func (e *TooEarly) Error() string { return fmt.Sprintf("pass %s: %s", e.Pass, e.Needs) }

// Lookup finds a pass by name, nil if there is none.
func Lookup(name string) *Pass {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// Table lists the passes in pipeline order.
func Table() []Pass { return table }

// Pipeline names the passes that a target's code goes through.
func Pipeline(target string) []string {
	name, _, _ := strings.Cut(target, ":") // xla:cuda has the passes of xla
	return slices.Clone(pipelines[name])
}

// Run takes the module through the named passes, verifying it before the first and after each.
// On failure the error is a *Crash, a *TooEarly, or a diag.List of what a pass refuses.
func Run(m *ir.Module, names []string, o Options) error {
	if err := ir.Verify(m); err != nil {
		return &Crash{Pass: "input", Input: m.String(), Err: err}
	}
	for i, name := range names {
		p := Lookup(name)
		if p == nil {
			return fmt.Errorf("there is no pass %q; passes: %s", name, strings.Join(Names(), ", "))
		}
		if p.Needs != nil {
			if lack := p.Needs(m); lack != "" {
				return &TooEarly{name, lack}
			}
		}
		before := ""
		if !o.Quick {
			before = m.String()
		}
		start := time.Now()
		ctx := &Context{Config: o.Config}
		if err := runOne(p, m, ctx, before, !o.Quick || i == len(names)-1); err != nil {
			return err
		}
		if o.Note != nil {
			for _, d := range ctx.notes {
				o.Note(name, d)
			}
		}
		if o.Time != nil {
			o.Time(name, time.Since(start))
		}
		if o.After != nil {
			o.After(name, m, o.Quick || m.String() != before)
		}
	}
	return nil
}

// Names lists the passes' names in the table's order.
func Names() []string {
	var names []string
	for _, p := range table {
		names = append(names, p.Name)
	}
	return names
}

func runOne(p *Pass, m *ir.Module, ctx *Context, before string, verify bool) (err error) {
	crash := func(e error) error {
		return &Crash{Pass: p.Name, Input: before, Err: e, Stack: string(debug.Stack())}
	}
	defer func() {
		if x := recover(); x != nil {
			if e, ok := x.(error); ok {
				err = crash(e)
			} else {
				err = crash(fmt.Errorf("%v", x))
			}
		}
	}()
	p.Run(m, ctx)
	if len(ctx.refused) > 0 {
		return ctx.refused.Err()
	}
	if p.Phase != "" {
		m.Phase = p.Phase
	}
	if !verify {
		return nil
	}
	if e := ir.Verify(m); e != nil {
		return crash(e)
	}
	return nil
}

// Package command holds the commands of vitc, a file each. It only reads the command line
// and shows results: what a command does is in the driver.
package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"vitc/driver"
)

// app is what every command works with.
type app struct {
	in        io.Reader
	out, err  io.Writer
	lost      error           // the first error of writing results to out
	colourErr bool            // err shows colours
	interrupt *interrupt      // the user's wish to stop
	sources   *driver.Sources // every file read, for excerpts
}

// Main runs vitc with the arguments after its name and returns the exit status.
func Main(args []string) int {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, sources: driver.NewSources()}
	a.colourErr = term.IsTerminal(int(os.Stderr.Fd())) && colours()
	a.interrupt = watchInterrupts(a.err)
	defer a.interrupt.release()
	return a.fail(a.delivered(guard(args, func() error { return a.execute(args) })))
}

// guard turns a panic into an internal error: nobody who uses vitc is shown a trace of it.
func guard(args []string, run func() error) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = driver.Panicked(x, debug.Stack(), args)
		}
	}()
	return run()
}

// execute parses the arguments and runs the command that they name.
func (a *app) execute(args []string) error {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return root.ExecuteContext(a.interrupt.ctx)
}

// fail prints an error, if there is one, and returns the exit status that stands for it.
func (a *app) fail(err error) int {
	if err == nil {
		return driver.ExitOK
	}
	if list := driver.Diagnose(err); len(list) > 0 {
		a.printDiagnostics(list)
	}
	return driver.ExitStatus(err)
}

// context returns the command's context, which the first interrupt cancels.
func commandContext(c *cobra.Command) context.Context {
	if ctx := c.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// note prints a line of remark where errors go.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

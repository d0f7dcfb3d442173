package driver

import (
	"context"

	"vitc/codegen"
	"vitc/ir"
	"vitc/runtime/dist"
	"vitc/runtime/ref"
)

// Auto stands for the first target of the table that this machine can use.
const Auto = "auto"

// Target is one row of the table of targets: what a program can be compiled for.
type Target struct {
	Name string
	Doc  string
	// Devices says that the target runs a program laid out over many devices.
	Devices bool
	// Ranks says that it runs a device of them in each process of a job.
	Ranks bool
	// Missing says why this machine cannot use the target, nil if it can.
	Missing func() error
	// build compiles a program that has been through the target's passes; nil where there is
	// nothing to compile.
	build func(context.Context, *ir.Program, MachineOptions) (*codegen.Bundle, error)
	// open makes a program that has been built ready to run.
	open func(b *Built, o MachineOptions) (codegen.Machine, error)
}

// MachineOptions say how a target compiles and runs.
type MachineOptions struct {
	Threads int    // 0: one a CPU
	ISA     string // instruction set level; "" or "host": the machine's own
	// Ranks are this process's ends of a job's transport, of a target that runs over ranks; nil: all
	// devices are here.
	Ranks []dist.Transport
}

// targets lists them, the fastest first.
var targets = []Target{
	nativeRow,
	{
		Name:    "ref",
		Doc:     "interpreter, slow, needs nothing",
		Devices: true,
		Missing: func() error { return nil },
		open: func(b *Built, _ MachineOptions) (codegen.Machine, error) {
			return ref.Open(b.Program)
		},
	},
	xlaRow, // Auto never gets here: the interpreter needs nothing
	cudaRow,
}

// Targets lists the targets, the fastest first.
func Targets() []Target { return targets }

// targetNamed finds a target, nil if there is none.
func targetNamed(name string) *Target {
	for i := range targets {
		if targets[i].Name == name {
			return &targets[i]
		}
	}
	return nil
}

// ChooseTarget resolves a name given on the command line. For Auto it takes the first
// target that this machine can use; why, if not empty, says in a line what was passed over.
func ChooseTarget(name string) (t *Target, why string, err error) {
	if name != Auto {
		t := targetNamed(name)
		if t == nil {
			return nil, "", usagef(CodeValue, "", "there is no target %q", name)
		}
		return t, "", t.Missing()
	}
	for i := range targets {
		missing := targets[i].Missing()
		if missing == nil {
			return &targets[i], why, nil
		}
		if why == "" {
			why = firstLine(missing.Error()) + ": running on the interpreter, which is slow; `vitc doctor` says what to do"
		}
		err = missing
	}
	return nil, "", err
}

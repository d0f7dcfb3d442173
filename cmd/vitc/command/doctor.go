package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"vitc/driver"
)

// doctor makes `vitc doctor`.
func (a *app) doctor() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine offers and what it lacks",
		Long: `Doctor looks at the processor, the LLVM library that native code is compiled with, the PJRT
plugins through which XLA does, Open MPI, the data folders and the cache, and says what to do where something is missing.`,
		Example: `  vitc doctor
  vitc doctor --json | jq .llvm.path`,
		Args: between(0, 0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			facts := driver.Examine(commandContext(c))
			if asJSON {
				return a.printJSON(facts)
			}
			a.printFacts(facts)
			return nil
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) printFacts(f driver.Facts) {
	row := func(name, format string, args ...any) {
		a.printf("%-9s%s\n", name, fmt.Sprintf(format, args...))
	}
	row("vitc", "%s, %s", f.Version.Version, f.Version.Platform)
	row("cpu", "%s%s, %d cores, L1d %s, L2 %s, L3 %s", f.CPU.Level, extras(f.CPU), f.CPU.Cores, size(int64(f.CPU.L1D)), size(int64(f.CPU.L2)), size(int64(f.CPU.L3)))
	a.printLLVM(f.LLVM, row)
	for i, p := range f.Plugins {
		a.printPlugin(map[bool]string{true: "plugins"}[i == 0], p, row)
	}
	if f.MPI.Path == "" {
		row("mpi", "Open MPI: not found (%s)", f.MPI.Fix)
	} else {
		row("mpi", "Open MPI: %s (%s)", f.MPI.Path, f.MPI.From)
	}
	row("data", "fashion-subset: built in")
	for _, d := range f.Data {
		if d.Found {
			row("", "%s: %d files, %s", d.Path, d.Files, size(d.Bytes))
		} else {
			row("", "%s: not there (Debian: apt-get install dataset-fashion-mnist)", d.Path)
		}
	}
	switch {
	case f.Cache.Found:
		row("cache", "%s: %d files, %s", f.Cache.Path, f.Cache.Files, size(f.Cache.Bytes))
	case f.Cache.Path != "":
		row("cache", "%s: empty", f.Cache.Path)
	default:
		row("cache", "none: neither XDG_CACHE_HOME nor HOME is set")
	}
	for i, t := range f.Targets {
		state := "ready"
		if !t.Ready {
			state = t.Why
		}
		row(map[bool]string{true: "targets"}[i == 0], "%-9s%s: %s", t.Name, t.Doc, state)
	}
}

func (a *app) printLLVM(f driver.LLVMFacts, row func(string, string, ...any)) {
	switch {
	case f.Path == "":
		row("llvm", "not found")
		for _, l := range f.Looked {
			row("", "%s", l)
		}
	case f.Error != "":
		row("llvm", "%s does not load: %s", f.Path, f.Error)
	default:
		row("llvm", "%s, %s (%s)", f.Version, f.Path, f.From)
		return
	}
	row("", "fix: %s", f.Fix)
}

// printPlugin prints a PJRT plugin in a line. Where none is found it says how to get one; --json
// has the places that were looked at.
func (a *app) printPlugin(name string, p driver.PluginFacts, row func(string, string, ...any)) {
	if p.Path == "" {
		row(name, "%s: not found (%s)", p.Doc, p.Fix)
		return
	}
	version := p.Version
	if version == "" {
		version = "version not known"
	}
	row(name, "%s: %s, %s (%s)", p.Doc, version, p.Path, p.From)
}

func extras(c driver.CPUFacts) string {
	s := ""
	if c.BF16 {
		s += " + bf16"
	}
	if c.VNNI {
		s += " + vnni"
	}
	return s
}

// size prints bytes with a binary unit.
func size(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	x, unit := float64(n), 0
	for x >= 1024 && unit < len(units)-1 {
		x, unit = x/1024, unit+1
	}
	if unit == 0 || x >= 100 {
		return fmt.Sprintf("%.0f %s", x, units[unit])
	}
	return fmt.Sprintf("%.3g %s", x, units[unit])
}

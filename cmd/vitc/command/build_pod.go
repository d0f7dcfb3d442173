package command

import (
	"bytes"
	"context"
	"strings"

	"vitc/driver"
)

// emitStableHLO is what --emit takes for a program on the devices of a topology.
const emitStableHLO = "stablehlo"

// emitPod writes a program in StableHLO, and what to compile it with, into a folder.
func (a *app) emitPod(pod *driver.PodProgram, dir string) error {
	if dir == "" {
		return usage(driver.CodeArgs, "--emit stablehlo writes several files and needs a folder for them", "", "-o DIR")
	}
	files, err := pod.Files()
	if err != nil {
		return err
	}
	return a.writeFolder(dir, files)
}

// buildPod is `vitc build` for the devices of a topology.
func (a *app) buildPod(ctx context.Context, o buildOptions) error {
	if o.emit != emits[0] && o.emit != emitStableHLO {
		return usage(driver.CodeValue, "--emit "+o.emit+" is of programs for this machine", "bundle or stablehlo", "--emit stablehlo -o DIR")
	}
	if o.output == "" && o.source.File == driver.Stdin {
		return usage(driver.CodeArgs, "a program from the standard input has no name for its bundle", "-o FILE.vitb", "vitc build - -o program.vitb")
	}
	pod, warnings, err := driver.LowerPod(a.sources, driver.PodRequest{Source: o.source, Target: o.target, Partitioner: o.partitioner})
	if err != nil {
		return err
	}
	a.printDiagnostics(warnings)
	if o.emit == emitStableHLO {
		return a.emitPod(pod, o.output)
	}
	done := a.waiting("compiling for " + o.target)
	built, err := pod.Compile(ctx)
	done()
	if err != nil {
		return err
	}
	return a.writePod(built, o)
}

// writePod writes a program compiled ahead of time, and says what it is.
func (a *app) writePod(built *driver.PodBuilt, o buildOptions) error {
	var b bytes.Buffer
	if err := built.Encode(&b); err != nil {
		return err
	}
	if o.output == "" {
		o.output = strings.TrimSuffix(o.source.File, ".vit") + ".vitb"
	}
	if err := a.emit(o.output, b.Bytes()); err != nil {
		return err
	}
	r := built.Report(o.output, b.Len())
	if o.json {
		return a.printJSON(r)
	}
	if o.output != driver.Stdin {
		a.printf("%s: %s, plan %s by %s, %s devices, %s; each holds %s of %s; compiled by %s in %.1f s\n", r.File, r.Target, r.Plan, r.Partitioner,
			thousands(r.Devices), size(int64(r.Bytes)), size(r.Memory.Peak), size(r.Capacity), r.Compiler, r.Seconds)
	}
	return nil
}

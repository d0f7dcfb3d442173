package command

import (
	"os"
	"path/filepath"

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
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := writeFile(path, f.Data); err != nil {
			return err
		}
		a.printf("%s\n", path)
	}
	return nil
}

// buildPod is `vitc build` for a topology.
func (a *app) buildPod(o buildOptions) error {
	pod, warnings, err := driver.LowerPod(a.sources, driver.PodRequest{Source: o.source, Target: o.target, Partitioner: o.partitioner})
	if err != nil {
		return err
	}
	a.printDiagnostics(warnings)
	return a.emitPod(pod, o.output)
}

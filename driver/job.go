package driver

import (
	"path/filepath"

	"vitc/ir"
	"vitc/ir/diag"
)

// bundleExt ends the names of built programs.
const bundleExt = ".vitb"

// Job is a program that is to run: read and checked, and compiled already where it comes
// from a bundle.
type Job struct {
	Program  *ir.Program
	Target   *Target
	Built    *Built // nil: still to be compiled
	Warnings diag.List
	Passed   string // a line about a better target that this machine cannot use, or ""
}

// OpenJob reads the file of a program or bundle for the target named, which may be Auto.
func OpenJob(s *Sources, q Source, target string) (*Job, error) {
	job, err := openJob(s, q, target)
	if err == nil && q.Ranks {
		err = overRanks(job.Target)
	}
	return job, err
}

func openJob(s *Sources, q Source, target string) (*Job, error) {
	if filepath.Ext(q.File) == bundleExt {
		return openBundleJob(q, target)
	}
	p, warnings, err := Load(s, q)
	if err != nil {
		return nil, err
	}
	t, passed, err := ChooseTarget(target)
	if err != nil {
		return nil, err
	}
	if err := runsHere(p, t, q.Devices); err != nil {
		return nil, err
	}
	return &Job{Program: p, Target: t, Warnings: warnings, Passed: passed}, nil
}

func openBundleJob(q Source, target string) (*Job, error) {
	built, err := OpenFile(q.File, target)
	if err != nil {
		return nil, err
	}
	if name := built.Program.Name; q.Block != "" && q.Block != name {
		return nil, usagef(CodeTrain, "vitc run "+q.File, "the bundle holds the train block %s, not %s", name, q.Block)
	}
	if len(q.Params) > 0 {
		return nil, usagef(CodeFlag, "build it again with --set", "the parameters of a bundle are settled")
	}
	if n := built.Program.Module.Mesh.Devices(); q.Devices != 0 && q.Devices != n || q.Plan != "" && q.Plan != built.Program.Plan {
		return nil, usagef(CodeFlag, "build it again with --devices or --plan", "the bundle is built for %s", laidOut(built.Program, n))
	}
	return &Job{Program: built.Program, Target: built.Target, Built: built}, nil
}

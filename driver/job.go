package driver

import (
	"context"
	"io"
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
// block names the train block, "" where the file has but one.
func OpenJob(ctx context.Context, s *Sources, file, block, target string, stdin io.Reader) (*Job, error) {
	if filepath.Ext(file) == bundleExt {
		return openBundleJob(file, block, target)
	}
	p, warnings, err := Load(ctx, s, file, block, stdin)
	if err != nil {
		return nil, err
	}
	t, passed, err := ChooseTarget(target)
	if err != nil {
		return nil, err
	}
	return &Job{Program: p, Target: t, Warnings: warnings, Passed: passed}, nil
}

func openBundleJob(file, block, target string) (*Job, error) {
	built, err := OpenFile(file, target)
	if err != nil {
		return nil, err
	}
	if name := built.Program.Name; block != "" && block != name {
		return nil, usagef(CodeTrain, "vitc run "+file, "the bundle holds the train block %s, not %s", name, block)
	}
	return &Job{Program: built.Program, Target: built.Target, Built: built}, nil
}

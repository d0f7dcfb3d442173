package driver

import (
	"errors"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/passes"
)

// passOptions are those of passes for a target and a plan, nil for one device.
func passOptions(target string, plan *ir.Plan) passes.Options {
	return passes.Options{Config: passes.Config{Target: passes.Target{Name: target}, Plan: plan, Ordered: ordered(plan)}}
}

// runPasses takes a module through named passes. A pass that breaks makes an InternalError with
// a reproducer.
func runPasses(m *ir.Module, names []string, o passes.Options) error {
	err := passes.Run(m, names, o)
	var crash *passes.Crash
	if errors.As(err, &crash) {
		return crashed(crash, o.Config.Target.Name)
	}
	var early *passes.TooEarly
	if errors.As(err, &early) {
		return &diag.Diagnostic{Code: CodeIR, Msg: "cannot run " + early.Error(), Fix: "the passes in the order of vitc opt --list"}
	}
	return err
}

// Optimize reads IR text and takes it through the named passes; file stands in messages.
func Optimize(file string, text []byte, names []string, target string) (*ir.Module, error) {
	m, err := ir.Parse(string(text))
	if err != nil {
		return nil, badIR(file, err)
	}
	return m, runPasses(m, names, passOptions(target, nil))
}

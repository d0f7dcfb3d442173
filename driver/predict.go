package driver

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/lang"
	"vitc/runtime/fault"
	"vitc/runtime/leaves"
	"vitc/runtime/predict"
	"vitc/runtime/train"
)

// PredictRequest says what predicts.
type PredictRequest struct {
	Source         // a program or bundle; Block may name a train block or a model
	Eval    string // the eval block, "" where but one predicts
	Target  string
	Machine MachineOptions
	Weights string // a checkpoint, or a folder of them; "": the run's own
}

// Prediction is a program that predicts, opened: what can be wrong without computing has been
// found.
type Prediction struct {
	*predict.Predictor
	Classes  []string // names of classes, where the weights say them
	Warnings diag.List
	Passed   string // a line about a better target that this machine cannot use, or ""

	job     *Job
	weights *leaves.File
	options MachineOptions
}

// OpenPrediction reads the program and finds the weights. The caller closes it.
func OpenPrediction(s *Sources, q PredictRequest) (*Prediction, error) {
	job, err := openPredictionJob(s, q)
	if err != nil {
		return nil, err
	}
	chosen, err := choosePrediction(job.Program, q)
	if err != nil {
		return nil, err
	}
	p := &Prediction{job: job, options: q.Machine, Warnings: job.Warnings, Passed: job.Passed}
	if p.Predictor, err = predict.Open(job.Program, chosen); err != nil {
		return nil, err
	}
	path := q.Weights
	if path == "" {
		path = RunFolder(job.Program.Name, true)
	}
	if p.weights, err = leaves.Open(path); err != nil {
		d := fault.Diagnostic(err, train.CodeCheckpoint, diag.Pos{})
		if q.Weights == "" {
			d.Fix = "--weights FILE, or vitc run " + q.File + " first"
		}
		return nil, d
	}
	p.Classes = p.weights.Classes
	return p, nil
}

// openPredictionJob is OpenJob for a program of which only predictions are wanted, and which
// may have but a model.
func openPredictionJob(s *Sources, q PredictRequest) (*Job, error) {
	if filepath.Ext(q.File) == bundleExt {
		return openBundleJob(q.Source, q.Target)
	}
	p, warnings, err := loadPredictions(s, q.Source, 0)
	if err != nil {
		return nil, err
	}
	t, passed, err := ChooseTarget(q.Target)
	return &Job{Program: p, Target: t, Warnings: warnings, Passed: passed}, err
}

// loadPredictions reads, checks and lowers the predictions of a train block or, by its name or
// where the file has no train block, of a model; for a batch, 0 for the program's own.
func loadPredictions(s *Sources, q Source, batch int) (*ir.Program, diag.List, error) {
	u, list, err := loadUnit(s, q)
	if err != nil {
		return nil, nil, err
	}
	if err := failure(list); err != nil {
		return nil, nil, err
	}
	kind, name, err := chooseDescribed(u, q)
	if err != nil {
		return nil, nil, err
	}
	lower := lang.Lower
	if kind == "model" {
		lower = lang.Predictions
	}
	p, list := lower(u, name, lang.Options{Params: q.Params, Batch: batch})
	if err := failure(list); err != nil {
		return nil, nil, err
	}
	p.Module.Funcs = slices.DeleteFunc(p.Module.Funcs, func(f *ir.Func) bool {
		return !slices.ContainsFunc(p.Predicts, func(q ir.Predict) bool { return q.Funcs[q.Batch] == f.Name || q.Funcs[1] == f.Name })
	})
	p.Evals = nil
	return p, list, nil
}

// choosePrediction finds the prediction that is meant.
func choosePrediction(p *ir.Program, q PredictRequest) (*ir.Predict, error) {
	var names []string
	for i := range p.Predicts {
		if p.Predicts[i].Name == q.Eval || q.Eval == "" && len(p.Predicts) == 1 {
			return &p.Predicts[i], nil
		}
		names = append(names, p.Predicts[i].Name)
	}
	if len(names) == 0 {
		return nil, &diag.Diagnostic{Code: CodeTrain, Msg: fmt.Sprintf("no eval block of %s predicts", p.Name), Pos: diag.Pos{File: q.File},
			Fix: "in an eval block of it: fn predict(image: u8[batch, row, col, channel]) { nn.softmax(f32(net(augment.pixels(image))), over: classes) }"}
	}
	d := &diag.Diagnostic{Code: CodeTrain, Msg: "several eval blocks predict", Pos: diag.Pos{File: q.File}, Expected: "--eval with one of " + strings.Join(names, ", "), Fix: "--eval " + names[0]}
	if q.Eval != "" {
		d.Msg, d.Fix = fmt.Sprintf("no eval block %q predicts", q.Eval), diag.Nearest(q.Eval, names)
	}
	return nil, &UsageError{d}
}

// Predict compiles what the inputs need, loads the weights and runs. Inputs that cannot be read
// are left out and listed; the error is for what ends the run.
func (p *Prediction) Predict(ctx context.Context, inputs []predict.Input, row func(predict.Row) error) (diag.List, error) {
	job := p.job
	if job.Built == nil {
		p.Trim(len(inputs))
		var err error
		if job.Built, err = Build(ctx, job.Program, job.Target, p.options); err != nil {
			return nil, err
		}
	}
	m, err := job.Built.Open(p.options)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return p.run(ctx, m, inputs, row)
}

func (p *Prediction) run(ctx context.Context, m codegen.Machine, inputs []predict.Input, row func(predict.Row) error) (diag.List, error) {
	if err := p.Load(m, p.weights); err != nil {
		return nil, err
	}
	return p.Run(ctx, m, inputs, row)
}

// Close closes the weights.
func (p *Prediction) Close() error { return p.weights.Close() }

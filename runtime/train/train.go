// Package train runs the train block of a program on a machine: it reads batches, takes
// steps, evaluates, keeps checkpoints and resumes from them bit for bit.
package train

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/checkpoint"
	"vitc/runtime/data"
	"vitc/runtime/dist"
)

// Options of a run. The zero value trains as the program says and keeps no checkpoints.
type Options struct {
	Steps           int     // steps in all; 0: what the program says
	Seed            *uint64 // nil: the program's, or that of the checkpoint resumed
	Out             string  // folder for checkpoints; "": none are kept
	CheckpointEvery int     // steps between checkpoints; 0: only at the end
	Resume          bool    // continue from the latest checkpoint of Out
	Workers         int     // goroutines that read data; 0: one a CPU
	Observer        Observer
	// Ranks joins the processes of a job, each of which opens and trains the same program; nil: this
	// one is alone. The first of them tells its observer what happens.
	Ranks dist.Transport
}

// Observer is told what happens. Its methods are called from one goroutine, and the run
// waits for them; an error ends the run.
type Observer interface {
	Begin(b Begin) error
	Step(s Step) error
	Evaluating(name string, done, examples int) error
	Eval(e Eval) error
	Saved(step int, path string) error
	Warn(d *diag.Diagnostic)
}

// Begin says what is about to run.
type Begin struct {
	Program string
	From    int // steps already done
	Steps   int // in all
	Batch   int
	Seed    uint64
	Out     string // folder of the checkpoints, "" where none are kept
}

// Metric is a named number.
type Metric struct {
	Name  string
	Value float64
}

// Step is a step that has been taken. The first is number 1.
type Step struct {
	Step    int
	Metrics []Metric // loss, rate, ...
	Seconds float64  // that the machine took
	Waited  float64  // seconds spent waiting for data
}

// Eval is the result of one evaluation, after Step steps.
type Eval struct {
	Name    string
	Step    int
	Last    bool // no step follows
	Metrics []Metric
	Seconds float64
}

// Summary is what a run came to.
type Summary struct {
	Begin
	Step       int      // steps done
	Loss       float64  // of the last step taken; 0 if none was
	Results    []Metric // of all evaluations at the end, by names such as test.top1
	Checkpoint string   // the last one saved, "" if none
	Seconds    float64  // of training and evaluating
	PerSecond  float64  // examples trained on, a second of training
}

// ErrInterrupted says that the run stopped because its context was cancelled, after
// finishing its step and saving.
var ErrInterrupted = errors.New("interrupted")

// Run is a train block whose data has been opened: what can be wrong without computing
// anything has been found. It belongs to one goroutine.
type Run struct {
	p      *ir.Program
	o      Options
	seed   uint64
	steps  int
	data   *data.Dataset
	evals  []*evaluation
	store  *checkpoint.Store
	from   *checkpoint.Checkpoint // to resume from, nil to begin anew
	begins *beginning             // what comes from files, nil for nothing

	m          codegen.Machine
	begin      Begin
	step       int // steps done
	savedStep  int // of the last checkpoint, -1 if there is none
	savedPath  string
	earlier    map[string][]byte // results of evaluations by name, for those that follow
	pending    string            // the evaluation that was interrupted, "" if none
	metrics    []Metric          // of the last step
	trained    time.Duration
	trainSteps int // taken by this process
}

// Open prepares a run: it finds the checkpoint to resume from, opens all data sets, counts
// the steps and takes hold of the folder. The caller closes the run.
func Open(p *ir.Program, o Options) (*Run, error) {
	if o.Observer == nil || o.Ranks != nil && o.Ranks.Rank() > 0 {
		o.Observer = silent{}
	}
	r := &Run{p: p, o: o, savedStep: -1}
	for _, stage := range []func() error{r.findCheckpoint, r.findWeights, r.openDatasets, r.countSteps, r.openStore} {
		if err := stage(); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

// Steps is the number of steps in all.
func (r *Run) Steps() int { return r.steps }

// Close lets go of the folder.
func (r *Run) Close() error {
	var errs []error
	if r.from != nil {
		errs = append(errs, r.from.Close())
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	r.from, r.store = nil, nil
	return errors.Join(append(errs, r.closeWeights())...)
}

// openDatasets opens the data of the train block and of the evaluations.
func (r *Run) openDatasets() error {
	var err error
	if r.data, err = openData(&r.p.Train.Data, r.seed, classes(r.p), nil); err != nil {
		return err
	}
	for i := range r.p.Evals {
		e, err := openEvaluation(r.p, &r.p.Evals[i], r.seed, r.data.Classes())
		if err != nil {
			return err
		}
		r.compareClasses(e)
		r.evals = append(r.evals, e)
	}
	return nil
}

// compareClasses warns of an evaluation that knows some of the training data's classes and
// others: their numbers are not those that the model learns.
func (r *Run) compareClasses(e *evaluation) {
	have, known := e.data.Classes(), r.data.Classes()
	other := slices.IndexFunc(have, func(name string) bool { return !slices.Contains(known, name) })
	if other < 0 || !slices.ContainsFunc(have, func(name string) bool { return slices.Contains(known, name) }) {
		return
	}
	r.o.Observer.Warn(&diag.Diagnostic{Severity: diag.Warning, Code: CodeData, Pos: e.Data.Source.Pos,
		Msg:   fmt.Sprintf("eval %s has the class %q, which training has not", e.Name, have[other]),
		Label: "numbers its classes anew, not as training does",
		Fix:   "the same sub-folders in both; one that is missing here does no harm"})
}

// classesAxis is what the library calls the axis that labels count along.
const classesAxis = "classes"

// classes bounds the labels: the size of the parameters' axis `classes`, 0 where there is
// none or where two disagree.
func classes(p *ir.Program) int {
	n := 0
	for _, leaf := range p.State {
		for _, d := range leaf.Type.Dims {
			if leaf.Kind != ir.LeafParam || d.Label != classesAxis {
				continue
			}
			if n != 0 && n != d.Size {
				return 0
			}
			n = d.Size
		}
	}
	return n
}

// countSteps settles the number of steps: the option's, the program's, or
// floor(epochs · examples / batch).
func (r *Run) countSteps() error {
	t := &r.p.Train
	switch {
	case r.o.Steps > 0:
		r.steps = r.o.Steps
	case t.Steps > 0:
		r.steps = t.Steps
	default:
		r.steps = int(t.Epochs * float64(r.data.Len()) / float64(t.Batch))
	}
	if r.steps > 0 {
		return r.checkSteps()
	}
	return &diag.Diagnostic{Code: CodeData, Msg: fmt.Sprintf("train %s would take no step", r.p.Name), Pos: t.Pos,
		Label: fmt.Sprintf("%g epochs of %d examples are less than one batch of %d", t.Epochs, r.data.Len(), t.Batch),
		Fix:   "more epochs, a smaller batch, or --steps"}
}

// checkSteps compares the number of steps with that of the run being resumed.
func (r *Run) checkSteps() error {
	if r.from == nil {
		return nil
	}
	if done := int(r.from.Step); done > r.steps {
		return &diag.Diagnostic{Code: CodeResume, Msg: fmt.Sprintf("the checkpoint is of step %d, the run ends at step %d", done, r.steps),
			Pos: diag.Pos{File: r.from.Path}, Fix: fmt.Sprintf("--steps %d or more, or a run without --resume", done)}
	}
	if was := r.from.Extra[extraSteps]; was != fmt.Sprint(r.steps) {
		r.o.Observer.Warn(&diag.Diagnostic{Severity: diag.Warning, Code: CodeResume,
			Msg:   fmt.Sprintf("the run was for %s steps and is now for %d: its schedule changes", was, r.steps),
			Notes: []diag.Note{{Text: "to continue it as it was, give --steps " + was}}})
	}
	return nil
}

// Train takes the remaining steps and then evaluates. Cancelling ctx lets the step under
// way finish and saves; the error is then ErrInterrupted, and the summary is still given.
func (r *Run) Train(ctx context.Context, m codegen.Machine) (*Summary, error) {
	r.m = m
	start := time.Now()
	err := r.start()
	if err == nil {
		err = r.train(ctx)
	}
	var results []Metric
	if err == nil {
		results, err = r.finish(ctx)
	}
	return r.summary(results, time.Since(start)), err
}

func (r *Run) summary(results []Metric, took time.Duration) *Summary {
	s := &Summary{Begin: r.begin, Step: r.step, Results: results, Checkpoint: r.savedPath, Seconds: took.Seconds()}
	if len(r.metrics) > 0 {
		s.Loss = r.metrics[0].Value
	}
	if r.trained > 0 {
		s.PerSecond = float64(r.trainSteps*r.p.Train.Batch) / r.trained.Seconds()
	}
	return s
}

// silent is an Observer that ignores everything.
type silent struct{}

func (silent) Begin(Begin) error                 { return nil }
func (silent) Step(Step) error                   { return nil }
func (silent) Evaluating(string, int, int) error { return nil }
func (silent) Eval(Eval) error                   { return nil }
func (silent) Saved(int, string) error           { return nil }
func (silent) Warn(*diag.Diagnostic)             {}

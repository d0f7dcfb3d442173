package train

import (
	"context"
	"fmt"
	"math"
	"time"

	"vitc/ir/diag"
	"vitc/runtime/data"
)

// train takes the steps that remain. The evaluations of a step come before its checkpoint, so
// that a run killed while evaluating resumes before that step and reports each result once.
func (r *Run) train(ctx context.Context) error {
	if r.pending != "" {
		if err := r.evaluateDue(ctx); err != nil {
			return r.stopped(err)
		}
	}
	loader, err := data.NewLoader(context.WithoutCancel(ctx), r.data,
		data.LoaderOptions{Batch: r.p.Train.Batch, Start: int64(r.step), Workers: r.o.Workers, Rows: func(size int) []data.Span {
			return []data.Span{r.share(r.data, fnStep, size)}
		}})
	if err != nil {
		return dataError(&r.p.Train.Data, err)
	}
	defer loader.Close()
	for r.step < r.steps {
		if err := r.one(ctx, loader); err != nil {
			return r.stopped(err)
		}
	}
	return r.save()
}

// one takes a step and does what is due after it.
func (r *Run) one(ctx context.Context, loader *data.Loader) error {
	if err := r.interrupted(ctx); err != nil {
		return err
	}
	if err := r.takeStep(loader); err != nil {
		return err
	}
	if r.step == r.steps {
		return nil
	}
	if err := r.evaluateDue(ctx); err != nil {
		return err
	}
	if every := r.o.CheckpointEvery; every > 0 && r.step%every == 0 {
		return r.save()
	}
	return nil
}

func (r *Run) takeStep(loader *data.Loader) error {
	asked := time.Now()
	batch, err := loader.Next()
	if err != nil {
		return dataError(&r.p.Train.Data, err)
	}
	began := time.Now()
	out, err := r.call(fnStep, r.fields(r.data, fnStep, batch.Size, batch.Fields))
	if err != nil {
		return err
	}
	took := time.Since(began)
	r.step, r.metrics, r.earlier = r.step+1, scalars(out), nil
	r.trained += took + began.Sub(asked)
	r.trainSteps++
	if first := r.metrics; len(first) > 0 && !isFinite(first[0].Value) {
		return r.diverged(fmt.Sprintf("the %s is %s", first[0].Name, nonFinite(first[0].Value)))
	}
	return r.o.Observer.Step(Step{Step: r.step, Metrics: r.metrics, Seconds: took.Seconds(), Waited: began.Sub(asked).Seconds()})
}

func isFinite(x float64) bool { return x-x == 0 }

func nonFinite(x float64) string {
	if math.IsNaN(x) {
		return "NaN"
	}
	return "infinite"
}

// diverged says that the numbers have left what f32 holds, and what usually helps.
func (r *Run) diverged(what string) error {
	return &diag.Diagnostic{Code: CodeDiverged, Msg: fmt.Sprintf("%s at step %d", what, r.step), Pos: r.p.Train.Pos,
		Label: "training has diverged", Notes: []diag.Note{r.lastGood()},
		Fix: "a lower peak of `rate`, a longer warmup, or `clip: 1.0`"}
}

// stopped saves the state of a run that was interrupted; other errors pass.
func (r *Run) stopped(err error) error {
	if err != ErrInterrupted {
		return err
	}
	if saveErr := r.save(); saveErr != nil {
		return saveErr
	}
	return ErrInterrupted
}

// finish runs every evaluation and collects the results by name.
func (r *Run) finish(ctx context.Context) ([]Metric, error) {
	var all []Metric
	for _, e := range r.evals {
		metrics, err := r.evaluate(ctx, e)
		if err != nil {
			return nil, err
		}
		for _, m := range metrics {
			all = append(all, Metric{e.Name + "." + m.Name, m.Value})
		}
	}
	return all, nil
}

// evaluateDue runs the evaluations whose turn has come. One that is interrupted is left
// pending: with it the resumed run goes on.
func (r *Run) evaluateDue(ctx context.Context) error {
	for _, e := range r.evals {
		if e.Every == 0 || r.step%e.Every != 0 || r.pending != "" && r.pending != e.Name {
			continue
		}
		r.pending = ""
		if _, err := r.evaluate(ctx, e); err != nil {
			r.pending = e.Name
			return err
		}
	}
	r.pending = ""
	return nil
}

package command

import (
	"encoding/json"
	"math"
	"strconv"

	"vitc/ir/diag"
	"vitc/runtime/metrics"
	"vitc/runtime/progress"
	"vitc/runtime/train"
)

// watch shows a run to the person in front of it and writes its metrics.
type watch struct {
	a    *app
	o    *runOptions
	name string
	bar  *progress.Progress // nil with --quiet, and before the run begins
	file *metrics.Writer    // nil without --metrics
}

// Begin implements train.Observer.
func (w *watch) Begin(b train.Begin) error {
	if !w.o.quiet {
		w.a.note("%s: steps %d to %d of %d images, seed %d; checkpoints in %s", b.Program, min(b.From+1, b.Steps), b.Steps, b.Batch, b.Seed, b.Out)
		w.bar = progress.New(progress.Options{Out: w.a.err, Name: b.Program, Start: int64(b.From), Total: int64(b.Steps), Batch: b.Batch})
	}
	if w.o.metrics == "" {
		return nil
	}
	var err error
	w.file, err = metrics.Open(w.o.metrics, int64(b.From))
	return err
}

// Step implements train.Observer.
func (w *watch) Step(s train.Step) error {
	if w.bar != nil && len(s.Metrics) > 0 {
		w.bar.Step(int64(s.Step), s.Metrics[0].Value)
	}
	if w.file == nil {
		return nil
	}
	timings := []metrics.Field{{Name: "seconds", Value: s.Seconds}, {Name: "waited", Value: s.Waited}}
	return w.file.Write(int64(s.Step), append(fields("", s.Metrics), timings...)...)
}

// Evaluating implements train.Observer.
func (w *watch) Evaluating(name string, done, examples int) error {
	if w.bar != nil {
		w.bar.Evaluating(name, done, examples)
	}
	return nil
}

// Eval implements train.Observer. The results at the end stand in the last record alone.
func (w *watch) Eval(e train.Eval) error {
	if w.bar != nil {
		values := make([]progress.Value, len(e.Metrics))
		for i, m := range e.Metrics {
			values[i] = progress.Value{Name: m.Name, Value: m.Value}
		}
		w.bar.Eval(int64(e.Step), e.Name, values)
	}
	if w.file == nil || e.Last {
		return nil
	}
	return w.file.Write(int64(e.Step), fields(e.Name+".", e.Metrics)...)
}

// Saved implements train.Observer.
func (w *watch) Saved(_ int, path string) error {
	if w.o.saved != nil {
		w.o.saved.Store(&path)
	}
	return nil
}

// Warn implements train.Observer.
func (w *watch) Warn(d *diag.Diagnostic) {
	if w.bar != nil {
		w.bar.Warn(d.String())
		return
	}
	w.a.printDiagnostics(diag.List{d})
}

// finish ends the display and writes the last record of a run that came to its end.
func (w *watch) finish(s *train.Summary, runErr error) error {
	if w.bar != nil {
		w.bar.Finish()
	}
	if w.file == nil {
		return nil
	}
	if runErr == nil {
		if err := w.file.Final(int64(s.Step), fields("", s.Results)...); err != nil {
			return err
		}
	}
	return w.file.Close()
}

// fields are metrics under their names after a prefix.
func fields(prefix string, list []train.Metric) []metrics.Field {
	out := make([]metrics.Field, len(list))
	for i, m := range list {
		out[i] = metrics.Field{Name: prefix + m.Name, Value: float32(m.Value)}
	}
	return out
}

// summary is the report of `vitc run --json`.
type summary struct {
	Train      string                     `json:"train"`
	Target     string                     `json:"target"`
	Seed       uint64                     `json:"seed"`
	From       int                        `json:"from"` // steps done before
	Steps      int                        `json:"steps"`
	Loss       json.RawMessage            `json:"loss"` // of the last step, null if none was taken
	Results    map[string]json.RawMessage `json:"results"`
	Checkpoint string                     `json:"checkpoint,omitempty"`
	Seconds    float64                    `json:"seconds"`
	PerSecond  float64                    `json:"images_per_second"`
}

func newSummary(s *train.Summary, target string) summary {
	out := summary{Train: s.Program, Target: target, Seed: s.Seed, From: s.From, Steps: s.Step, Results: map[string]json.RawMessage{},
		Checkpoint: s.Checkpoint, Seconds: s.Seconds, PerSecond: s.PerSecond}
	out.Loss = json.RawMessage("null")
	if s.Step > s.From {
		out.Loss = number32(s.Loss)
	}
	for _, m := range s.Results {
		out.Results[m.Name] = number32(m.Value)
	}
	return out
}

// number32 prints an f32 with no more digits than it has; null is what JSON has no number for.
func number32(x float64) json.RawMessage {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return json.RawMessage("null")
	}
	return json.RawMessage(strconv.FormatFloat(x, 'g', -1, 32))
}

package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/data"
)

// evaluation is an eval block with its data opened.
type evaluation struct {
	*ir.Eval
	data  *data.Dataset
	sizes []int // of batches that functions were compiled for, descending
}

func openEvaluation(p *ir.Program, e *ir.Eval, seed uint64) (*evaluation, error) {
	ds, err := openData(&e.Data, seed, classes(p))
	if err != nil {
		return nil, err
	}
	sizes := slices.Sorted(maps.Keys(e.Funcs))
	slices.Reverse(sizes)
	ev := &evaluation{Eval: e, data: ds, sizes: sizes}
	return ev, ev.checkSizes()
}

// checkSizes makes sure that the last, smaller batch can be run.
func (e *evaluation) checkSizes() error {
	rest := e.data.Len() % e.Batch
	for rest > 0 {
		n := e.largest(rest)
		if n == 0 {
			return &diag.Diagnostic{Code: CodeData, Msg: fmt.Sprintf("the last batch of eval %s has %d examples", e.Name, rest), Pos: e.Pos,
				Label: fmt.Sprintf("compiled for batches of %v", e.sizes),
				Fix:   fmt.Sprintf("a batch that divides %d, or build where the data is", e.data.Len())}
		}
		rest -= n
	}
	return nil
}

// largest is the largest size of at most n that a function was compiled for, 0 if none.
func (e *evaluation) largest(n int) int {
	for _, size := range e.sizes {
		if size <= n {
			return size
		}
	}
	return 0
}

// prefix begins the names of the evaluation's functions.
func (e *evaluation) prefix() string { return "eval." + e.Name }

// evaluate makes one pass over the evaluation's data. An interrupt ends it between batches.
func (r *Run) evaluate(ctx context.Context, e *evaluation) ([]Metric, error) {
	start := time.Now()
	if _, err := r.call(e.prefix()+".init", nil); err != nil {
		return nil, err
	}
	if err := r.accumulate(ctx, e); err != nil {
		return nil, err
	}
	results, err := r.call(e.prefix()+".result", nil)
	if err != nil {
		return nil, err
	}
	return results, r.o.Observer.Eval(Eval{Name: e.Name, Step: r.step, Last: r.step == r.steps, Metrics: results, Seconds: time.Since(start).Seconds()})
}

// accumulate feeds every example of the evaluation's data, once and in order.
func (r *Run) accumulate(ctx context.Context, e *evaluation) error {
	loader, err := data.NewLoader(context.WithoutCancel(ctx), e.data,
		data.LoaderOptions{Batch: e.Batch, Once: true, Workers: r.o.Workers})
	if err != nil {
		return dataError(&e.Data, err)
	}
	defer loader.Close()
	for done := 0; ; {
		batch, err := loader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return dataError(&e.Data, err)
		case ctx.Err() != nil:
			return ErrInterrupted
		}
		if err := r.feed(e, batch); err != nil {
			return err
		}
		done += batch.Size
		if err := r.o.Observer.Evaluating(e.Name, done, e.data.Len()); err != nil {
			return err
		}
	}
}

// feed runs a batch through the function of its size. A size that was not compiled is cut
// into ones that were: accumulators add up alike.
func (r *Run) feed(e *evaluation, b *data.Batch) error {
	for from := 0; from < b.Size; {
		n := e.largest(b.Size - from)
		part := make([][]byte, len(b.Fields))
		for i, f := range e.data.Fields() {
			part[i] = b.Fields[i][from*f.Bytes() : (from+n)*f.Bytes()]
		}
		if _, err := r.call(e.Funcs[n], r.fields(e.data, part)); err != nil {
			return err
		}
		from += n
	}
	return nil
}

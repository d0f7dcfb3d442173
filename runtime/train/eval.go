package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"vitc/codegen"
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

func openEvaluation(p *ir.Program, e *ir.Eval, seed uint64, names []string) (*evaluation, error) {
	ds, err := openData(&e.Data, seed, classes(p), names)
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

// evaluate makes one pass over the evaluation's data and reports what it gives. An interrupt
// ends it between batches.
func (r *Run) evaluate(ctx context.Context, e *evaluation) ([]Metric, error) {
	start := time.Now()
	results, err := r.measure(ctx, e)
	if err != nil {
		return nil, err
	}
	metrics := scalars(results)
	return metrics, r.o.Observer.Eval(Eval{Name: e.Name, Step: r.step, Last: r.step == r.steps, Metrics: metrics, Seconds: time.Since(start).Seconds()})
}

// measure computes an evaluation's results and keeps them for those that read them.
func (r *Run) measure(ctx context.Context, e *evaluation) ([]codegen.Result, error) {
	if err := r.measureEarlier(ctx, e); err != nil {
		return nil, err
	}
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
	if r.earlier == nil {
		r.earlier = map[string][]byte{}
	}
	for _, res := range results {
		r.earlier[e.Name+"."+res.Name] = res.Data
	}
	return results, nil
}

// measureEarlier computes, without reporting it, what the evaluation reads of others and this
// step has not given: theirs may come less often, or have come before the run was resumed.
func (r *Run) measureEarlier(ctx context.Context, e *evaluation) error {
	for _, name := range e.reads(r.p.Module) {
		if r.earlier[name] != nil {
			continue
		}
		i := slices.IndexFunc(r.evals, func(o *evaluation) bool { return o != e && strings.HasPrefix(name, o.Name+".") })
		if i < 0 {
			return machineError(e.prefix(), fmt.Errorf("nothing provides its input %s", name))
		}
		if _, err := r.measure(ctx, r.evals[i]); err != nil {
			return err
		}
	}
	return nil
}

// reads lists the results of earlier evaluations that the functions take.
func (e *evaluation) reads(m *ir.Module) []string {
	var names []string
	for _, n := range e.sizes {
		names = append(names, metricArgs(m.Func(e.Funcs[n]))...)
	}
	return append(names, metricArgs(m.Func(e.prefix()+".result"))...)
}

func metricArgs(f *ir.Func) []string {
	if f == nil {
		return nil
	}
	var names []string
	for _, port := range f.Args {
		if port.Role == ir.RoleMetric {
			names = append(names, port.Name)
		}
	}
	return names
}

// accumulate feeds every example of the evaluation's data, once and in order.
func (r *Run) accumulate(ctx context.Context, e *evaluation) error {
	loader, err := data.NewLoader(context.WithoutCancel(ctx), e.data,
		data.LoaderOptions{Batch: e.Batch, Once: true, Workers: r.o.Workers, Rows: func(size int) []data.Span { return r.shares(e, size) }})
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
		}
		if err := r.interrupted(ctx); err != nil {
			return err
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
	at := 0 // in what was read
	for _, n := range e.parts(b.Size) {
		share := r.share(e.data, e.Funcs[n], n)
		rows := share.To - share.From
		part := make([][]byte, len(b.Fields))
		for i, f := range e.data.Fields() {
			part[i] = b.Fields[i][at*f.Bytes() : (at+rows)*f.Bytes()]
		}
		if _, err := r.call(e.Funcs[n], r.fields(e.data, e.Funcs[n], n, part)); err != nil {
			return err
		}
		at += rows
	}
	return nil
}

// parts cuts a batch into sizes that functions were compiled for.
func (e *evaluation) parts(size int) []int {
	var list []int
	for size > 0 {
		n := e.largest(size)
		list = append(list, n)
		size -= n
	}
	return list
}

// shares is the rows of a batch that are read here.
func (r *Run) shares(e *evaluation, size int) []data.Span {
	var list []data.Span
	from := 0
	for _, n := range e.parts(size) {
		s := r.share(e.data, e.Funcs[n], n)
		list = append(list, data.Span{From: from + s.From, To: from + s.To})
		from += n
	}
	return list
}

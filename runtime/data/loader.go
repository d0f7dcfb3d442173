package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"vitc/runtime/fault"
)

// LoaderOptions says how a data set is cut into batches.
type LoaderOptions struct {
	Batch    int   // examples in a batch
	Once     bool  // one ordered pass, the last batch smaller: evaluation; else endless
	Start    int64 // the first step, counted from 0
	Workers  int   // goroutines that read and augment; 0: one a CPU, at most 16
	Prefetch int   // batches prepared ahead; 0: 2
	// Rows gives the rows of a batch of some size that are read, ascending and apart, where others
	// read the rest; nil: all are.
	Rows func(size int) []Span
}

// Span is the rows [From, To) of a batch.
type Span struct{ From, To int }

const (
	defaultPrefetch   = 2
	maxDefaultWorkers = 16
)

// Batch is what a step consumes.
type Batch struct {
	Step   int64
	Size   int      // examples; below LoaderOptions.Batch only at the end of one pass
	Fields [][]byte // by field, each [Size, Dims...], or the rows of LoaderOptions.Rows alone, one behind the other
}

// ErrClosed is returned by a Loader that was closed.
var ErrClosed = errors.New("the loader is closed")

// Loader gives the batches of a data set in the order of their steps, prepared ahead by
// goroutines. Its memory is Prefetch+2 batches.
//
// An endless loader reads pass after pass as one sequence: step s holds places s*Batch to
// (s+1)*Batch-1 of it, so nothing is dropped where a pass ends, and a batch there has
// examples of both passes. A step's batch depends on the data set, the batch size and the
// step alone.
//
// A Loader belongs to one goroutine; cancelling its context is safe from any.
type Loader struct {
	ds   *Dataset
	o    LoaderOptions
	ctx  context.Context
	run  *run // nil when closed
	held *slot
	err  error // sticky, until SeekStep
}

// NewLoader starts to prepare batches. The caller closes the loader, or cancels ctx.
func NewLoader(ctx context.Context, ds *Dataset, o LoaderOptions) (*Loader, error) {
	if o.Workers == 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), maxDefaultWorkers)
	}
	if o.Prefetch == 0 {
		o.Prefetch = defaultPrefetch
	}
	l := &Loader{ds: ds, o: o, ctx: ctx}
	for _, v := range []struct {
		name  string
		value int
	}{{"batch", o.Batch}, {"workers", o.Workers}, {"prefetch", o.Prefetch}} {
		if v.value < 1 {
			return nil, &fault.Error{Where: "data " + ds.Name(), Msg: "bad " + v.name, Expected: "at least 1", Found: fmt.Sprint(v.value)}
		}
	}
	if err := l.SeekStep(o.Start); err != nil {
		return nil, err
	}
	return l, nil
}

// Batches is the number of batches of one pass, the last one smaller included.
func (l *Loader) Batches() int64 {
	return (int64(l.ds.Len()) + int64(l.o.Batch) - 1) / int64(l.o.Batch)
}

// SeekStep makes step the next that Next returns, as if all before it had been read.
func (l *Loader) SeekStep(step int64) error {
	last := int64(1) << 62 / int64(l.o.Batch) // places stay within 63 bits
	if l.o.Once {
		last = l.Batches()
	}
	if step < 0 || step > last {
		return &fault.Error{Where: "data " + l.ds.Name(), Msg: "no such step", Expected: fmt.Sprintf("0 to %d", last), Found: fmt.Sprint(step)}
	}
	if l.err == ErrClosed {
		return l.err
	}
	l.stop()
	l.err = nil
	l.run = startRun(l.ctx, l.ds, l.o, step, l.Batches())
	return nil
}

// Next returns the next batch, which the caller may use until the next call of Next or
// SeekStep. At the end of one pass it returns io.EOF; after an error, the same error again.
func (l *Loader) Next() (*Batch, error) {
	if l.err != nil {
		return nil, l.err
	}
	if l.held != nil {
		l.run.free <- l.held // never blocks: it has room for every slot
		l.held = nil
	}
	s, err := l.run.wait()
	if err != nil {
		l.err = err
		return nil, err
	}
	l.held = s
	return &s.batch, nil
}

// Close ends the goroutines and waits for them. It may be called more than once.
func (l *Loader) Close() error {
	l.stop()
	l.err = ErrClosed
	return nil
}

func (l *Loader) stop() {
	if l.run != nil {
		l.run.cancel()
		l.run.all.Wait()
		l.run, l.held = nil, nil
	}
}

// wait returns the next slot once it is complete.
func (r *run) wait() (*slot, error) {
	if err := context.Cause(r.ctx); err != nil {
		return nil, err
	}
	select {
	case s, ok := <-r.ready:
		if !ok {
			return nil, io.EOF
		}
		select {
		case <-s.done:
			return s, s.firstError()
		case <-r.ctx.Done():
		}
	case <-r.ctx.Done():
	}
	return nil, context.Cause(r.ctx)
}

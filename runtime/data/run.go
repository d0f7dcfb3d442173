package data

import (
	"context"
	"sync"
	"sync/atomic"
)

// tasksPerWorker cuts a batch into more tasks than workers, so that a slow picture does
// not keep the others waiting.
const tasksPerWorker = 4

// run is one stretch of preparing batches, from a step to the end, SeekStep or
// Close: a producer that fills slots with places and cuts them into tasks, and workers that read.
type run struct {
	ds     *Dataset
	o      LoaderOptions
	passes int64 // batches of one pass, for Once
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup
	free   chan *slot
	ready  chan *slot // in the order of steps, not yet complete
	tasks  chan task
}

// slot is a batch in preparation.
type slot struct {
	batch  Batch
	whole  [][]byte // the buffers, of which batch.Fields are the beginning
	room   int      // rows that they have room for
	picks  []pick   // of the rows that are read
	errors []error  // by task
	left   atomic.Int32
	done   chan struct{} // closed when left reaches 0
}

// pick is an example of a pass.
type pick struct {
	pass    int64
	example int
}

// task is rows [from, to) of those that are read of a slot's batch; n is its number.
type task struct {
	slot     *slot
	n        int
	from, to int
}

// startRun starts the goroutines. A run has two slots more than it prefetches: one that the
// caller holds, one that the workers finish.
func startRun(parent context.Context, ds *Dataset, o LoaderOptions, step, passes int64) *run {
	slots := o.Prefetch + 2
	r := &run{ds: ds, o: o, passes: passes, free: make(chan *slot, slots), ready: make(chan *slot, slots), tasks: make(chan task)}
	r.ctx, r.cancel = context.WithCancel(parent)
	for range slots {
		r.free <- &slot{}
	}
	r.all.Go(func() { r.produce(step) })
	for range o.Workers {
		r.all.Go(r.work)
	}
	return r
}

// produce hands out the batches from step on, as slots come free.
func (r *run) produce(step int64) {
	defer close(r.tasks)
	sequence := newSequence(r.ds, r.o.Once, step*int64(r.o.Batch))
	for ; !r.o.Once || step < r.passes; step++ {
		var s *slot
		select {
		case s = <-r.free:
		case <-r.ctx.Done():
			return
		}
		r.fill(s, step, sequence)
		r.ready <- s // never blocks: it has room for every slot
		if !r.cut(s) {
			return
		}
	}
	close(r.ready)
}

// fill prepares a slot for a step.
func (r *run) fill(s *slot, step int64, sequence *sequence) {
	s.picks = s.picks[:0]
	for range r.o.Batch {
		p, ok := sequence.next()
		if !ok {
			break
		}
		s.picks = append(s.picks, p)
	}
	s.batch = Batch{Step: step, Size: len(s.picks), Fields: make([][]byte, len(r.ds.Fields()))}
	if r.o.Rows != nil {
		s.picks = within(s.picks, r.o.Rows(len(s.picks)))
	}
	if s.whole == nil || s.room < len(s.picks) {
		s.whole, s.room = r.ds.Buffers(len(s.picks)), len(s.picks)
	}
	for i, f := range r.ds.Fields() {
		s.batch.Fields[i] = s.whole[i][:len(s.picks)*f.Bytes()]
	}
	s.done = make(chan struct{})
}

// within keeps the picks of some rows, in place.
func within(picks []pick, spans []Span) []pick {
	kept := picks[:0]
	for _, s := range spans {
		kept = append(kept, picks[s.From:s.To]...)
	}
	return kept
}

// cut hands the rows of a slot to the workers; false when the run is cancelled.
func (r *run) cut(s *slot) bool {
	rows := len(s.picks)
	size := max(1, rows/(r.o.Workers*tasksPerWorker))
	n := (rows + size - 1) / size
	s.errors = make([]error, n)
	s.left.Store(int32(n))
	if n == 0 {
		close(s.done)
	}
	for i := range n {
		select {
		case r.tasks <- task{s, i, i * size, min((i+1)*size, rows)}:
		case <-r.ctx.Done():
			return false
		}
	}
	return true
}

// work reads rows until there are no more or the run is cancelled.
func (r *run) work() {
	dst := make([][]byte, len(r.ds.Fields()))
	for {
		select {
		case t, ok := <-r.tasks:
			if !ok {
				return
			}
			t.slot.errors[t.n] = r.read(t, dst)
			if t.slot.left.Add(-1) == 0 {
				close(t.slot.done)
			}
		case <-r.ctx.Done():
			return
		}
	}
}

// read reads the rows of a task, up to the first that fails.
func (r *run) read(t task, dst [][]byte) error {
	for row := t.from; row < t.to; row++ {
		for i, f := range r.ds.Fields() {
			n := f.Bytes()
			dst[i] = t.slot.whole[i][row*n : (row+1)*n]
		}
		p := t.slot.picks[row]
		if err := r.ds.Example(p.pass, p.example, dst); err != nil {
			return err
		}
	}
	return nil
}

// firstError is the error of the first row that failed, whichever worker met it.
func (s *slot) firstError() error {
	for _, err := range s.errors {
		if err != nil {
			return err
		}
	}
	return nil
}

// sequence is the examples of pass after pass, or of one ordered pass.
type sequence struct {
	order order
	once  bool
	pass  int64
	place int
	cur   *passOrder
}

// newSequence starts at a place counted over all passes.
func newSequence(ds *Dataset, once bool, place int64) *sequence {
	s := &sequence{order: ds.order, once: once, pass: place / int64(ds.Len()), place: int(place % int64(ds.Len()))}
	if once {
		s.order.shuffle = ShuffleNone
	}
	s.cur = s.order.pass(s.pass)
	return s
}

// next returns the pick at the place and moves on; false after one pass.
func (s *sequence) next() (pick, bool) {
	if s.place == s.order.n {
		s.pass, s.place = s.pass+1, 0
		s.cur = s.order.pass(s.pass)
	}
	if s.once && s.pass > 0 {
		return pick{}, false
	}
	p := pick{s.pass, s.cur.at(s.place)}
	s.place++
	return p, true
}

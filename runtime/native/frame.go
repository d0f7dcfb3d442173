package native

import (
	"context"
	"time"
	"unsafe"

	"vitc/runtime/dist"
)

// frame is a call under way: where each space lies, and the turns of the loops around.
type frame struct {
	bases []uintptr
	turns []int
	pool  *pool
	timer timer
	// flights are the collectives under way, by their tickets; nil where there is none.
	flights []*dist.Flight
}

func (f *frame) at(p *place) uintptr {
	a := f.bases[p.space] + uintptr(p.offset)
	for i, s := range p.steps {
		a += uintptr(s * f.turns[i])
	}
	return a
}

// exec executes ops; only a meeting of devices can fail.
func (f *frame) exec(ctx context.Context, ops []op) error {
	for i := range ops {
		var err error
		switch o := &ops[i]; {
		case o.run != nil:
			f.run(o.run)
		case o.loop != nil:
			err = f.loop(ctx, o.loop)
		case o.meet != nil:
			err = f.meet(ctx, o.meet)
		case o.wait != nil:
			err = f.wait(o.wait)
		default:
			f.copy(o.copy)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *frame) run(r *run) {
	for i := range r.args {
		r.ptrs[i] = f.at(&r.args[i])
	}
	defer f.timed(r.name, r.label)()
	f.pool.run(r.kernel, unsafe.Pointer(&r.ptrs[0]), r.tasks)
}

func (f *frame) loop(ctx context.Context, l *loop) error {
	for i := range l.length {
		if f.turns[l.depth] = i; l.reverse {
			f.turns[l.depth] = l.length - 1 - i
		}
		if err := f.exec(ctx, l.body); err != nil {
			return err
		}
	}
	return nil
}

func (f *frame) copy(c *copyOp) {
	copy(bytesAt(f.at(&c.dst), c.bytes), bytesAt(f.at(&c.src), c.bytes))
}

func (f *frame) meet(ctx context.Context, m *meeting) error {
	for i := range m.in {
		m.buffers[i] = bytesAt(f.at(&m.in[i]), m.sizes[i])
	}
	out := bytesAt(f.at(&m.out), m.sizes[len(m.in)])
	if m.ticket > 0 {
		f.flights[m.ticket] = m.Start(ctx, m.buffers, out)
		return nil
	}
	defer f.timed(m.name, m.label)()
	return m.Run(ctx, m.buffers, out)
}

func (f *frame) wait(w *wait) error {
	defer f.timed(w.name, w.label)()
	flight := f.flights[w.ticket]
	f.flights[w.ticket] = nil
	return flight.Wait()
}

// land waits until nothing is under way any more. The call has failed, and the group is aborted.
func (f *frame) land() {
	for i, flight := range f.flights {
		if flight != nil {
			flight.Wait() // its error is not the first
			f.flights[i] = nil
		}
	}
}

// timed tells the timer, when what it gives is called, how long that took.
func (f *frame) timed(name, label string) func() {
	if f.timer == nil {
		return func() {}
	}
	start := time.Now()
	return func() { f.timer(name, label, time.Since(start)) }
}

// bytesAt is memory of a block, as a slice.
func bytesAt(addr uintptr, n int) []byte {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&addr)) // outside the Go heap: the collector does not care
	return unsafe.Slice((*byte)(p), n)
}

package native

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"vitc/codegen/llvm/elfload"
)

// pool runs a kernel's tasks on some threads: that of the caller, and workers that live as
// long as the pool. Tasks are handed out in runs of consecutive ones, to whoever asks next;
// kernels give the same bits whoever does which.
//
// state holds the number of the job, whether it still takes workers, and how many are at it.
// A worker joins an open job that it has not seen; the caller closes the job when no tasks are
// left and waits for those inside only, never for one that sleeps or is late.
type pool struct {
	state   atomic.Uint64
	next    atomic.Int64 // first task not handed out
	job     job
	workers []*worker
	scratch []*block // of each thread, the caller's first
	done    sync.WaitGroup
}

type job struct {
	kernel     uintptr
	args       unsafe.Pointer // a pointer, as the collector must see that workers read the array
	tasks, run int64          // run: tasks handed out at a time
}

// The parts of state.
const (
	jobOne   = 1 << 32
	jobOpen  = 1 << 31
	jobCount = jobOpen - 1
	quit     = ^uint64(0)
)

// worker is one thread beside the caller's. It sleeps on wake, having set asleep.
type worker struct {
	asleep  atomic.Bool
	wake    chan struct{}
	scratch unsafe.Pointer
}

// runsPerThread is how many runs of tasks a thread gets on average: more even out threads of
// unequal speed, fewer hand out less often.
const runsPerThread = 4

// spinTime is how long an idle worker looks for work before it sleeps: kernels of one call
// follow one another within microseconds.
const spinTime = 60 * time.Microsecond

func newPool(threads, scratch int) (*pool, error) {
	p := &pool{}
	for i := range threads {
		b, err := newBlock(scratch)
		if err != nil {
			p.close()
			return nil, err
		}
		p.scratch = append(p.scratch, b)
		if i == 0 {
			continue
		}
		w := &worker{wake: make(chan struct{}, 1), scratch: b.first()}
		p.workers = append(p.workers, w)
		p.done.Add(1)
		go p.work(w)
	}
	return p, nil
}

// run does tasks [0, tasks) of a kernel and returns when all are done.
func (p *pool) run(kernel uintptr, args unsafe.Pointer, tasks int64) {
	mine := p.scratch[0].first()
	if tasks == 1 || len(p.workers) == 0 {
		elfload.Call(kernel, args, 0, tasks, mine)
		return
	}
	p.job = job{kernel, args, tasks, max(1, tasks/int64(runsPerThread*(len(p.workers)+1)))}
	p.next.Store(0)
	p.state.Store((p.state.Load()&^(jobOne-1) + jobOne) | jobOpen)
	for _, w := range p.workers {
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.take(mine)
	for s := p.state.Load(); !p.state.CompareAndSwap(s, s&^jobOpen); s = p.state.Load() {
	}
	for n := 0; p.state.Load()&jobCount != 0; n++ {
		pause(n)
	}
}

// take does runs of the job's tasks until none are left.
func (p *pool) take(scratch unsafe.Pointer) {
	j := p.job
	for {
		lo := p.next.Add(j.run) - j.run
		if lo >= j.tasks {
			return
		}
		elfload.Call(j.kernel, j.args, lo, min(lo+j.run, j.tasks), scratch)
	}
}

// pause is a moment of waiting number n. A waiter gives way to other goroutines now and then,
// so that the collector goes on, and to other threads, so that one that was suspended in the
// midst of its tasks does. (Workers are not locked to threads: giving way would then mean to
// sleep.)
func pause(n int) {
	switch {
	case n%1024 == 1023:
		unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	case n%64 == 63:
		runtime.Gosched()
	}
}

func (p *pool) work(w *worker) {
	defer p.done.Done()
	seen := uint64(0)
	for {
		s, ok := p.await(w, seen)
		if !ok {
			return
		}
		seen = s &^ (jobOne - 1)
		for s&jobOpen != 0 && s&^(jobOne-1) == seen {
			if p.state.CompareAndSwap(s, s+1) {
				p.take(w.scratch)
				p.state.Add(^uint64(0))
				break
			}
			s = p.state.Load()
		}
	}
}

// await returns the state once it shows another job than the one seen; ok is false at the
// pool's end.
func (p *pool) await(w *worker, seen uint64) (s uint64, ok bool) {
	fresh := func() bool {
		s = p.state.Load()
		return s == quit || s&^(jobOne-1) != seen
	}
	start := time.Now()
	for n := 0; !fresh(); n++ {
		pause(n)
		if n%256 != 255 || time.Since(start) < spinTime {
			continue
		}
		w.asleep.Store(true)
		if fresh() && w.asleep.CompareAndSwap(true, false) {
			break
		}
		<-w.wake // whoever set asleep back has sent
		start = time.Now()
	}
	return s, s != quit
}

// close ends the workers and frees their memory.
func (p *pool) close() {
	p.state.Store(quit)
	for _, w := range p.workers {
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	p.done.Wait()
	for _, b := range p.scratch {
		b.free()
	}
}

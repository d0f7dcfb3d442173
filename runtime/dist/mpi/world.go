// Package mpi is the transport between processes, of one machine or of several, that Open MPI's
// mpirun started. The library is loaded when it is wanted: vitc does without it elsewhere.
//
// Beside MPI's messages every rank keeps a connection to rank 0, over which failures are told: MPI
// itself says nothing when a process dies.
package mpi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"vitc/runtime/dist"
)

// The environment that mpirun gives its processes.
const (
	envSize      = "OMPI_COMM_WORLD_SIZE"
	envLocalSize = "OMPI_COMM_WORLD_LOCAL_SIZE"
	envRank      = "OMPI_COMM_WORLD_RANK"
)

// EnvLocalRank is where mpirun tells a process its number among those of its machine.
const EnvLocalRank = "OMPI_COMM_WORLD_LOCAL_RANK"

// ErrNotStarted says that no mpirun has started this process.
var ErrNotStarted = errors.New("this process was not started by Open MPI's mpirun")

// Started gives the process's rank and the number of ranks as mpirun has told them, before
// anything is loaded.
func Started() (rank, size int, err error) {
	rank, err = strconv.Atoi(os.Getenv(envRank))
	if err == nil {
		size, err = strconv.Atoi(os.Getenv(envSize))
	}
	if err != nil || rank < 0 || size <= rank {
		return 0, 0, ErrNotStarted
	}
	return rank, size, nil
}

// Beside is the number of ranks on this machine, this one included.
func Beside() int {
	if n, err := strconv.Atoi(os.Getenv(envLocalSize)); err == nil && n > 0 {
		return n
	}
	return 1
}

// World is this process's end of the group of all processes of the job. It implements
// dist.Transport. Every Exchange under way asks MPI for its own messages, which lets MPI work on all.
// After one that failed no more of MPI is used, so that nothing touches the buffers that its messages
// were in.
type World struct {
	lib        *library
	rank, size int
	watch      *watch

	mu     sync.Mutex        // MPI is used by one goroutine at a time
	broken error             // of an Exchange, for all that follow
	stuck  []*runtime.Pinner // of messages that never ended

	once    sync.Once
	aborted chan struct{} // closed by an abort
	err     *dist.AbortError
}

// Open joins the job. It waits for all other ranks to do so. A process can join once. Errors:
// ErrNotStarted, *NotFoundError, or what MPI says.
func Open() (*World, error) {
	if _, _, err := Started(); err != nil {
		return nil, err
	}
	found, err := Find()
	if err != nil {
		return nil, err
	}
	lib, err := load(found.Path)
	if err != nil {
		return nil, err
	}
	if err := lib.start(); err != nil {
		return nil, err
	}
	w := &World{lib: lib, aborted: make(chan struct{})}
	if w.rank, err = lib.number(lib.rank); err != nil {
		return nil, err
	}
	if w.size, err = lib.number(lib.size); err != nil {
		return nil, err
	}
	if w.watch, err = openWatch(w); err != nil {
		return nil, err
	}
	return w, nil
}

// Rank implements dist.Transport.
func (w *World) Rank() int { return w.rank }

// Size implements dist.Transport.
func (w *World) Size() int { return w.size }

// Version is how the library describes itself.
func (w *World) Version() string { return w.lib.text(w.lib.version) }

// Abort implements dist.Transport. Processes on which it is heard go on: they decide how to end.
func (w *World) Abort(err error) {
	if w.abort(&dist.AbortError{Rank: w.rank, Err: err}) {
		w.watch.tell(err.Error())
	}
}

// abort ends this process's part, and reports whether it had not ended yet.
func (w *World) abort(err *dist.AbortError) (first bool) {
	w.once.Do(func() {
		w.err, first = err, true
		close(w.aborted)
	})
	return first
}

// Aborted is closed when a rank has aborted or died.
func (w *World) Aborted() <-chan struct{} { return w.aborted }

// Err is why the group has ended, nil while it has not.
func (w *World) Err() error {
	select {
	case <-w.aborted:
		return w.err
	default:
		return nil
	}
}

// Close leaves the job. All ranks must come to it: of a group that was aborted nobody leaves but
// by Kill.
func (w *World) Close() error {
	if err := w.Err(); err != nil {
		return err
	}
	err := dist.Barrier(context.Background(), w)
	w.watch.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(err, w.lib.call(w.lib.finalize))
}

// Kill ends all processes of the job, this one included, with an exit status.
func (w *World) Kill(status int) {
	w.mu.Lock() // never to be released: no other thread calls MPI while it ends the process
	w.lib.call(w.lib.abort, w.lib.world, uintptr(status))
	os.Exit(status)
}

// exchange is a call of Exchange under way.
type exchange struct {
	requests []uintptr
	statuses []byte
	sizes    []int // of each request's data; -1 of sends
	pins     runtime.Pinner
	done     int32
	aside    bool // the rank works on meanwhile
}

// maxMessage is how much one message of MPI carries here: its counts are of 32 bits.
const maxMessage = 1 << 30

// Exchange implements dist.Transport.
func (w *World) Exchange(ctx context.Context, sends, recvs []dist.Message) error {
	if err := dist.CheckPeers(w.size, sends, recvs); err != nil {
		return err
	}
	if err := w.stopped(ctx); err != nil || len(sends)+len(recvs) == 0 {
		return err
	}
	x := &exchange{aside: dist.BesideWork(sends, recvs)}
	err := w.post(x, sends, recvs)
	if err == nil {
		err = w.await(ctx, x)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if w.broken == nil {
			w.broken = err
		}
		w.stuck = append(w.stuck, &x.pins)
		return err
	}
	x.pins.Unpin()
	return nil
}

func (w *World) stopped(ctx context.Context) error {
	if err := w.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	return context.Cause(ctx)
}

// post begins all messages.
func (w *World) post(x *exchange, sends, recvs []dist.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	for _, list := range []struct {
		messages []dist.Message
		function uintptr
		sends    bool
	}{{recvs, w.lib.irecv, false}, {sends, w.lib.isend, true}} {
		for _, m := range list.messages {
			for data := m.Data; ; data = data[maxMessage:] {
				if err := w.postOne(x, list.function, m, data[:min(len(data), maxMessage)], list.sends); err != nil {
					return err
				}
				if len(data) <= maxMessage {
					break
				}
			}
		}
	}
	x.statuses = make([]byte, len(x.requests)*statusBytes)
	return nil
}

func (w *World) postOne(x *exchange, function uintptr, m dist.Message, data []byte, sends bool) error {
	var at unsafe.Pointer
	if len(data) > 0 {
		at = unsafe.Pointer(&data[0])
		x.pins.Pin(at)
	}
	request := new(uintptr)
	err := w.lib.call(function, uintptr(at), uintptr(len(data)), w.lib.bytes, uintptr(m.Peer), uintptr(m.Tag), w.lib.world, uintptr(unsafe.Pointer(request)))
	size := len(data)
	if sends {
		size = -1
	}
	x.requests, x.sizes = append(x.requests, *request), append(x.sizes, size)
	return err
}

// await asks MPI until all messages are done, which also lets it work on them.
func (w *World) await(ctx context.Context, x *exchange) error {
	for tries := 0; ; tries++ {
		done, err := w.test(x)
		if done || err != nil {
			return err
		}
		if err := w.stopped(ctx); err != nil {
			return err
		}
		if x.aside {
			tries = max(tries, eagerTries)
		}
		pause(tries)
	}
}

func (w *World) test(x *exchange) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return false, w.broken
	}
	err := w.lib.call(w.lib.testall, uintptr(len(x.requests)), uintptr(unsafe.Pointer(&x.requests[0])), uintptr(unsafe.Pointer(&x.done)), uintptr(unsafe.Pointer(&x.statuses[0])))
	if err != nil || x.done == 0 {
		return false, err
	}
	return true, w.checkSizes(x)
}

// checkSizes makes sure that what came fills its buffers; what is longer is MPI's to complain of.
func (w *World) checkSizes(x *exchange) error {
	count := new(int32)
	for i, want := range x.sizes {
		if want < 0 {
			continue
		}
		status := &x.statuses[i*statusBytes]
		if err := w.lib.call(w.lib.getCount, uintptr(unsafe.Pointer(status)), w.lib.bytes, uintptr(unsafe.Pointer(count))); err != nil {
			return err
		}
		if int(*count) != want {
			return fmt.Errorf("a message of %d bytes meets a buffer of %d", *count, want)
		}
	}
	return nil
}

// How long a rank keeps asking before it pauses: messages of ranks that compute alike come soon,
// and a rank that reads data or evaluates is waited for without work.
const (
	eagerTries  = 2000
	patientWait = 100 * time.Microsecond
)

// pause lets others use the processor: ranks may be more than there are processors.
func pause(tries int) {
	if tries < eagerTries {
		unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		return
	}
	time.Sleep(patientWait)
}

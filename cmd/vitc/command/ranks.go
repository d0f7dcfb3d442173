package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vitc/driver"
	"vitc/runtime/dist"
	"vitc/runtime/dist/mpi"
)

// rank is this process as one of a job that mpirun started. Rank 0 speaks for the job: the others
// print nothing, and tell it when they fail.
type rank struct {
	a     *app
	world *mpi.World
	mine  bytes.Buffer // what a rank that does not speak would have printed as errors
	errs  io.Writer    // where errors go
	saved atomic.Pointer[string]
	once  sync.Once
}

// How long a rank that has failed waits to be ended by the one that speaks, and how long that one
// lets its own work notice that another has failed.
const (
	untilEnded   = 30 * time.Second
	untilNoticed = 500 * time.Millisecond
)

// runRank runs a program as one rank of a job.
func (a *app) runRank(ctx context.Context, o *runOptions) error {
	w, err := driver.Join()
	if err != nil {
		return notJoined(err)
	}
	r := &rank{a: a, world: w, errs: a.err}
	if w.Rank() > 0 {
		a.out, a.err, a.colourErr = io.Discard, &r.mine, false
	}
	go r.watch()
	if err := r.settle(o); err != nil {
		return r.leave(err)
	}
	return r.leave(a.runHere(ctx, o))
}

// notJoined is the error of a job that has no transport: every rank has it, the first says it.
func notJoined(err error) error {
	if driver.RankOf() == 0 {
		return err
	}
	time.Sleep(untilNoticed) // mpirun ends the job when a rank ends
	return driver.ErrReported
}

// settle gives the run its devices, and what the ranks must have in common.
func (r *rank) settle(o *runOptions) error {
	if n := o.source.Devices; n > 0 && n != r.world.Size() {
		return driver.DevicesOfRanks(n, r.world.Size())
	}
	o.source.Devices, o.source.Ranks = r.world.Size(), true
	o.machine.Ranks, o.train.Ranks, o.saved = []dist.Transport{r.world}, r.world, &r.saved
	if o.machine.Threads == 0 {
		o.machine.Threads = driver.ThreadsOfRank()
	}
	if r.world.Rank() > 0 {
		o.metrics, o.quiet = "", true
	}
	return nil
}

// leave ends the rank's part: with the others, or, where one has failed, all of them at once.
func (r *rank) leave(err error) error {
	if err == nil || errors.Is(err, driver.ErrInterrupted) {
		closed := r.world.Close()
		if closed == nil {
			return err
		}
		err = closed
	}
	switch {
	case r.speaks():
		r.world.Abort(err) // or the others take this end for a death, and the next one speaks as well
		r.end(func() int { return r.speak(err) })
	case r.ended() == nil:
		r.a.fail(err)
		r.world.Abort(errors.New(strings.TrimSpace(r.mine.String())))
	}
	time.Sleep(untilEnded) // rank 0, or who speaks in its place, ends this process
	r.world.Kill(driver.ExitBad)
	return driver.ErrReported
}

// ended is the failing of a rank, nil while there is none.
func (r *rank) ended() *dist.AbortError {
	var e *dist.AbortError
	errors.As(r.world.Err(), &e)
	return e
}

// speaks reports whether this rank tells how the job ends: rank 0, or the next one once that has died.
func (r *rank) speaks() bool {
	var died *mpi.DiedError
	if failed := r.ended(); failed != nil && failed.Rank == 0 && errors.As(failed, &died) {
		return r.world.Rank() == 1
	}
	return r.world.Rank() == 0
}

// watch ends the job soon after a rank has failed, whatever this one is at: it may be long before it
// next hears from the others.
func (r *rank) watch() {
	<-r.world.Aborted()
	failed := r.ended()
	if !r.speaks() || failed.Rank == r.world.Rank() {
		return
	}
	time.Sleep(untilNoticed)
	r.end(func() int {
		fmt.Fprintf(r.errs, "%v\n", failed)
		if path := r.saved.Load(); path != nil {
			fmt.Fprintf(r.errs, "the last good checkpoint: %s\n", *path)
		}
		return driver.ExitBad
	})
}

// speak prints why the job fails: the error of this rank, after what the rank that failed has said
// if that is another.
func (r *rank) speak(err error) int {
	r.a.err = &r.mine
	status := r.a.fail(err)
	own := r.mine.String()
	if failed := r.ended(); failed != nil && failed.Rank != r.world.Rank() {
		if said := failed.Err.Error(); strings.Contains(said, "\n") && said != strings.TrimSpace(own) {
			fmt.Fprintf(r.errs, "rank %d of %d:\n%s\n", failed.Rank, r.world.Size(), said)
		}
	}
	fmt.Fprint(r.errs, own)
	return status
}

// end prints the last words and ends all processes of the job. It does so once, and does not return.
func (r *rank) end(words func() int) {
	r.once.Do(func() { r.world.Kill(words()) })
}

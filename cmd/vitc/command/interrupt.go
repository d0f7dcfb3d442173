package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"vitc/driver"
)

// interrupt turns SIGINT and SIGTERM into a wish to stop. The first cancels ctx: a
// training run then finishes its step and saves, everything else gives up, and is ended where
// it does not within a moment. The second ends the process at once.
type interrupt struct {
	ctx      context.Context
	release  func()
	training atomic.Bool // there is a step to finish and a checkpoint to write
}

// grace is how long work that is not training has to give up.
const grace = 2 * time.Second

// oneGesture is how close signals come that mean one wish: shells and supervisors may send
// the same one to a process and to its group.
const oneGesture = 250 * time.Millisecond

func watchInterrupts(errs io.Writer) *interrupt {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	done := make(chan struct{})
	i := &interrupt{ctx: ctx, release: func() {
		signal.Stop(signals)
		close(done)
	}}
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		var first time.Time
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			switch {
			case first.IsZero():
				first = time.Now()
				cancel(driver.ErrInterrupted)
				if !i.training.Load() {
					time.AfterFunc(grace, func() { os.Exit(driver.ExitInterrupted) })
				}
			case time.Since(first) > oneGesture:
				fmt.Fprintln(errs, "\nstopped at once; the last checkpoint is whole")
				os.Exit(driver.ExitInterrupted)
			}
		}
	}()
	return i
}

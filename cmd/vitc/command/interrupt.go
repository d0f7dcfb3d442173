package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"vitc/driver"
)

// interrupt turns SIGINT and SIGTERM into a wish to stop. The first cancels ctx: a
// training run then finishes its step and saves, everything else gives up. The second ends
// the process at once.
type interrupt struct {
	ctx     context.Context
	release func()
}

func watchInterrupts(errs io.Writer) *interrupt {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for count := 0; ; count++ {
			select {
			case <-done:
				return
			case <-signals:
				if count > 0 {
					fmt.Fprintln(errs, "\nstopped at once; the last checkpoint is whole")
					os.Exit(driver.ExitInterrupted)
				}
				cancel(driver.ErrInterrupted)
			}
		}
	}()
	return &interrupt{ctx, func() {
		signal.Stop(signals)
		close(done)
	}}
}

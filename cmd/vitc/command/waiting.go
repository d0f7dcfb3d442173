package command

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// waiting shows on a terminal that something long is going on, and for how long, until the
// function that it returns is called. Elsewhere it says nothing.
func (a *app) waiting(what string) (done func()) {
	f, ok := a.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		start, tick := time.Now(), time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(f, "\r%s: %v\x1b[K", what, time.Since(start).Round(time.Second))
			select {
			case <-tick.C:
			case <-stop:
				fmt.Fprint(f, "\r\x1b[K")
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

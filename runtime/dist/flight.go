package dist

import "context"

// Flight is a collective under way.
type Flight struct {
	done chan struct{} // closed at its end
	err  error         // to be read then
}

// Start is Run beside what the caller does next: until Wait the operands must stay as they are, and
// the result be left alone. The collective has a ticket, which nothing else under way has. A transport
// that fails, or whose group is aborted, and a context that ends, end the flight.
func (k *Collective) Start(ctx context.Context, in [][]byte, out []byte) *Flight {
	f := &Flight{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.err = k.Run(ctx, in, out)
	}()
	return f
}

// Wait returns when the result is there, or with what Run returns instead: in either case nothing uses
// the buffers any more. It may be called again.
func (f *Flight) Wait() error {
	<-f.done
	return f.err
}

package pjrt

// await waits for an event of the plugin's, destroys it and returns what came of it. None (0)
// has happened already.
func (p *Plugin) await(event uintptr) error {
	if event == 0 {
		return nil
	}
	args := struct {
		header
		event uintptr
	}{event: event}
	err := call(p, slotEventAwait, &args)
	gone := struct {
		header
		event uintptr
	}{event: event}
	if goneErr := call(p, slotEventDestroy, &gone); err == nil {
		err = goneErr
	}
	return err
}

// Pending is work of a plugin under way. It ends by itself also if nobody waits.
type Pending struct {
	done chan struct{}
	err  error
}

// pend waits for events in the background, then lets go what they need.
func (p *Plugin) pend(events []uintptr, after func()) *Pending {
	w := &Pending{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		defer after()
		for _, e := range events {
			if err := p.await(e); err != nil && w.err == nil {
				w.err = err
			}
		}
	}()
	return w
}

// Wait waits for the end and returns what came of it.
func (w *Pending) Wait() error {
	<-w.done
	return w.err
}

// Done is closed at the end.
func (w *Pending) Done() <-chan struct{} { return w.done }

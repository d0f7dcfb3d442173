package dist

import (
	"context"
	"fmt"
	"sync"
)

// Memory makes a group of n ranks within this process. Data is copied once, from the sender's
// buffer to the receiver's, by whichever of the two comes second.
func Memory(n int) []Transport {
	h := &hub{boxes: make([]mailbox, n), aborted: make(chan struct{})}
	ends := make([]Transport, n)
	for r := range ends {
		h.boxes[r].lanes = map[lane]*queue{}
		ends[r] = &end{h, r}
	}
	return ends
}

// hub is what the ranks of a process share.
type hub struct {
	boxes   []mailbox // by receiver
	once    sync.Once
	aborted chan struct{} // closed by an abort
	err     *AbortError   // to be read once aborted is closed
}

// mailbox holds what waits for a rank: messages for it, or its buffers for messages to come.
type mailbox struct {
	mu    sync.Mutex
	lanes map[lane]*queue
}

// lane is the messages that keep their order.
type lane struct{ from, tag int }

// queue has messages in one of its lists at most.
type queue struct{ sends, recvs []*parcel }

// parcel is a message under way.
type parcel struct {
	data []byte
	call *call
}

// call is an Exchange under way.
type call struct {
	mu   sync.Mutex
	left int           // parcels that are not done
	done chan struct{} // closed when none is left
	err  error
}

// settle counts one parcel as done.
func (c *call) settle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	if c.left--; c.left == 0 {
		close(c.done)
	}
}

// end is one rank's Transport.
type end struct {
	hub  *hub
	rank int
}

func (e *end) Rank() int { return e.rank }

func (e *end) Size() int { return len(e.hub.boxes) }

func (e *end) Abort(err error) {
	e.hub.once.Do(func() {
		e.hub.err = &AbortError{e.rank, err}
		close(e.hub.aborted)
	})
}

func (e *end) Exchange(ctx context.Context, sends, recvs []Message) error {
	if err := CheckPeers(e.Size(), sends, recvs); err != nil {
		return err
	}
	if err := e.stopped(ctx); err != nil || len(sends)+len(recvs) == 0 {
		return err
	}
	c := &call{left: len(sends) + len(recvs), done: make(chan struct{})}
	for _, m := range recvs {
		e.hub.boxes[e.rank].recv(lane{m.Peer, m.Tag}, &parcel{m.Data, c})
	}
	for _, m := range sends {
		e.hub.boxes[m.Peer].send(lane{e.rank, m.Tag}, &parcel{m.Data, c})
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	case <-e.hub.aborted:
	}
	e.withdraw(c, sends)
	<-c.done // what another rank is copying at this moment
	return e.stopped(ctx)
}

// stopped is why the group, or this rank's work, has ended; nil while it has not.
func (e *end) stopped(ctx context.Context) error {
	select {
	case <-e.hub.aborted:
		return e.hub.err
	default:
		return context.Cause(ctx)
	}
}

// withdraw takes back what nobody has met yet of a call.
func (e *end) withdraw(c *call, sends []Message) {
	e.hub.boxes[e.rank].withdraw(c)
	for _, m := range sends {
		e.hub.boxes[m.Peer].withdraw(c)
	}
}

func (b *mailbox) send(l lane, p *parcel) {
	if other := b.meet(l, p, true); other != nil {
		deliver(p, other)
	}
}

func (b *mailbox) recv(l lane, p *parcel) {
	if other := b.meet(l, p, false); other != nil {
		deliver(other, p)
	}
}

// meet finds the parcel that has waited for this one, or lets this one wait.
func (b *mailbox) meet(l lane, p *parcel, sends bool) *parcel {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.lanes[l]
	if q == nil {
		q = &queue{}
		b.lanes[l] = q
	}
	mine, theirs := &q.recvs, &q.sends
	if sends {
		mine, theirs = theirs, mine
	}
	if len(*theirs) == 0 {
		*mine = append(*mine, p)
		return nil
	}
	other := (*theirs)[0]
	*theirs = (*theirs)[1:]
	return other
}

// deliver copies a message to the buffer that takes it.
func deliver(from, to *parcel) {
	var err error
	if len(from.data) != len(to.data) {
		err = fmt.Errorf("a message of %d bytes meets a buffer of %d", len(from.data), len(to.data))
	} else {
		copy(to.data, from.data)
	}
	from.call.settle(err)
	to.call.settle(err)
}

// withdraw removes the parcels of a call that still wait.
func (b *mailbox) withdraw(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.lanes { // no order matters: all of the call's are counted off
		for _, list := range []*[]*parcel{&q.sends, &q.recvs} {
			kept := (*list)[:0]
			for _, p := range *list {
				if p.call != c {
					kept = append(kept, p)
					continue
				}
				p.call.settle(nil)
			}
			*list = kept
		}
	}
}

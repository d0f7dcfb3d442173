// Package dist lets devices work together: a Transport carries messages between them, and Comm
// computes the collective rows of the IR over one.
package dist

import (
	"context"
	"fmt"
	"strings"
)

// Transport is one rank's end of a group of ranks that exchange messages. A rank is a device: a
// goroutine of this process, or a process of its own.
type Transport interface {
	// Rank is this end's number, from 0 to Size()-1.
	Rank() int
	// Size is the number of ranks.
	Size() int
	// Exchange sends and receives messages, all of them under way at once, and returns when they
	// are done: the data of sends may be changed again, that of recvs is there. Between two ranks,
	// messages of one tag arrive in the order sent; a message and the buffer that takes it are of
	// one size. Two calls at once on one rank must differ in their tags.
	//
	// An error leaves messages undone, and with them the group: the caller should Abort. When the
	// context ends, or a rank aborts, the error says why; the buffers are then no longer in use.
	Exchange(ctx context.Context, sends, recvs []Message) error
	// Abort ends the group's work: calls of Exchange that wait, on any rank, and all later ones,
	// fail with an *AbortError. The first call counts.
	Abort(err error)
}

// Tags of messages: 0 of collectives that hold their devices up.
const (
	tagAgree = 1 // of messages between collectives
	// Aside is the first of those of collectives that were started, a tag for each ticket: the rank
	// works on meanwhile, and leaves the transport a part of its processor only.
	Aside = 2
)

// Message is data for a rank, or room for data from it.
type Message struct {
	Peer int
	Tag  int
	Data []byte
}

// AbortError says which rank gave up, and why.
type AbortError struct {
	Rank int
	Err  error
}

// Error is the first line of why.
func (e *AbortError) Error() string {
	why, _, _ := strings.Cut(e.Err.Error(), "\n")
	return fmt.Sprintf("rank %d has failed: %s", e.Rank, why)
}

// Unwrap is why it gave up.
func (e *AbortError) Unwrap() error { return e.Err }

// BesideWork reports whether messages are of a collective that was started.
func BesideWork(lists ...[]Message) bool {
	for _, list := range lists {
		for _, m := range list {
			if m.Tag >= Aside {
				return true
			}
		}
	}
	return false
}

// CheckPeers refuses messages to ranks that there are not.
func CheckPeers(size int, lists ...[]Message) error {
	for _, list := range lists {
		for _, m := range list {
			if m.Peer < 0 || m.Peer >= size {
				return fmt.Errorf("a message for rank %d of %d", m.Peer, size)
			}
		}
	}
	return nil
}

package mpi

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"vitc/runtime/dist"
)

// watch is the connections between rank 0 and all others. A rank that fails says so on its own;
// one that dies is noticed, for the system closes its end.
type watch struct {
	world  *World
	mu     sync.Mutex // of writing
	peers  []*peer
	closed chan struct{}
}

// peer is the process at the other end of a connection.
type peer struct {
	hello
	conn  net.Conn
	lines *bufio.Scanner
}

// hello is what a process says first.
type hello struct {
	Token string `json:"token"` // proves that it is of this job
	Rank  int    `json:"rank"`
	Host  string `json:"host"`
	PID   int    `json:"pid"`
}

// news is what it may say later, once.
type news struct {
	Rank int    `json:"rank"`
	Text string `json:"text,omitempty"` // why the rank has failed
	Bye  bool   `json:"bye,omitempty"`  // it leaves in peace
}

// meeting is rank 0, and where it is to be found.
type meeting struct {
	hello
	Addresses []string `json:"addresses"`
}

// How long getting connected may take.
const (
	dialTime = 5 * time.Second
	meetTime = 60 * time.Second
)

// DiedError says that a rank's process has ended without a word.
type DiedError struct {
	PID  int
	Host string
}

func (e *DiedError) Error() string { return fmt.Sprintf("process %d on %s has died", e.PID, e.Host) }

// openWatch connects the ranks; the world can exchange messages already.
func openWatch(w *World) (*watch, error) {
	h := &watch{world: w, closed: make(chan struct{})}
	connect := h.join
	if w.rank == 0 {
		connect = h.host
	}
	if err := connect(); err != nil {
		return nil, fmt.Errorf("the ranks cannot watch each other: %w", err)
	}
	for _, p := range h.peers {
		go h.listen(p)
	}
	return h, nil
}

// self is this process.
func (h *watch) self(token string) hello {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return hello{Token: token, Rank: h.world.rank, Host: host, PID: os.Getpid()}
}

// host is rank 0's part: it tells the others where it listens, and waits for them.
func (h *watch) host() error {
	at := ":0"
	if Beside() == h.world.size {
		at = "127.0.0.1:0" // all on this machine: nobody else is to connect
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	defer l.Close()
	m := meeting{hello: h.self(rand.Text()), Addresses: addresses(l.Addr().(*net.TCPAddr))}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := dist.Broadcast(context.Background(), h.world, text); err != nil {
		return err
	}
	l.(*net.TCPListener).SetDeadline(time.Now().Add(meetTime))
	for len(h.peers) < h.world.size-1 {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("%d of %d ranks have reached rank 0 at %v: %w", len(h.peers), h.world.size-1, m.Addresses, err)
		}
		p := newPeer(conn)
		conn.SetReadDeadline(time.Now().Add(dialTime))
		if !p.read(&p.hello) || p.Token != m.Token {
			conn.Close() // a stranger
			continue
		}
		conn.SetReadDeadline(time.Time{})
		h.peers = append(h.peers, p)
	}
	return nil
}

// addresses lists where a listener is reached: at its own address, or, where it listens on all, at
// those of this machine's networks.
func addresses(at *net.TCPAddr) []string {
	if !at.IP.IsUnspecified() {
		return []string{at.String()}
	}
	var list []string
	all, _ := net.InterfaceAddrs() // without them there is no address, which the error shows
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			list = append(list, (&net.TCPAddr{IP: n.IP, Port: at.Port}).String())
		}
	}
	return list
}

// join is the part of the others.
func (h *watch) join() error {
	text, err := dist.Broadcast(context.Background(), h.world, nil)
	if err != nil {
		return err
	}
	var m meeting
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	var errs []error
	for _, a := range m.Addresses {
		conn, err := net.DialTimeout("tcp", a, dialTime)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p := newPeer(conn)
		p.hello = m.hello
		h.peers = []*peer{p}
		return p.write(h.self(m.Token))
	}
	return fmt.Errorf("rank %d does not reach rank 0: %w", h.world.rank, errors.Join(errs...))
}

func newPeer(conn net.Conn) *peer {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	return &peer{conn: conn, lines: lines}
}

// read takes the next line.
func (p *peer) read(to any) bool { return p.lines.Scan() && json.Unmarshal(p.lines.Bytes(), to) == nil }

func (p *peer) write(what any) error {
	line, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = p.conn.Write(append(line, '\n'))
	return err
}

// listen waits for what a peer has to say. Rank 0 passes it on to the others.
func (h *watch) listen(p *peer) {
	var n news
	failed := &dist.AbortError{Rank: p.Rank, Err: &DiedError{p.PID, p.Host}}
	switch {
	case p.read(&n) && n.Bye:
		return
	case n.Text != "":
		failed = &dist.AbortError{Rank: n.Rank, Err: errors.New(n.Text)}
	}
	select {
	case <-h.closed: // the connection's end was this side's
		return
	default:
	}
	if h.world.abort(failed) && h.world.rank == 0 {
		h.send(news{Rank: failed.Rank, Text: failed.Err.Error()})
	}
}

// tell lets the others know why this rank fails.
func (h *watch) tell(text string) { h.send(news{Rank: h.world.rank, Text: text}) }

// send tries to reach everybody at the other ends; who is not reached learns it from the end of
// the connection.
func (h *watch) send(n news) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.peers {
		p.conn.SetWriteDeadline(time.Now().Add(dialTime))
		p.write(n)
	}
}

// close says goodbye. Every rank has come to the end.
func (h *watch) close() {
	close(h.closed)
	h.send(news{Rank: h.world.rank, Bye: true})
	for _, p := range h.peers {
		p.conn.Close()
	}
}

package toolchain

import (
	"bufio"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// child is a running compile child, used by one goroutine at a time.
type child struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	enc     *gob.Encoder
	dec     *gob.Decoder
	stderr  *tail
	version string

	once  sync.Once
	words string // how it ended
}

func startChild(ctx context.Context, lib string) (*child, error) {
	if os.Getenv(envServe) != "" {
		// This process is itself a child that was never served: starting another would
		// go on for ever.
		return nil, fmt.Errorf("%s is set: main does not call toolchain.MaybeServe first", envServe)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting a compile child: %w", err)
	}
	k := &child{cmd: exec.Command(exe), stderr: &tail{}}
	k.cmd.Env = append(os.Environ(), envServe+"="+lib)
	k.cmd.Stderr = k.stderr
	// Wait must not hang on a grandchild that holds stderr (there is none to expect).
	k.cmd.WaitDelay = time.Second
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting a compile child: %w", err)
	}
	stdout, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a compile child: %w", err)
	}
	if err := k.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a compile child: %w", err)
	}
	k.enc, k.dec = gob.NewEncoder(k.stdin), gob.NewDecoder(bufio.NewReader(stdout))
	var h hello
	if err := k.within(ctx, func() error { return k.dec.Decode(&h) }); err != nil {
		return nil, fmt.Errorf("the compile child did not start: %w (main must call toolchain.MaybeServe first)%s", err, k.stop())
	}
	if h.Err != "" {
		k.stop()
		return nil, fmt.Errorf("%s", h.Err)
	}
	k.version = h.Version
	return k, nil
}

// within runs f, which talks to the child, and kills the child if ctx ends first.
func (k *child) within(ctx context.Context, f func() error) error {
	release := context.AfterFunc(ctx, func() { k.cmd.Process.Kill() })
	defer release()
	err := f()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// do compiles one request. After an error the child is of no more use and must be
// stopped; that LLVM refused the module is no error here.
func (k *child) do(ctx context.Context, r *Request) (reply, error) {
	var ans reply
	err := k.within(ctx, func() error {
		if err := k.enc.Encode(r); err != nil {
			return err
		}
		return k.dec.Decode(&ans)
	})
	return ans, err
}

// stop ends the child and returns how it ended and its last words, for a message. It
// may be called again.
func (k *child) stop() string {
	k.once.Do(func() { k.words = k.end() })
	return k.words
}

func (k *child) end() string {
	k.stdin.Close()
	timer := time.AfterFunc(2*time.Second, func() { k.cmd.Process.Kill() })
	defer timer.Stop()
	err := k.cmd.Wait()
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, " (%v)", err)
	}
	if s := lastWords(k.stderr.String()); s != "" {
		b.WriteString("\n" + s)
	}
	return b.String()
}

// tailLines is how many lines of a dead child's stderr an error quotes.
const tailLines = 12

// lastWords picks what is worth quoting of a dead child's stderr.
func lastWords(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return strings.Join(lines, "\n")
}

// tail keeps the last bytes written to it, up to Go's dump of registers and stacks: LLVM
// says why it aborts before that, and the dump would bury it.
type tail struct {
	mu   sync.Mutex
	buf  []byte
	done bool
}

const tailBytes = 4096

// goDump is how Go's report of a fatal signal begins.
var goDump = regexp.MustCompile(`(?m)^SIG[A-Z]+: `)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return len(p), nil
	}
	t.buf = append(t.buf, p...)
	if at := goDump.FindIndex(t.buf); at != nil {
		t.buf, t.done = t.buf[:at[1]], true
	}
	if n := len(t.buf) - tailBytes; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

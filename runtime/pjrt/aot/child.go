package aot

import (
	"bytes"
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

// envServe marks a compile child.
const envServe = "VITC_SERVE_PJRT"

// environment keeps libtpu from looking for a TPU of this machine, for minutes, and from the
// lock that lets one process only load it. The accelerator's type need not be the topology's.
var environment = []string{
	"TPU_SKIP_MDS_QUERY=1",
	"TPU_ACCELERATOR_TYPE=v4-8",
	"TPU_WORKER_HOSTNAMES=localhost",
	"TPU_STDERR_LOG_LEVEL=3",
	"TPU_MIN_LOG_LEVEL=3",
	"TPU_LOG_DIR=disabled",
	"ALLOW_MULTIPLE_LIBTPU_LOAD=1",
	"TF_CPP_MIN_LOG_LEVEL=3",
}

// answerFD is the child's end of the pipe for its answer: plugins write to stdout and stderr as
// they like.
const answerFD = 3

// order is what a child is asked to do, one of the two.
type order struct {
	Compile *Request
	Try     *Trial
}

// Compile compiles a program in a child process. The error is a *RefusedError, a *DiedError, the
// cause of ctx's end, or of the system.
func Compile(ctx context.Context, r *Request) (*Result, error) {
	a, err := ask(ctx, r.Plugin, order{Compile: r})
	if err != nil {
		return nil, err
	}
	return a.Result, nil
}

// Try loads a plugin in a child process and connects to its devices: what takes a process down
// takes the child's. The errors are those of Compile.
func Try(ctx context.Context, t *Trial) error {
	_, err := ask(ctx, t.Plugin, order{Try: t})
	return err
}

// ask has a child do something with a plugin, and gives its answer, which has a result.
func ask(ctx context.Context, plugin string, o order) (*answer, error) {
	if os.Getenv(envServe) != "" { // another child would do the same, for ever
		return nil, fmt.Errorf("%s is set: main does not call aot.MaybeServe first", envServe)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("starting a compile child: %w", err)
	}
	var request bytes.Buffer
	if err := gob.NewEncoder(&request).Encode(o); err != nil {
		return nil, fmt.Errorf("starting a compile child: %w", err)
	}
	cmd := exec.CommandContext(ctx, exe)
	words := &tail{}
	cmd.Env = append(append(os.Environ(), environment...), envServe+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &request, words, words
	cmd.WaitDelay = time.Second // a grandchild may hold stderr
	a, err := exchange(cmd)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case a != nil && a.Refused != nil:
		return nil, a.Refused
	case a != nil && a.Result != nil:
		return a, nil
	case cmd.ProcessState == nil: // it never began
		return nil, fmt.Errorf("starting a compile child: %w", err)
	}
	return nil, &DiedError{plugin, words.how(cmd.ProcessState), words.last()}
}

// exchange runs the child and reads its answer, nil where it gave none.
func exchange(cmd *exec.Cmd) (*answer, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	cmd.ExtraFiles = []*os.File{out}
	err = cmd.Start()
	out.Close()
	if err != nil {
		return nil, err
	}
	// All of it is read before Wait: the child blocks on a full pipe.
	data, readErr := io.ReadAll(in)
	err = cmd.Wait()
	var a answer
	if readErr != nil || gob.NewDecoder(bytes.NewReader(data)).Decode(&a) != nil {
		return nil, err
	}
	return &a, nil
}

// What an error quotes of a dead child's output.
const (
	tailLines = 12
	tailBytes = 8192
)

// goDump is how Go's report of a fatal signal begins; registers and stacks follow, which would
// bury what the plugin said before it aborted.
var goDump = regexp.MustCompile(`(?m)^(SIG[A-Z]+: .*)$`)

// tail keeps the last bytes written to it, up to Go's report of a fatal signal.
type tail struct {
	mu     sync.Mutex
	buf    []byte
	signal string // SIGABRT: abort, if there was one
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.signal != "" {
		return len(p), nil
	}
	t.buf = append(t.buf, p...)
	if at := goDump.FindIndex(t.buf); at != nil {
		t.signal, t.buf = string(t.buf[at[0]:at[1]]), t.buf[:at[0]]
	}
	if n := len(t.buf) - tailBytes; n > 0 {
		t.buf = append(t.buf[:0], t.buf[n:]...)
	}
	return len(p), nil
}

// last picks what is worth quoting: the last lines.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.buf)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// how says in words how the child ended that wrote here.
func (t *tail) how(s *os.ProcessState) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.signal != "":
		return t.signal
	case s.Success():
		return "it ended without an answer"
	}
	return s.String()
}

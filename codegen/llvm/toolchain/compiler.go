package toolchain

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// Options say how a Compiler works. The zero value takes the library that Find finds,
// a child a processor, and the user's object cache.
type Options struct {
	Library  *Found        // nil: Find
	Children int           // how many compile at once; 0: one a processor
	Timeout  time.Duration // of one request; 0: five minutes
	CacheDir string        // "": the user's cache folder
	NoCache  bool          // neither read nor write cached objects
	MaxCache int64         // bytes kept in the cache; 0: 512 MiB
}

const (
	defaultTimeout  = 5 * time.Minute
	defaultMaxCache = 512 << 20
)

// Compiler compiles modules in child processes, which it starts when first needed and
// keeps for later requests. It is safe for concurrent use. Close ends the children.
type Compiler struct {
	lib     *Found
	id      string
	timeout time.Duration
	cache   *cache // nil: disabled
	slots   chan *child
	mu      sync.Mutex
	closed  bool
}

// New returns a Compiler. It fails when no LLVM is found, with a *NotFoundError; no
// child is started yet.
func New(o Options) (*Compiler, error) {
	lib := o.Library
	if lib == nil {
		var err error
		if lib, err = Find(); err != nil {
			return nil, err
		}
	}
	if o.Children <= 0 {
		o.Children = runtime.NumCPU()
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	c := &Compiler{lib: lib, id: lib.Identity(), timeout: o.Timeout, slots: make(chan *child, o.Children)}
	for range o.Children {
		c.slots <- nil
	}
	if !o.NoCache {
		c.cache = newCache(o.CacheDir, o.MaxCache)
	}
	return c, nil
}

// Library returns the libLLVM in use.
func (c *Compiler) Library() *Found { return c.lib }

// ErrClosed is returned by requests made after Close.
var ErrClosed = errors.New("the LLVM compiler is closed")

// Compile compiles one module, or returns it from the cache. The error is a
// *CompileError when LLVM refused the module or died of it.
func (c *Compiler) Compile(ctx context.Context, r Request) ([]byte, error) {
	key := ""
	if c.cache != nil {
		key = c.key(&r)
		if out, ok := c.cache.get(key); ok {
			return out, nil
		}
	}
	out, err := c.compile(ctx, &r)
	if err == nil && c.cache != nil {
		c.cache.put(key, out)
	}
	return out, err
}

// CompileAll compiles several modules, as many at once as there are children. Results
// are in the order of the requests; the error is that of the first that failed, in that
// order, whichever finished first.
func (c *Compiler) CompileAll(ctx context.Context, rs []Request) ([][]byte, error) {
	outs, errs := make([][]byte, len(rs)), make([]error, len(rs))
	var wg sync.WaitGroup
	for i := range rs {
		wg.Go(func() { outs[i], errs[i] = c.Compile(ctx, rs[i]) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return outs, nil
}

// Version asks a child for the exact version of LLVM, "19.1.7". It shows that the
// library can be loaded and has the functions needed.
func (c *Compiler) Version(ctx context.Context) (string, error) {
	var v string
	err := c.withChild(ctx, func(k *child) (alive bool, err error) {
		v = k.version
		return true, nil
	})
	return v, err
}

func (c *Compiler) compile(ctx context.Context, r *Request) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout,
		fmt.Errorf("LLVM did not finish %s within %v", r.name(), c.timeout))
	defer cancel()
	var out []byte
	err := c.withChild(ctx, func(k *child) (bool, error) {
		ans, err := k.do(ctx, r)
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case err != nil:
			return false, &CompileError{r.name(), StageCrash, "the compile child died" + k.stop()}
		case ans.Stage != "":
			return true, &CompileError{r.name(), ans.Stage, ans.Msg}
		}
		out = ans.Out
		return true, nil
	})
	return out, err
}

// withChild lends a child to f. A child that f reports dead is replaced at the next use.
func (c *Compiler) withChild(ctx context.Context, f func(*child) (alive bool, err error)) error {
	if c.isClosed() {
		return ErrClosed
	}
	var k *child
	select {
	case k = <-c.slots:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	back := k
	defer func() { c.slots <- back }()
	if c.isClosed() { // while waiting: Close left this slot behind
		return ErrClosed
	}
	if k == nil {
		var err error
		if k, err = startChild(ctx, c.lib.Path); err != nil {
			return err
		}
	}
	alive, err := f(k)
	if back = k; !alive {
		back = nil
		k.stop()
	}
	return err
}

func (c *Compiler) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Close ends the children, waiting for requests under way. It may be called twice.
func (c *Compiler) Close() {
	c.mu.Lock()
	was := c.closed
	c.closed = true
	c.mu.Unlock()
	if was {
		return
	}
	for range cap(c.slots) {
		if k := <-c.slots; k != nil {
			k.stop()
		}
		defer func() { c.slots <- nil }() // late requests find a slot, and ErrClosed
	}
}

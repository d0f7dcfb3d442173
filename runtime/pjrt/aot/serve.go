package aot

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"vitc/runtime/pjrt"
)

// answer is what a child says, one of the two.
type answer struct {
	Result  *Result
	Refused *RefusedError
}

// MaybeServe turns the process into a compile child if it was started as one, and does not
// return then. Call it first thing in main, and in TestMain of tests that compile: what runs
// before it, runs in every child.
func MaybeServe() {
	if _, ok := os.LookupEnv(envServe); !ok {
		return
	}
	os.Unsetenv(envServe)
	if err := serve(os.Stdin, os.NewFile(answerFD, "answer")); err != nil {
		fmt.Fprintln(os.Stderr, "compile child:", err)
		os.Exit(1)
	}
	os.Exit(0) // without unloading: plugins keep threads
}

// serve reads an order and writes an answer.
func serve(in io.Reader, out io.WriteCloser) error {
	var o order
	if err := gob.NewDecoder(in).Decode(&o); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	result, err := o.do()
	a := answer{Result: result}
	if err != nil && !errors.As(err, &a.Refused) {
		return err
	}
	w := bufio.NewWriter(out)
	if err := gob.NewEncoder(w).Encode(a); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return out.Close()
}

func (o order) do() (*Result, error) {
	switch {
	case o.Compile != nil:
		return compile(o.Compile)
	case o.Try != nil:
		return try(o.Try)
	}
	return nil, errors.New("the request asks for nothing")
}

// try does a trial in this process. Its result has the plugin's version only.
func try(t *Trial) (*Result, error) {
	p, err := pjrt.Load(t.Plugin)
	if err != nil {
		return nil, refused(StageLoad, err)
	}
	c, err := p.NewClient(t.Options...)
	if err != nil {
		return nil, refused(StageConnect, err)
	}
	return &Result{Plugin: version(p)}, c.Close()
}

// refused ties an error of the plugin's to the stage that met it.
func refused(stage string, err error) error {
	var load *pjrt.LoadError
	var plugin *pjrt.Error
	switch {
	case errors.As(err, &load):
		return &RefusedError{Stage: stage, Msg: load.Error(), Fix: load.Fix}
	case errors.As(err, &plugin):
		return &RefusedError{Stage: stage, Code: plugin.Code, Msg: plugin.Msg}
	}
	return fmt.Errorf("%s: %w", stage, err)
}

// compile does a request in this process.
func compile(r *Request) (*Result, error) {
	p, err := pjrt.Load(r.Plugin)
	if err != nil {
		return nil, refused(StageLoad, err)
	}
	t, err := p.NewTopology(r.Topology, r.TopologyOptions...)
	if err != nil {
		return nil, refused(StageTopology, err)
	}
	defer t.Close()
	chips, err := t.Chips()
	if err != nil {
		return nil, refused(StageTopology, err)
	}
	if len(chips) != r.Devices { // the plugin itself compiles for more partitions than there are chips
		return nil, &RefusedError{Stage: StageTopology,
			Msg: fmt.Sprintf("%s has %d devices by the plugin, %d by this compiler", r.Topology, len(chips), r.Devices)}
	}
	start := time.Now()
	e, err := t.Compile(r.Program, r.Compile)
	if err != nil {
		return nil, refused(StageCompile, err)
	}
	defer e.Close()
	result := &Result{Plugin: version(p), Seconds: time.Since(start).Seconds()}
	return result, read(e, result)
}

// version is the plugin's own word for its version.
func version(p *pjrt.Plugin) string {
	return fmt.Sprintf("PJRT %d.%d, StableHLO %v", p.Major, p.Minor, p.StableHLO())
}

// read takes all that is to be known of an executable.
func read(e *pjrt.Executable, r *Result) (err error) {
	if r.Memory, err = e.Memory(); err != nil {
		return refused(StageRead, err)
	}
	if r.Optimized, err = e.Optimized(); err != nil {
		return refused(StageRead, err)
	}
	if r.Serialized, err = e.Serialize(); err != nil {
		return refused(StageRead, err)
	}
	r.Costs, err = e.Costs()
	if err != nil {
		return refused(StageRead, err)
	}
	return nil
}

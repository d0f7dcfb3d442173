package toolchain

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
)

// envServe marks a compile child; its value is the path of the libLLVM to load.
const envServe = "VITC_SERVE_LLVM"

// hello is the first thing a child says.
type hello struct {
	Version string // "19.1.7"
	Err     string
}

// reply answers one Request.
type reply struct {
	Out        []byte
	Stage, Msg string // set when the request failed
}

// MaybeServe turns the process into a compile child if it was started as one, serving
// requests until its input ends, and does not return then. Call it first thing in main
// (and in TestMain of tests that compile): what runs before it, runs in every child.
func MaybeServe() {
	path, ok := os.LookupEnv(envServe)
	if !ok {
		return
	}
	os.Unsetenv(envServe)
	if err := serve(path, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve speaks gob: a hello, then a reply for every Request until the input ends.
func serve(path string, in io.Reader, out io.Writer) error {
	enc, dec := gob.NewEncoder(out), gob.NewDecoder(bufio.NewReader(in))
	api, err := openLibrary(path)
	if err != nil {
		return enc.Encode(hello{Err: err.Error()})
	}
	if err := enc.Encode(hello{Version: api.version()}); err != nil {
		return fmt.Errorf("compile child: %w", err)
	}
	for {
		var r Request
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("compile child: reading a request: %w", err)
		}
		var ans reply
		obj, cerr := api.compile(&r)
		if ans.Out = obj; cerr != nil {
			ans.Stage, ans.Msg = cerr.Stage, cerr.Msg
		}
		if err := enc.Encode(ans); err != nil {
			return fmt.Errorf("compile child: answering: %w", err)
		}
	}
}

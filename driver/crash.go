package driver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"vitc/codegen/llvm/toolchain"
	"vitc/ir/diag"
	"vitc/passes"
	"vitc/runtime/atomicfile"
	"vitc/runtime/fault"
)

// InternalError is a bug of vitc: what broke, and the file that shows it again.
type InternalError struct {
	Err    error
	File   string // the reproducer, "" where it could not be written
	Replay string // the command that runs it, "" where there is none
}

func (e *InternalError) Error() string { return "internal error: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *InternalError) Unwrap() error { return e.Err }

func (e *InternalError) diagnostic() *diag.Diagnostic {
	d := &diag.Diagnostic{Code: CodeInternal, Msg: "internal error: " + firstLine(e.Err.Error()),
		Notes: []diag.Note{{Text: "this is a bug of vitc, not of your program"}}}
	if e.File != "" {
		d.Notes = append(d.Notes, diag.Note{Text: "what shows it again is in " + e.File})
	}
	d.Fix = "report it with that file"
	if e.Replay != "" {
		d.Fix += "; to run it again: " + e.Replay
	}
	return d
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// crashed makes an internal error of a pass that broke: the reproducer is the module before
// the pass.
func crashed(c *passes.Crash, target string) error {
	var b bytes.Buffer
	e := &InternalError{Err: c}
	replay := "vitc opt --passes " + c.Pass + " --target " + target
	if c.Pass == inputPass {
		replay = "vitc opt"
	}
	fmt.Fprintf(&b, "// vitc %s: %s\n// %s FILE\n", Version, firstLine(c.Error()), replay)
	for _, line := range strings.Split(strings.TrimSpace(c.Stack), "\n") {
		fmt.Fprintf(&b, "// %s\n", line)
	}
	b.WriteString(c.Input)
	if e.File = keepReproducer("pass-"+c.Pass, ".ir", b.Bytes()); e.File != "" {
		e.Replay = replay + " " + e.File
	}
	return e
}

// inputPass is what passes.Run calls the verification before the first pass.
const inputPass = "input"

// Panicked makes an internal error of a recovered panic; its reproducer is the command
// line and the stack.
func Panicked(x any, stack []byte, args []string) error {
	err, ok := x.(error)
	if !ok {
		err = fmt.Errorf("%v", x)
	}
	var b bytes.Buffer
	dir, _ := os.Getwd() // "": left out
	fmt.Fprintf(&b, "vitc %s\ncommand: vitc %q\nfolder:  %s\nerror:   %v\n\n%s", Version, args, dir, err, stack)
	for _, arg := range args {
		if text, err := os.ReadFile(arg); err == nil && strings.HasSuffix(arg, ".vit") {
			fmt.Fprintf(&b, "\n--- %s\n%s", arg, text)
		}
	}
	return &InternalError{Err: err, File: keepReproducer("panic", ".txt", b.Bytes())}
}

// keepReproducer writes a file for a report into the folder for temporary files and returns
// its path, "" where that fails: a crash must not end in another error.
func keepReproducer(what, ext string, text []byte) string {
	name := fmt.Sprintf("vitc-%s-%d%s", strings.Map(fileSafe, what), os.Getpid(), ext)
	path := filepath.Join(os.TempDir(), name)
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return ""
	}
	return path
}

func fileSafe(r rune) rune {
	if r == '/' || r < ' ' {
		return '-'
	}
	return r
}

// diagnoseForeign makes a diagnostic of an error that is none.
func diagnoseForeign(err error) *diag.Diagnostic {
	var missing *toolchain.NotFoundError
	if errors.As(err, &missing) {
		return noLLVM(missing)
	}
	var failed *fault.Error
	if errors.As(err, &failed) {
		return fault.Diagnostic(err, CodeFile, diag.Pos{})
	}
	return &diag.Diagnostic{Code: CodeFile, Msg: firstLine(err.Error())}
}

// noLLVM says that there is no libLLVM, where it was looked for and how to get one.
func noLLVM(e *toolchain.NotFoundError) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: CodeNoLLVM, Msg: "no LLVM library found",
		Expected: fmt.Sprintf("libLLVM %d to %d", toolchain.MinMajor, toolchain.MaxMajor),
		Fix: fmt.Sprintf("as root on Debian or Ubuntu: apt-get install libllvm%d; otherwise: scripts/setup-llvm.sh; or --target ref, which needs none",
			toolchain.MinMajor)}
	for _, l := range e.Looked {
		if !l.Usable {
			d.Notes = append(d.Notes, diag.Note{Text: fmt.Sprintf("%s: %s", l.Path, l.Result)})
		}
	}
	return d
}

// badIR reports IR text that cannot be read; the error begins with the line.
func badIR(file string, err error) error {
	d := &diag.Diagnostic{Code: CodeIR, Msg: firstLine(err.Error()), Pos: diag.Pos{File: file}}
	var line int
	if n, _ := fmt.Sscanf(err.Error(), "line %d:", &line); n == 1 {
		d.Pos.Line, d.Pos.Col = line, 1
		_, d.Msg, _ = strings.Cut(d.Msg, ": ")
	}
	return d
}

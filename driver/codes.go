package driver

import (
	"errors"
	"fmt"

	"vitc/ir/diag"
	"vitc/runtime/train"
)

// Codes of the diagnostics of building and of the command line. Those of runs stand in
// runtime/train, those of the language in lang.
const (
	CodeNoLLVM     = "V0701" // native code was asked for and there is no libLLVM
	CodeLLVM       = "V0702" // LLVM refused a module
	CodeBundle     = "V0703" // a bundle is damaged or of another version
	CodeCPU        = "V0704" // the code is for another machine
	CodeIR         = "V0705" // IR text does not parse or verify, or is not yet what a pass needs
	CodeTrain      = "V0706" // the program has no such train block, or several to choose from
	CodeMemory     = "V0707" // the program does not fit the machine's memory
	CodeONNX       = "V0708" // an ONNX model cannot say what the program computes
	CodeXLA        = "V0709" // a program has no StableHLO, or XLA refused it
	CodeNoPlugin   = "V0710" // there is no PJRT plugin, or none that can be used
	CodePluginDied = "V0711" // a PJRT plugin took its process down
	CodeNoMPI      = "V0717" // there is no Open MPI, or no mpirun has started this process
	CodeScheduled  = "V0716" // a scheduled program is damaged, or not for the machine named
	CodePlanMemory = "V0507" // the program does not fit the devices of its plan
	CodePlan       = "V0508" // no such plan, several to choose from, or one for other devices
	CodeTensor     = "V0510" // the step has no such tensor
	CodeUneven     = "V0503" // examples do not divide over devices
	CodeFormat     = "V0801" // a file is not in canonical form
	CodeCommand    = "V0901" // no such command
	CodeFlag       = "V0902" // no such flag
	CodeValue      = "V0903" // a flag's value is bad
	CodeArgs       = "V0904" // wrong positional arguments
	CodeFile       = "V0905" // a file named on the command line cannot be read
	CodeInternal   = "V9999" // a bug of vitc
)

// Exit statuses.
const (
	ExitOK          = 0
	ExitBad         = 1   // the program or its data is bad
	ExitUsage       = 2   // the command line is wrong
	ExitInternal    = 70  // a bug of vitc (EX_SOFTWARE of sysexits.h)
	ExitInterrupted = 130 // 128 + SIGINT, as shells count
)

// ErrInterrupted says that the user asked to stop.
var ErrInterrupted = train.ErrInterrupted

// ErrReported says that a command failed and has said all there is to say.
var ErrReported = errors.New("the errors have been reported")

// UsageError is a mistake on the command line.
type UsageError struct{ *diag.Diagnostic }

// Unwrap returns the diagnostic.
func (e *UsageError) Unwrap() error { return e.Diagnostic }

// ExitStatus maps an error to the status that the process ends with.
func ExitStatus(err error) int {
	var usage *UsageError
	var bug *InternalError
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrInterrupted):
		return ExitInterrupted
	case errors.As(err, &bug):
		return ExitInternal
	case errors.As(err, &usage):
		return ExitUsage
	}
	return ExitBad
}

// Diagnose turns any error into what is printed of it: nothing for those that have been
// reported.
func Diagnose(err error) diag.List {
	var list diag.List
	var d *diag.Diagnostic
	var bug *InternalError
	switch {
	case err == nil, errors.Is(err, ErrReported), errors.Is(err, ErrInterrupted):
		return nil
	case errors.As(err, &bug):
		return diag.List{bug.diagnostic()}
	case errors.As(err, &list):
		return list
	case errors.As(err, &d):
		return diag.List{d}
	}
	return diag.List{diagnoseForeign(err)}
}

// usagef makes a mistake on the command line.
func usagef(code, fix, format string, args ...any) error {
	return &UsageError{&diag.Diagnostic{Code: code, Msg: fmt.Sprintf(format, args...), Fix: fix}}
}

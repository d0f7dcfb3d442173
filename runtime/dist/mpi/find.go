package mpi

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// EnvLibrary names the environment variable that points at Open MPI's library and overrides the
// search.
const EnvLibrary = "VITC_MPI"

// soname is the name of the library of Open MPI 2 to 5, whose binary interface is one.
const soname = "libmpi.so.40"

// Found is Open MPI's library on this machine.
type Found struct {
	Path string // with symbolic links resolved
	From string // why it was looked at: "VITC_MPI", "mpirun", "system"
}

// Look is one place that the search looked at, and what it saw there.
type Look struct{ Path, Result string }

// NotFoundError says that Open MPI is not on this machine.
type NotFoundError struct{ Looked []Look }

// Error lists what was looked at and what to do about it.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	b.WriteString("Open MPI's library, " + soname + ", is not on this machine\n")
	for _, l := range e.Looked {
		fmt.Fprintf(&b, "  looked at %s: %s\n", l.Path, l.Result)
	}
	b.WriteString("fix: " + e.Fix())
	return b.String()
}

// Fix says how to get it.
func (e *NotFoundError) Fix() string {
	return "as root on Debian or Ubuntu: apt-get install openmpi-bin; or set " + EnvLibrary + " to " + soname
}

// Find finds the library: the file that VITC_MPI names (one that is not there is an error, never
// passed over), else beside the mpirun of the path, else in the usual folders. The error is a
// *NotFoundError. Nothing is loaded.
func Find() (*Found, error) {
	if v := os.Getenv(EnvLibrary); v != "" {
		if found := resolve(v, EnvLibrary); found != nil {
			return found, nil
		}
		return nil, &NotFoundError{[]Look{{v, EnvLibrary + ": no such file"}}}
	}
	var looked []Look
	for _, p := range places() {
		if found := resolve(filepath.Join(p.dir, soname), p.from); found != nil {
			return found, nil
		}
		looked = append(looked, Look{p.dir, "no " + soname + " here"})
	}
	return nil, &NotFoundError{looked}
}

type place struct{ dir, from string }

// places lists folders: those of the loader's path, of the mpirun that the path finds, the usual.
func places() []place {
	var list []place
	for _, dir := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		list = append(list, place{dir, "LD_LIBRARY_PATH"})
	}
	if run, err := exec.LookPath("mpirun"); err == nil {
		if real, err := filepath.EvalSymlinks(run); err == nil {
			list = append(list, place{filepath.Join(filepath.Dir(filepath.Dir(real)), "lib"), "mpirun"})
		}
	}
	for _, dir := range []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64/openmpi/lib", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/opt/openmpi/lib"} {
		list = append(list, place{dir, "system"})
	}
	return list
}

func resolve(path, from string) *Found {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	if info, err := os.Stat(real); err != nil || info.IsDir() {
		return nil
	}
	return &Found{real, from}
}

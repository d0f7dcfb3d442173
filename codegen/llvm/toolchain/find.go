package toolchain

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
)

// EnvLibrary names the environment variable that points at a libLLVM, or at a folder
// holding one, and overrides the search.
const EnvLibrary = "VITC_LLVM"

// The versions of LLVM whose C API and text form this package was written for.
const (
	MinMajor = 19
	MaxMajor = 22
)

// Found is a usable libLLVM.
type Found struct {
	Path  string // with symbolic links resolved
	Major int
	Minor int
	From  string // why it was looked at: "VITC_LLVM", "user cache", "system"
}

// Version returns "19.1".
func (f *Found) Version() string { return fmt.Sprintf("%d.%d", f.Major, f.Minor) }

// Identity tells this library from any other build of the same version: path, size and
// time of change. It is part of the key of cached objects, so that a changed compiler
// never answers with another's code.
func (f *Found) Identity() string {
	st, err := os.Stat(f.Path)
	if err != nil {
		return f.Version() + " " + f.Path
	}
	return fmt.Sprintf("%s %s %d %d", f.Version(), f.Path, st.Size(), st.ModTime().UnixNano())
}

// Look is one place the search looked at and what it saw there.
type Look struct {
	Path   string
	From   string
	Result string // "LLVM 19.1", "no such file", "LLVM 14.0: too old, 19 to 22 are supported"
	Usable bool
}

// NotFoundError says that no usable libLLVM is on this machine.
type NotFoundError struct{ Looked []Look }

// Error lists what was looked at and what to do about it.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no LLVM library found (versions %d to %d are supported)\n", MinMajor, MaxMajor)
	for _, l := range e.Looked {
		fmt.Fprintf(&b, "  looked at %s: %s\n", l.Path, l.Result)
	}
	fmt.Fprintf(&b, "fix: as root on Debian or Ubuntu: apt-get install libllvm%d\n", MinMajor)
	b.WriteString("     otherwise: scripts/setup-llvm.sh (takes the Maven artifact org.bytedeco:llvm:20.1.7-1.5.12:linux-x86_64)\n")
	fmt.Fprintf(&b, "     or set %s to a libLLVM.so, or to the folder that holds it", EnvLibrary)
	return b.String()
}

// Find returns the newest suitable libLLVM: the one VITC_LLVM names if it is set (an
// unusable one is an error, never passed over), else of the user's cache folder and the
// usual library folders. The error is a *NotFoundError.
func Find() (*Found, error) {
	looks, found := search(os.Getenv)
	if found == nil {
		return nil, &NotFoundError{looks}
	}
	return found, nil
}

// Doctor returns every place that Find looks at, in order, and the library it chooses
// (nil if there is none).
func Doctor() ([]Look, *Found) { return search(os.Getenv) }

// CacheDir returns the folder that scripts/setup-llvm.sh unpacks libLLVM into:
// $XDG_CACHE_HOME/vitc/llvm, or ~/.cache/vitc/llvm.
func CacheDir() (string, error) { return cacheSub(os.Getenv, "llvm") }

func cacheSub(getenv func(string) string, name string) (string, error) {
	base := getenv("XDG_CACHE_HOME")
	if base == "" {
		home := getenv("HOME")
		if home == "" {
			return "", errors.New("neither XDG_CACHE_HOME nor HOME is set: no cache folder")
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "vitc", name), nil
}

type place struct{ dir, from string }

func search(getenv func(string) string) ([]Look, *Found) {
	if v := getenv(EnvLibrary); v != "" {
		return searchOverride(v)
	}
	var looks []Look
	var best *Found
	seen := map[string]bool{}
	for _, p := range places(getenv) {
		files := libraries(p.dir)
		if len(files) == 0 {
			looks = append(looks, Look{p.dir, p.from, "no libLLVM here", false})
		}
		for _, f := range files {
			if seen[f] {
				continue
			}
			seen[f] = true
			l, found := inspect(f, p.from)
			looks = append(looks, l)
			if found != nil && (best == nil || newer(found, best)) {
				best = found
			}
		}
	}
	return looks, best
}

func searchOverride(v string) ([]Look, *Found) {
	st, err := os.Stat(v)
	if err != nil {
		return []Look{{v, EnvLibrary, "no such file", false}}, nil
	}
	files := []string{v}
	if st.IsDir() {
		if files = libraries(v); len(files) == 0 {
			return []Look{{v, EnvLibrary, "no libLLVM here", false}}, nil
		}
	}
	var looks []Look
	var best *Found
	for _, f := range files {
		l, found := inspect(f, EnvLibrary)
		looks = append(looks, l)
		if found != nil && (best == nil || newer(found, best)) {
			best = found
		}
	}
	return looks, best
}

func newer(a, b *Found) bool {
	if a.Major != b.Major {
		return a.Major > b.Major
	}
	return a.Minor > b.Minor
}

// places lists the folders searched, the user's first.
func places(getenv func(string) string) []place {
	var out []place
	if d, err := cacheSub(getenv, "llvm"); err == nil {
		out = append(out, place{d, "user cache"})
		subs, _ := filepath.Glob(filepath.Join(d, "*"))
		for _, s := range subs {
			if st, err := os.Stat(s); err == nil && st.IsDir() {
				out = append(out, place{s, "user cache"})
			}
		}
	}
	for _, d := range filepath.SplitList(getenv("LD_LIBRARY_PATH")) {
		if d != "" {
			out = append(out, place{d, "LD_LIBRARY_PATH"})
		}
	}
	multiarch := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	for _, d := range []string{"/usr/lib/" + multiarch, "/usr/lib64", "/usr/lib", "/usr/local/lib", "/usr/local/lib64"} {
		out = append(out, place{d, "system"})
	}
	for v := MaxMajor; v >= MinMajor; v-- {
		for _, f := range []string{"/usr/lib/llvm-%d/lib", "/usr/lib/llvm%d/lib", "/usr/lib/llvm/%d/lib64", "/usr/lib64/llvm%d/lib64"} {
			if d := fmt.Sprintf(f, v); isDir(d) {
				out = append(out, place{d, "system"})
			}
		}
	}
	return out
}

func isDir(d string) bool {
	st, err := os.Stat(d)
	return err == nil && st.IsDir()
}

// libraries returns the libLLVM files of a folder, links resolved, sorted, once each.
func libraries(dir string) []string {
	names, _ := filepath.Glob(filepath.Join(dir, "libLLVM*.so*"))
	seen := map[string]bool{}
	var out []string
	for _, n := range names {
		if strings.HasPrefix(filepath.Base(n), "libLLVM-C") {
			continue // Debian's separate C library: only some of the functions
		}
		r, err := filepath.EvalSymlinks(n)
		if err != nil || seen[r] {
			continue
		}
		seen[r] = true
		out = append(out, r)
	}
	sort.Strings(out)
	return out
}

// inspect reads the version of a library from its soname, without loading it.
func inspect(path, from string) (Look, *Found) {
	look := Look{Path: path, From: from}
	if r, err := filepath.EvalSymlinks(path); err == nil {
		path = r
	}
	f, err := elf.Open(path)
	if err != nil {
		look.Result = "not a shared library: " + err.Error()
		return look, nil
	}
	defer f.Close()
	if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]; f.Machine != want {
		look.Result = fmt.Sprintf("for another machine: %v, this one is %v", f.Machine, want)
		return look, nil
	}
	names, err := f.DynString(elf.DT_SONAME)
	if err != nil || len(names) == 0 {
		names = []string{filepath.Base(path)}
	}
	major, minor, ok := parseSoname(names[0])
	switch {
	case !ok:
		look.Result = fmt.Sprintf("its name %q tells no version of LLVM", names[0])
	case major < MinMajor:
		look.Result = fmt.Sprintf("LLVM %d.%d: too old, %d to %d are supported", major, minor, MinMajor, MaxMajor)
	case major > MaxMajor:
		look.Result = fmt.Sprintf("LLVM %d.%d: too new, %d to %d are supported", major, minor, MinMajor, MaxMajor)
	default:
		look.Result, look.Usable = fmt.Sprintf("LLVM %d.%d", major, minor), true
		return look, &Found{Path: path, Major: major, Minor: minor, From: from}
	}
	return look, nil
}

// parseSoname reads libLLVM.so.19.1, libLLVM-19.so.1 and libLLVM-19.so.
func parseSoname(s string) (major, minor int, ok bool) {
	rest, ok := strings.CutPrefix(s, "libLLVM")
	if !ok {
		return 0, 0, false
	}
	rest = strings.TrimLeft(rest, "-.so")
	head, tail, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(head)
	if err != nil {
		return 0, 0, false
	}
	tail = strings.TrimPrefix(tail, "so.")
	head, _, _ = strings.Cut(tail, ".")
	if m, err := strconv.Atoi(head); err == nil {
		minor = m
	}
	return major, minor, true
}

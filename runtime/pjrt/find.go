package pjrt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Kind is a row of the table of kinds of plugins: for which devices, and where they lie.
type Kind struct {
	Name    string // cpu, cuda, tpu
	Doc     string
	Env     string   // the environment variable that names one and overrides the search
	Files   []string // paths inside a folder of Python packages
	Package string   // the package that is fetched or told of, as pip names it
}

// The kinds.
var (
	CPU  = Kind{"cpu", "XLA on this machine's CPU", "VITC_PJRT_CPU", []string{"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"}, "lammps-jax-pjrt-cpu==0.11.2"}
	CUDA = Kind{"cuda", "XLA on NVIDIA GPUs", "VITC_PJRT_CUDA", []string{"jax_plugins/xla_cuda13/xla_cuda_plugin.so", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"}, "jax-cuda13-pjrt"}
	TPU  = Kind{"tpu", "the TPU compiler", "VITC_PJRT_TPU", []string{"libtpu/libtpu.so"}, "libtpu==0.0.52"}
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{CPU, CUDA, TPU} }

// Found is a plugin's file.
type Found struct {
	Path    string // with symbolic links resolved
	Version string // of its package, "" where that cannot be told
	From    string // why it was looked at: the variable's name, "cache", "python"
}

// Look is one place that the search looked at, and what it saw there.
type Look struct{ Path, Result string }

// NotFoundError says that there is no plugin of a kind on this machine.
type NotFoundError struct {
	Kind   Kind
	Looked []Look
}

// Error lists what was looked at and what to do about it.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no PJRT plugin for %s found\n", e.Kind.Doc)
	for _, l := range e.Looked {
		fmt.Fprintf(&b, "  looked at %s: %s\n", l.Path, l.Result)
	}
	fmt.Fprintf(&b, "fix: %s", e.Fix())
	return b.String()
}

// Fix says how to get one.
func (e *NotFoundError) Fix() string {
	how := "make xla fetches it"
	if e.Kind.Name == CUDA.Name {
		how = "pip install " + e.Kind.Package
	}
	return fmt.Sprintf("%s (the Python package %s); or set %s to the plugin's file", how, e.Kind.Package, e.Kind.Env)
}

// Find finds a plugin: the file that the kind's variable names (one that is not there is an
// error, never passed over), else the first of the cache folder and of the usual folders of
// Python packages. The error is a *NotFoundError. Nothing is loaded.
func Find(k Kind) (*Found, error) {
	looked, found := search(k, os.Getenv)
	if found == nil {
		return nil, &NotFoundError{k, looked}
	}
	return found, nil
}

// CacheDir is the folder that `make xla` unpacks plugins into: $XDG_CACHE_HOME/vitc/pjrt or
// ~/.cache/vitc/pjrt.
func CacheDir() (string, error) { return cacheDir(os.Getenv) }

func cacheDir(getenv func(string) string) (string, error) {
	base := getenv("XDG_CACHE_HOME")
	if base == "" {
		home := getenv("HOME")
		if home == "" {
			return "", errors.New("neither XDG_CACHE_HOME nor HOME is set: no cache folder")
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "vitc", "pjrt"), nil
}

func search(k Kind, getenv func(string) string) ([]Look, *Found) {
	if v := getenv(k.Env); v != "" {
		info, err := os.Stat(v)
		switch {
		case err != nil:
			return []Look{{v, k.Env + ": " + cause(err)}}, nil
		case info.IsDir():
			return []Look{{v, k.Env + ": a folder, not a plugin's file"}}, nil
		}
		return nil, resolve(v, k.Env)
	}
	var looked []Look
	if dir, err := cacheDir(getenv); err == nil {
		name, version, _ := strings.Cut(k.Package, "==")
		place := filepath.Join(dir, name+"-"+version)
		for _, file := range k.Files {
			if found := resolve(filepath.Join(place, filepath.Base(file)), "cache"); found != nil {
				return nil, found
			}
		}
		looked = append(looked, Look{place, "no plugin here"})
	}
	for _, dir := range pythonFolders(getenv) {
		for _, file := range k.Files {
			if found := resolve(filepath.Join(dir, file), "python"); found != nil {
				return nil, found
			}
		}
		looked = append(looked, Look{dir, "has no " + strings.Join(k.Files, ", ")})
	}
	return looked, nil
}

func resolve(path, from string) *Found {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	if info, err := os.Stat(real); err != nil || info.IsDir() {
		return nil
	}
	return &Found{real, version(path), from}
}

var folderVersion = regexp.MustCompile(`-(\d+(?:\.\d+)+)$`)

// version reads a plugin's version from the folder that it lies in, NAME-VERSION, or from the
// one that its Python package keeps beside it, NAME-VERSION.dist-info.
func version(path string) string {
	dir := filepath.Dir(path)
	if m := folderVersion.FindStringSubmatch(filepath.Base(dir)); m != nil {
		return m[1]
	}
	infos, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), filepath.Base(dir)+"-*.dist-info"))
	for _, info := range infos {
		if m := folderVersion.FindStringSubmatch(strings.TrimSuffix(filepath.Base(info), ".dist-info")); m != nil {
			return m[1]
		}
	}
	return ""
}

// pythonFolders lists the folders of Python packages that exist: of the active environment,
// of the folder's own, the user's, the system's.
func pythonFolders(getenv func(string) string) []string {
	var patterns []string
	for _, root := range []string{getenv("VIRTUAL_ENV"), getenv("CONDA_PREFIX"), ".venv", "venv", underHome(getenv, ".local"), underHome(getenv, ".pyenv/versions/*"), "/usr/local", "/usr"} {
		if root != "" {
			patterns = append(patterns, root+"/lib/python3*/site-packages", root+"/lib/python3*/dist-packages")
		}
	}
	var dirs []string
	for _, p := range patterns {
		found, _ := filepath.Glob(p) // the patterns are well formed
		slices.Reverse(found)        // later versions first
		dirs = append(dirs, found...)
	}
	return dirs
}

func underHome(getenv func(string) string, sub string) string {
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, sub)
	}
	return ""
}

package pjrt

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Plugin is a loaded plugin. There is one for a file in a process, however often it is loaded.
type Plugin struct {
	Path         string
	Major, Minor int // of the PJRT API that it speaks
	Attributes   []Attribute

	table unsafe.Pointer
}

// Version is a version of StableHLO: 1.24.0.
type Version [3]int64

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// Less compares versions.
func (v Version) Less(w Version) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// MinStableHLO is the oldest StableHLO whose plugins were tried with the programs emitted here.
var MinStableHLO = Version{1, 13, 0}

// StableHLO is the newest version of StableHLO that the plugin reads, zero where it does not say.
func (p *Plugin) StableHLO() Version {
	for _, a := range p.Attributes {
		if list, ok := a.Value.([]int64); ok && a.Name == "stablehlo_current_version" && len(list) == 3 {
			return Version(list)
		}
	}
	return Version{}
}

// loaded holds the plugins of this process by their real path: initialising one twice is an
// error to some.
var loaded = struct {
	sync.Mutex
	plugins map[string]*Plugin
}{plugins: map[string]*Plugin{}}

// Load loads and initialises a plugin and checks that it speaks versions of PJRT and StableHLO
// known here. The error is a *LoadError.
func Load(path string) (*Plugin, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, &LoadError{path, cause(err), "give the path of a PJRT plugin, a shared library"}
	}
	loaded.Lock()
	defer loaded.Unlock()
	if p := loaded.plugins[real]; p != nil {
		return p, nil
	}
	p, err := load(real)
	if err != nil {
		return nil, err
	}
	loaded.plugins[real] = p
	return p, nil
}

func cause(err error) string {
	if pathErr, ok := err.(*os.PathError); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}

func load(path string) (*Plugin, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, &LoadError{path, "cannot be loaded: " + err.Error(), "give a shared library for this machine; it may need libstdc++ and libgcc_s"}
	}
	get, err := purego.Dlsym(lib, "GetPjrtApi")
	if err != nil {
		return nil, &LoadError{path, "is no PJRT plugin: it has no GetPjrtApi", "give the path of a PJRT plugin"}
	}
	table, _, _ := purego.SyscallN(get)
	if table == 0 {
		return nil, &LoadError{path, "its GetPjrtApi returns nothing", "another plugin"}
	}
	p := &Plugin{Path: path, table: *(*unsafe.Pointer)(unsafe.Pointer(&table))}
	p.Major, p.Minor = int(p.int32At(offsetMajor)), int(p.int32At(offsetMinor))
	if err := p.checkTable(*(*uintptr)(p.table)); err != nil {
		return nil, err
	}
	if err := call(p, slotInitialize, &header{}); err != nil {
		return nil, &LoadError{path, "does not start: " + err.Error(), "another version of the plugin"}
	}
	if p.Attributes, err = p.attributes(); err != nil {
		return nil, &LoadError{path, "does not describe itself: " + err.Error(), "another version of the plugin"}
	}
	return p, p.checkStableHLO()
}

func (p *Plugin) int32At(offset uintptr) int32 { return *(*int32)(unsafe.Add(p.table, offset)) }

// function is the address of a function of the table.
func (p *Plugin) function(s slot) uintptr {
	return *(*uintptr)(unsafe.Add(p.table, offsetTable+slotBytes*uintptr(s)))
}

// The versions of the PJRT API that are understood: the major number, and the oldest minor one that
// was tried.
const (
	apiMajor = 0
	minMinor = 81
)

// checkTable checks the version, and that the table, size bytes, holds every function used.
func (p *Plugin) checkTable(size uintptr) error {
	fix := fmt.Sprintf("a plugin of PJRT %d.%d or later; `make xla` fetches tried ones", apiMajor, minMinor)
	switch {
	case p.Major != apiMajor:
		return &LoadError{p.Path, fmt.Sprintf("speaks PJRT %d.%d: expected %d.x", p.Major, p.Minor, apiMajor), fix}
	case p.Minor < minMinor || size < offsetTable+slotBytes*(uintptr(lastSlot)+1):
		return &LoadError{p.Path, fmt.Sprintf("speaks PJRT %d.%d: too old", p.Major, p.Minor), fix}
	}
	return nil
}

func (p *Plugin) checkStableHLO() error {
	have := p.StableHLO()
	if have == (Version{}) || !have.Less(MinStableHLO) {
		return nil // one that does not say is asked by handing it a program
	}
	return &LoadError{p.Path, fmt.Sprintf("reads StableHLO %v: too old, %v is the least", have, MinStableHLO),
		"a newer plugin; `make xla` fetches tried ones"}
}

func (p *Plugin) attributes() ([]Attribute, error) {
	var args struct {
		header
		list  unsafe.Pointer
		count uintptr
	}
	if err := call(p, slotAttributes, &args); err != nil {
		return nil, err
	}
	return readAttributes(args.list, args.count), nil
}

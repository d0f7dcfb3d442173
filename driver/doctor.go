package driver

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/toolchain"
	"vitc/runtime/data"
)

// Facts is what `vitc doctor` finds out about the machine.
type Facts struct {
	Version VersionInfo   `json:"version"`
	CPU     CPUFacts      `json:"cpu"`
	LLVM    LLVMFacts     `json:"llvm"`
	Plugins []PluginFacts `json:"plugins"`
	MPI     MPIFacts      `json:"mpi"`
	Data    []FolderFact  `json:"data"`
	Cache   FolderFact    `json:"cache"`
	Targets []TargetFacts `json:"targets"`
}

// CPUFacts describes the processor.
type CPUFacts struct {
	Arch   string   `json:"arch"`
	Level  string   `json:"level"` // the highest instruction set that kernels can use
	Levels []string `json:"levels"`
	BF16   bool     `json:"bf16"`
	VNNI   bool     `json:"vnni"`
	L1D    int      `json:"l1d"`
	L2     int      `json:"l2"`
	L3     int      `json:"l3"`
	Cores  int      `json:"cores"` // that this process may use
}

// LLVMFacts says which libLLVM is used and where it was looked for.
type LLVMFacts struct {
	Path    string   `json:"path,omitempty"` // "": none was found
	Version string   `json:"version,omitempty"`
	From    string   `json:"from,omitempty"`
	Error   string   `json:"error,omitempty"` // it was found and does not load
	Looked  []string `json:"looked,omitempty"`
	Fix     string   `json:"fix,omitempty"`
}

// FolderFact is a folder that may be there.
type FolderFact struct {
	Path  string `json:"path"`
	Found bool   `json:"found"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// TargetFacts says whether a target can be used.
type TargetFacts struct {
	Name  string `json:"name"`
	Doc   string `json:"doc"`
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"` // it cannot
}

// Examine finds the facts out.
func Examine(ctx context.Context) Facts {
	f := Facts{Version: ReadVersion(), CPU: cpuFacts(), LLVM: llvmFacts(ctx), Plugins: pluginFacts(), MPI: mpiFacts()}
	for _, dir := range data.DefaultSearch {
		f.Data = append(f.Data, folderFact(dir))
	}
	if dir, err := toolchain.CacheDir(); err == nil {
		f.Cache = folderFact(filepath.Dir(dir))
	}
	for _, t := range Targets() {
		fact := TargetFacts{Name: t.Name, Doc: t.Doc, Ready: true}
		if err := t.Missing(); err != nil {
			fact.Ready, fact.Why = false, firstLine(err.Error())
		}
		f.Targets = append(f.Targets, fact)
	}
	return f
}

func cpuFacts() CPUFacts {
	h := cpu.Detect()
	facts := CPUFacts{Arch: h.Arch, Level: h.Level.String(), BF16: h.BF16, VNNI: h.VNNI,
		L1D: h.L1D, L2: h.L2, L3: h.L3, Cores: runtime.GOMAXPROCS(0)}
	for _, l := range h.Levels() {
		facts.Levels = append(facts.Levels, l.String())
	}
	return facts
}

// llvmFacts finds the library and loads it in a child, which shows that it works.
func llvmFacts(ctx context.Context) LLVMFacts {
	looks, found := toolchain.Doctor()
	var facts LLVMFacts
	for _, l := range looks {
		facts.Looked = append(facts.Looked, l.Path+": "+l.Result)
	}
	if found == nil {
		facts.Fix = noLLVM(&toolchain.NotFoundError{Looked: looks}).Fix
		return facts
	}
	facts.Path, facts.Version, facts.From = found.Path, found.Version(), found.From
	c, err := toolchain.New(toolchain.Options{Library: found, Children: 1, NoCache: true})
	if err == nil {
		defer c.Close()
		facts.Version, err = c.Version(ctx)
	}
	if err != nil {
		facts.Error = err.Error()
		facts.Fix = "install another libLLVM, or set " + toolchain.EnvLibrary + " to one"
	}
	return facts
}

// folderFact counts the files of a folder. What cannot be read counts as absent.
func folderFact(dir string) FolderFact {
	f := FolderFact{Path: dir}
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			f.Files++
			f.Bytes += info.Size()
		}
		return nil
	})
	_, statErr := os.Stat(dir)
	f.Found = err == nil && statErr == nil
	return f
}

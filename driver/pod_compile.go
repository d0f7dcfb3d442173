package driver

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"

	"vitc/codegen"
	"vitc/runtime/pjrt"
	"vitc/runtime/pjrt/aot"
)

// The parts of a bundle that holds a program compiled ahead of time.
const (
	PartStableHLO  = "program.mlir" // what was compiled
	PartOptions    = "options.json" // for which devices and how, see PodProgram.Files
	PartCompile    = "compile.pb"   // the same as the plugin was told it: a CompileOptionsProto
	PartExecutable = "executable"   // in the plugin's own format
	PartOptimized  = "optimized.pb" // the scheduled program: an HloModuleProtoWithConfig
	PartMemory     = "memory.json"  // what it needs of a device: a pjrt.Memory
)

// Compile compiles the program by the TPU compiler that this machine has, in a child process.
func (pod *PodProgram) Compile(ctx context.Context) (*PodBuilt, error) {
	found, err := pjrt.Find(pjrt.TPU)
	if err != nil {
		return nil, missingPlugin(err)
	}
	r := pod.request(found.Path)
	result, err := aot.Compile(ctx, r)
	if err != nil {
		return nil, pod.cannotCompile(err)
	}
	built := &PodBuilt{Pod: pod, Result: result, Plugin: *found}
	built.options, err = r.Compile.Encode()
	return built, err
}

// request is the program as the plugin is asked to compile it.
func (pod *PodProgram) request(plugin string) *aot.Request {
	r := &aot.Request{Plugin: plugin, Topology: pod.Topology.Name(), Devices: pod.Topology.Devices(), Program: pod.Text}
	o := pod.Topology.Options()
	if o.ChipConfig != "" {
		r.TopologyOptions = append(r.TopologyOptions, pjrt.Attribute{Name: "chip_config_name", Value: o.ChipConfig})
	}
	if o.Wrap != nil {
		var wrap []int64
		for _, wraps := range o.Wrap {
			wrap = append(wrap, int64(number(wraps)))
		}
		r.TopologyOptions = append(r.TopologyOptions, pjrt.Attribute{Name: "wrap", Value: wrap})
	}
	r.Compile = pjrt.CompileOptions{Partitions: pod.Plan.Mesh.Devices(), Assignment: pod.Assignment.Devices, Shardy: true}
	for name, value := range pod.Flags {
		r.Compile.Flags = append(r.Compile.Flags, pjrt.Attribute{Name: name, Value: value})
	}
	slices.SortFunc(r.Compile.Flags, func(a, b pjrt.Attribute) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// PodBuilt is a program compiled ahead of time.
type PodBuilt struct {
	Pod    *PodProgram
	Result *aot.Result
	Plugin pjrt.Found

	options []byte
}

// Encode writes the bundle's file.
func (b *PodBuilt) Encode(w io.Writer) error {
	files, err := b.Pod.Files()
	if err != nil {
		return err
	}
	memory, err := json.Marshal(b.Result.Memory)
	if err != nil {
		return err
	}
	file := codegen.Bundle{Target: b.Pod.Topology.Target(), ISA: "libtpu " + b.Plugin.Version, Plan: &codegen.Plan{},
		Program: b.Pod.Program, IR: b.Pod.Program.Module.String()}
	for _, f := range files {
		file.Parts = append(file.Parts, codegen.Part{Name: f.Name, Data: f.Data})
	}
	file.Parts = append(file.Parts, codegen.Part{Name: PartCompile, Data: b.options}, codegen.Part{Name: PartExecutable, Data: b.Result.Serialized},
		codegen.Part{Name: PartOptimized, Data: b.Result.Optimized}, codegen.Part{Name: PartMemory, Data: memory})
	return file.Encode(w)
}

// PodReport is what `vitc build` says of a program compiled ahead of time.
type PodReport struct {
	File        string      `json:"file"`
	Target      string      `json:"target"`
	Plan        string      `json:"plan"`
	Partitioner string      `json:"partitioner"`
	Devices     int         `json:"devices"`
	Bytes       int         `json:"bytes"` // of the file
	Memory      pjrt.Memory `json:"memory"`
	Capacity    int64       `json:"capacity_bytes"`
	Compiler    string      `json:"compiler"`
	Seconds     float64     `json:"compile_seconds"`
}

// Report describes the file that the program was written to.
func (b *PodBuilt) Report(file string, bytes int) PodReport {
	return PodReport{File: file, Target: b.Pod.Topology.Target(), Plan: b.Pod.Plan.Name, Partitioner: b.Pod.Partitioner, Devices: b.Pod.Topology.Devices(),
		Bytes: bytes, Memory: b.Result.Memory, Capacity: b.Pod.Topology.Chip.HBM, Compiler: "libtpu " + b.Plugin.Version, Seconds: b.Result.Seconds}
}

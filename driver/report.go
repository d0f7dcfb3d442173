package driver

import (
	"time"

	"vitc/ir"
	"vitc/ir/diag"
)

// Report is what `vitc check` says of one program.
type Report struct {
	File        string        `json:"file"`
	OK          bool          `json:"ok"`
	Trains      []TrainReport `json:"trains,omitempty"`
	Plans       []*Footprint  `json:"plans,omitempty"` // those that were held against their devices
	Diagnostics diag.List     `json:"diagnostics,omitempty"`
}

// TrainReport describes a train block that is right.
type TrainReport struct {
	Name       string   `json:"name"`
	Parameters int      `json:"parameters"`  // numbers that are trained
	StateBytes int      `json:"state_bytes"` // parameters, optimizer and model state
	Ops        int      `json:"ops"`         // of the IR as built
	Evals      []string `json:"evals,omitempty"`
	Plans      []string `json:"plans,omitempty"`
}

// describe counts what a program has; plans are those of its file.
func describe(p *ir.Program, plans []string) TrainReport {
	t := TrainReport{Name: p.Name, Plans: plans}
	for _, leaf := range p.State {
		t.StateBytes += leaf.Type.Bytes()
		if leaf.Kind == ir.LeafParam {
			t.Parameters += leaf.Type.Size()
		}
	}
	if p.Module != nil {
		t.Ops = p.Module.CountOps()
	}
	for _, e := range p.Evals {
		t.Evals = append(t.Evals, e.Name)
	}
	return t
}

// BuildReport is what `vitc build` says.
type BuildReport struct {
	File       string  `json:"file"`
	Train      string  `json:"train"`
	Target     string  `json:"target"`
	ISA        string  `json:"isa,omitempty"`
	Bytes      int     `json:"bytes"`
	Parameters int     `json:"parameters"`
	StateBytes int     `json:"state_bytes"`
	Kernels    int     `json:"kernels"`
	Seconds    float64 `json:"seconds"`
}

// Report describes what was built into a file of some bytes.
func (b *Built) Report(file string, bytes int, took time.Duration) BuildReport {
	d := describe(b.Program, nil)
	r := BuildReport{File: file, Train: d.Name, Target: b.Target.Name, Bytes: bytes,
		Parameters: d.Parameters, StateBytes: d.StateBytes, Seconds: took.Seconds()}
	if b.Bundle != nil {
		r.ISA, r.Kernels = b.Bundle.ISA, len(b.Bundle.Kernels())
	}
	return r
}

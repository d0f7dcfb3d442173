package driver

import (
	"errors"
	"fmt"
	"slices"

	"vitc/codegen/stablehlo"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/passes"
)

// The partitioners: who makes of a program for all devices the one that each runs.
const (
	PartitionerVitc = "vitc" // the passes propagate and partition; communication is explicit
	PartitionerXLA  = "xla"  // XLA's Shardy, from the shardings that the pass propagate has settled
)

// Partitioners lists them.
func Partitioners() []string { return []string{PartitionerVitc, PartitionerXLA} }

// xlaTarget names the pipeline of programs that XLA compiles.
const xlaTarget = "xla"

// PodRequest says which program to lower for which devices; Target is a topology, tpu:v4:8x8x16.
type PodRequest struct {
	Source
	Target      string
	Partitioner string
}

// PodProgram is a train block's step in StableHLO, for all devices of a plan.
type PodProgram struct {
	Program     *ir.Program // its module as the partitioner was given it
	Plan        *ir.Plan
	Topology    *topology.Topology
	Assignment  *topology.Assignment
	Partitioner string
	Text        []byte
	Flags       map[string]string // of XLA, for this one compile
	ModelFlops  float64           // of products, forward and backward, nothing computed again
}

// IsPod reports whether a target's name is that of a topology to compile ahead of time for.
func IsPod(target string) bool {
	t, err := devicesOf(target)
	return err != nil || t != nil && t.Chip.Platform == "tpu"
}

// LowerPod reads a program and lowers its step for the devices of its plan, which must be the
// target's; the list holds warnings.
func LowerPod(s *Sources, q PodRequest) (*PodProgram, diag.List, error) {
	t, err := devicesOf(q.Target)
	if err != nil {
		return nil, nil, err
	}
	q.planned = true
	p, list, err := Load(s, q.Source)
	if err != nil {
		return nil, nil, err
	}
	pod := &PodProgram{Program: p, Plan: p.Chosen(), Topology: t, Partitioner: q.Partitioner}
	if err := madeFor(pod.Plan, t); err != nil {
		return nil, list, err
	}
	if pod.Assignment, err = topology.Assign(t, pod.Plan.Mesh); err != nil {
		return nil, list, placedAt(err, pod.Plan.Pos)
	}
	pod.Flags = xlaFlags(t, q.Partitioner)
	more, err := pod.lower()
	return pod, append(list, more...), err
}

// placedAt gives a diagnostic without a place one.
func placedAt(err error, pos diag.Pos) error {
	var d *diag.Diagnostic
	if errors.As(err, &d) && !d.Pos.Valid() {
		d.Pos = pos
	}
	return err
}

// mostPermutes is how many ring exchanges the compiler may have under way: with fewer it waits
// for one where the next could start.
const mostPermutes = "64"

// xlaFlags are options of the compiler that programs of ours want.
func xlaFlags(t *topology.Topology, partitioner string) map[string]string {
	flags := map[string]string{}
	if t.Chip.Name == "v4" { // elsewhere gathers run beside compute without being asked
		flags["xla_enable_async_all_gather"] = "true"
	}
	if partitioner == PartitionerVitc {
		flags["xla_max_concurrent_async_collective_permutes"] = mostPermutes
		// The pass collectives has moved what is worth it; XLA's own motion of stacked sums fails on
		// what is left of an exchange.
		flags["xla_while_loop_all_reduce_dus_code_motion_max_size_bytes"] = "0"
	}
	return flags
}

// lower takes the step through the passes and writes it; the list holds what passes report.
func (pod *PodProgram) lower() (diag.List, error) {
	step, loss := described(pod.Program.Module)
	m := &ir.Module{Phase: pod.Program.Module.Phase, Funcs: []*ir.Func{step}}
	pod.Program.Module = m
	pod.ModelFlops = trainFlops(step, loss)
	args, results, _ := passes.Ports(step, pod.Plan)
	var notes diag.List
	o := passOptions(xlaTarget, pod.Plan)
	o.Note = func(_ string, d *diag.Diagnostic) { notes.Add(d) }
	names := passes.Pipeline(xlaTarget)
	mode := stablehlo.Manual
	if pod.Partitioner == PartitionerXLA {
		names, mode = without(names, "partition"), stablehlo.Annotated
	}
	if err := runPasses(m, names, o); err != nil {
		return notes, err
	}
	text, err := stablehlo.Emit(step, stablehlo.Options{Mode: mode, Mesh: pod.Plan.Mesh, Args: args, Results: results, RowMajor: mode == stablehlo.Manual})
	pod.Text = text
	return notes, cannotEmit(err)
}

// without is a pipeline without one of its passes.
func without(names []string, pass string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == pass })
}

// trainFlops are the FLOPs of a step's products as the field counts them: the backward pass has
// two products for each of the forward pass.
func trainFlops(step *ir.Func, loss *ir.Value) float64 {
	const passes = 3
	pass := forward(step.Body, loss)
	body := &ir.Region{}
	for _, op := range step.Body.Ops {
		if pass[op] {
			body.Ops = append(body.Ops, op)
		}
	}
	return passes * body.ProductFlops()
}

// cannotEmit makes a diagnostic of what has no StableHLO.
func cannotEmit(err error) error {
	var e *stablehlo.Error
	if !errors.As(err, &e) {
		return err
	}
	d := &diag.Diagnostic{Code: CodeXLA, Msg: fmt.Sprintf("no StableHLO for %s: %v", e.Op, e.Err)}
	if e.Pos != nil {
		d.Pos = e.Pos.Pos
	}
	return d
}

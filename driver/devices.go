package driver

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
)

// MaxDevices bounds the virtual devices of a machine.
const MaxDevices = 256

// The default plan of a program that is to run on some devices, and the mesh axis that it has.
const (
	defaultPlan = "--devices" // no plan block has such a name
	dataAxis    = "data"
	batchAxis   = "batch"
)

// onDevices settles the devices of a program that a number was asked for (0: none was): those of
// its plan, or, without one, devices that share the examples of a batch. The list holds warnings.
func onDevices(p *ir.Program, q Source) (diag.List, error) {
	plan, devices := p.Chosen(), q.Devices
	switch {
	case devices == 0:
		return nil, nil
	case plan != nil && plan.Mesh.Devices() != devices:
		return nil, &UsageError{&diag.Diagnostic{Code: CodePlan, Msg: fmt.Sprintf("the plan %s is not made for %d devices", plan.Name, devices), Pos: plan.Devices.Pos,
			Label: fmt.Sprintf("made for %d devices", plan.Mesh.Devices()), Fix: asMany(q, plan)}}
	case plan != nil:
		return nil, nil
	case p.Train.Batch%devices != 0:
		return nil, &UsageError{&diag.Diagnostic{Code: CodeUneven, Msg: "`batch` cannot be split evenly", Pos: p.Train.Pos,
			Label: fmt.Sprintf("%d examples over %d devices", p.Train.Batch, devices), Fix: fmt.Sprintf("a batch that %d divides, or other %s", devices, map[bool]string{true: "ranks", false: "--devices"}[q.Ranks])}}
	}
	p.Plan = defaultPlan
	p.Plans = append(p.Plans, dataParallel(devices))
	return undivided(p, devices), nil
}

// asMany says how to have the devices of a plan.
func asMany(q Source, plan *ir.Plan) string {
	n := plan.Mesh.Devices()
	switch {
	case q.Ranks:
		return fmt.Sprintf("mpirun -n %d", n)
	case plan.Devices.Platform == "cpu":
		return fmt.Sprintf("--devices %d, or no --devices", n)
	}
	return fmt.Sprintf("--devices %d", n)
}

// dataParallel is the plan of devices that each have a part of the batch.
func dataParallel(devices int) ir.Plan {
	return ir.Plan{Name: defaultPlan, Devices: ir.Devices{Platform: "cpu", Shape: []int{devices}}, Mesh: ir.Mesh{{Name: dataAxis, Size: devices}},
		Shard: []ir.ShardLine{{Axis: batchAxis, Over: []string{dataAxis}}}, Overlap: ir.OverlapNone, Micro: 1}
}

// undivided warns of evaluations whose batches the devices cannot share.
func undivided(p *ir.Program, devices int) (list diag.List) {
	for _, e := range p.Evals {
		if e.Batch%devices != 0 {
			list.Add(&diag.Diagnostic{Severity: diag.Warning, Code: CodeUneven, Msg: fmt.Sprintf("`%s` is not divided: every device evaluates whole batches", e.Name),
				Pos: e.Pos, Label: fmt.Sprintf("a batch of %d over %d devices", e.Batch, devices)})
		}
	}
	return list
}

// ordered reports whether sums over examples are to be the same to the last bit on any number of a
// plan's devices: on virtual ones, which share the batch and nothing else. That costs a pass over
// what is summed, which is small there.
func ordered(plan *ir.Plan) bool {
	if plan == nil || plan.Devices.Platform != "cpu" {
		return false
	}
	for _, l := range plan.Shard {
		if l.Axis != batchAxis || l.Params {
			return false
		}
	}
	return true
}

// runsHere checks that a target of this machine has what a program's plan wants: many devices, and
// such as there are. A plan for other ones runs on virtual devices if their number is asked for.
func runsHere(p *ir.Program, t *Target, devices int) error {
	plan := p.Chosen()
	if plan == nil {
		return nil
	}
	if !t.Devices {
		return &UsageError{&diag.Diagnostic{Code: CodePlan, Msg: fmt.Sprintf("the target %s runs on one device", t.Name), Pos: plan.Pos,
			Label: fmt.Sprintf("made for %d devices", plan.Mesh.Devices()), Fix: "no --plan and no --devices"}}
	}
	if plan.Devices.Platform == "cpu" || devices > 0 {
		return nil
	}
	name := plan.Devices.Platform
	if have, err := topology.Of(plan.Devices); err == nil {
		name = have.Target()
	}
	d := &diag.Diagnostic{Code: CodePlan, Msg: fmt.Sprintf("the plan %s is made for devices that are not here", plan.Name), Pos: plan.Devices.Pos,
		Label: name, Fix: "vitc build --target " + name + " --plan " + plan.Name}
	if n := plan.Mesh.Devices(); n <= MaxDevices {
		d.Fix += fmt.Sprintf("; or --devices %d, virtual ones of this machine", n)
	}
	return &UsageError{d}
}

// laidOut says what a built program runs on.
func laidOut(p *ir.Program, devices int) string {
	switch {
	case p.Plan == "":
		return "one device"
	case p.Plan == defaultPlan:
		return fmt.Sprintf("--devices %d", devices)
	}
	return fmt.Sprintf("the plan %s, %d devices", p.Plan, devices)
}

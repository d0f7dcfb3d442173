package driver

import (
	"fmt"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/lang"
)

// devicesOf reads a target's name as the devices of a topology, such as tpu:v4:8x8x16; nil
// where the target is a row of the table, or Auto, and says nothing of devices.
func devicesOf(target string) (*topology.Topology, error) {
	if target == "" || target == Auto || targetNamed(target) != nil {
		return nil, nil
	}
	t, err := topology.Parse(target)
	if err == nil {
		return t, nil
	}
	d := err.(*diag.Diagnostic)
	if !strings.Contains(target, ":") {
		var names []string
		for _, row := range targets {
			names = append(names, row.Name)
		}
		d = &diag.Diagnostic{Code: topology.CodeTopology, Msg: fmt.Sprintf("there is no target %q", target), Fix: diag.Nearest(target, names),
			Expected: "one of " + strings.Join(names, ", ") + ", or devices, such as tpu:v4:8x8x16"}
	}
	return nil, &UsageError{d}
}

// choosePlan finds the plan block that a train block is compiled for: the one that is named;
// without a name none, or where the target wants one the only one that there is.
func choosePlan(u *lang.Unit, train string, q Source) (string, error) {
	names := u.Plans(train)
	at := diag.Pos{File: q.File}
	for _, name := range names {
		if name == q.Plan {
			return name, nil
		}
	}
	all := strings.Join(names, ", ")
	switch {
	case q.Plan != "" && len(names) > 0:
		return "", &UsageError{&diag.Diagnostic{Code: CodePlan, Msg: fmt.Sprintf("%s has no plan %q", train, q.Plan), Pos: at,
			Expected: "one of " + all, Fix: diag.Nearest(q.Plan, names)}}
	case q.Plan == "" && !q.planned:
		return "", nil
	case len(names) == 0:
		return "", &UsageError{&diag.Diagnostic{Code: CodePlan, Msg: fmt.Sprintf("%s has no plan", train), Pos: at,
			Fix: fmt.Sprintf("plan NAME for %s { devices: tpu.v4(8, 8, 16), mesh: (data: 1024), shard { batch: data } }", train)}}
	case len(names) > 1:
		return "", &UsageError{&diag.Diagnostic{Code: CodePlan, Msg: fmt.Sprintf("%s has several plans", train), Pos: at,
			Expected: "--plan and one of " + all, Fix: "--plan " + names[0]}}
	}
	return names[0], nil
}

// madeFor checks that a plan's devices are those of a topology.
func madeFor(plan *ir.Plan, t *topology.Topology) error {
	have, err := topology.Of(plan.Devices)
	if err != nil {
		return err
	}
	if have.Target() == t.Target() {
		return nil
	}
	return &diag.Diagnostic{Code: topology.CodeMesh, Msg: fmt.Sprintf("the plan %s is made for other devices", plan.Name), Pos: plan.Devices.Pos,
		Label: fmt.Sprintf("%s, and the target is %s", have.Target(), t.Target()), Fix: "--target " + have.Target()}
}

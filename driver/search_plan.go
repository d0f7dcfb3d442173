package driver

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/topology"
	"vitc/lang"
)

// SearchRequest asks for the plans of a train block on a target's devices: those of the program and,
// with Propose, the best that a search finds.
type SearchRequest struct {
	Source
	Target  string
	Propose bool
}

// SearchPlans prices the plans of a program that are made for a target's devices and, where that is
// asked for, searches for a better one. It needs no plugin and no device.
func SearchPlans(s *Sources, q SearchRequest) (*Search, error) {
	t, err := devicesOf(q.Target)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, usagef(CodeValue, "--target tpu:v4:8x8x16", "plans are for devices, which --target names")
	}
	u, list, err := loadUnit(s, q.Source)
	if err != nil {
		return nil, err
	}
	if err := failure(list); err != nil {
		return nil, err
	}
	block, err := chooseBlock(u, q.Source)
	if err != nil {
		return nil, err
	}
	p, _, err := lower(u, block, lang.Options{Params: q.Params})
	if err != nil {
		return nil, err
	}
	x := newPricer(p, t)
	out := &Search{File: q.File, Train: p.Name, Target: t.Target(), Devices: t.Devices(), Batch: p.Train.Batch, Flops: x.flops}
	run := &searching{x: x, s: shapesOf(p, x.step)}
	if err := out.given(run, u, q); err != nil {
		return nil, err
	}
	if q.Propose {
		if err := run.run(); err != nil {
			return nil, err
		}
		if run.best != nil {
			out.Block = blockText(run.best.plan, p.Name, u.Plans(block))
		}
	}
	out.Rows, out.Tried = append(out.Rows, run.rows...), out.Tried+run.tried
	slices.SortStableFunc(out.Rows, byWorth)
	return out, nil
}

// given prices the program's own plans for the devices.
func (out *Search) given(run *searching, u *lang.Unit, q SearchRequest) error {
	for _, name := range u.Plans(out.Train) {
		p, _, err := lower(u, out.Train, lang.Options{Params: q.Params, Plan: name})
		if err != nil {
			return err
		}
		plan := p.Chosen()
		if madeFor(plan, run.x.t) != nil {
			continue
		}
		row := PlanRow{Plan: name, Layout: "of the program", Mesh: plan.Mesh, Micro: plan.Micro, Remat: policyOf(plan), plan: plan}
		priced, err := run.x.time(plan)
		if err == nil {
			err = run.x.memory(priced)
		}
		switch {
		case err != nil && !refused(err):
			return err
		case err != nil:
			row.Reason = firstLine(err.Error())
		default:
			row.Price = priced.Price
		}
		out.Rows = append(out.Rows, row)
		out.Tried++
	}
	return nil
}

// policyOf is the policy of a plan that has but one, "" for none or several.
func policyOf(p *ir.Plan) ir.RematPolicy {
	switch len(p.Remat) {
	case 0:
		return ir.RematNone
	case 1:
		return p.Remat[0].Policy
	}
	return ""
}

// byWorth orders rows: plans that fit by their step, then what was not priced further by its bound,
// then plans that do not fit, then what cannot be had.
func byWorth(a, b PlanRow) int {
	rank := func(r PlanRow) int {
		switch {
		case r.Reason != "":
			return 3
		case r.Bound || r.Unplanned:
			return 1
		case !r.Fits:
			return 2
		}
		return 0
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	return cmp.Compare(a.Step, b.Step)
}

// blockText writes a plan as a block of the language, under a name that the program has not.
func blockText(p *ir.Plan, train string, taken []string) string {
	name := p.Name
	for n := 2; slices.Contains(taken, name); n++ {
		name = fmt.Sprintf("%s%d", p.Name, n)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "plan %s for %s {\n", name, train)
	fmt.Fprintf(&b, "  devices: %s\n  mesh: %s\n  shard {\n", devicesText(p.Devices), p.Mesh)
	for _, l := range p.Shard {
		fmt.Fprintf(&b, "    %s\n", lineText(l))
	}
	b.WriteString("  }\n")
	if p.Micro > 1 {
		fmt.Fprintf(&b, "  micro: %d\n", p.Micro)
	}
	fmt.Fprintf(&b, "  overlap: %s\n", p.Overlap)
	for _, r := range p.Remat {
		fmt.Fprintf(&b, "  remat { %q: %s }\n", r.Path, r.Policy)
	}
	b.WriteString("}\n")
	return b.String()
}

// devicesText is a plan's devices as the language has them: tpu.v4(8, 8, 16), cpu(8).
func devicesText(d ir.Devices) string {
	name := d.Platform
	if d.Chip != "" {
		name += "." + d.Chip
	}
	return name + "(" + strings.ReplaceAll(topology.Sizes(d.Shape), "x", ", ") + ")"
}

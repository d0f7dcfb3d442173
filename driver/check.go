package driver

import (
	"errors"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/lang"
	"vitc/runtime/train"
)

// CheckRequest says what to check. Target is "", a target's name, or devices such as
// tpu:v4:8x8x16, which the plan is then held against: no plugin is needed.
type CheckRequest struct {
	Source
	Target string
}

// Check reads a program and reports everything that is wrong with it; the error is only for
// what cannot be read, and for a target that there is not.
func Check(s *Sources, q CheckRequest) (Report, error) {
	r := Report{File: q.File}
	devices, err := devicesOf(q.Target)
	if err != nil {
		return r, err
	}
	u, list, err := loadUnit(s, q.Source)
	if err != nil {
		return r, err
	}
	if list.Errors() == 0 {
		list = append(list, lang.Check(u)...)
	}
	if bug := internal(list); bug != nil {
		return r, bug
	}
	if list.Errors() == 0 {
		list = append(list, r.measure(u)...)
	}
	if list.Errors() == 0 && (devices != nil || q.Plan != "") {
		more, err := r.fit(u, q.Source, devices)
		if list = append(list, more...); err != nil {
			return r, err
		}
	}
	r.Diagnostics, r.OK = list.Sorted(), list.Errors() == 0
	return r, nil
}

// measure describes the train blocks and checks their data. One that lacks arguments, or
// loads what cannot be loaded yet, is right and has no size.
func (r *Report) measure(u *lang.Unit) diag.List {
	var list diag.List
	for _, name := range u.Trains() {
		if p, errs := lang.Lower(u, name, lang.Options{}); errs.Errors() == 0 {
			r.Trains = append(r.Trains, describe(p, u.Plans(name)))
			list = append(list, train.CheckData(p)...)
		}
	}
	return list
}

// fit holds the train blocks that have a plan against its devices, which must be those of the
// target if there is one. The error is of what was asked for: no such plan, or no plan at all.
func (r *Report) fit(u *lang.Unit, q Source, devices *topology.Topology) (diag.List, error) {
	var list diag.List
	q.planned = devices != nil
	trains, err := plannedTrains(u, q)
	for _, name := range trains {
		o := lang.Options{Params: q.Params}
		if o.Plan, err = choosePlan(u, name, q); err != nil {
			return list, err
		}
		p, errs := lang.Lower(u, name, o)
		if errs.Errors() > 0 {
			list = append(list, errs...)
			continue
		}
		p.Plan = o.Plan
		more, err := r.fitOne(p, p.Chosen(), devices)
		if list = append(list, more...); err != nil {
			return list, err
		}
	}
	return list, err
}

// plannedTrains lists the train blocks that are meant: those that have the plan named, or any
// plan; the error is that of the first block where none has.
func plannedTrains(u *lang.Unit, q Source) ([]string, error) {
	var out []string
	var first error
	for _, name := range u.Trains() {
		_, err := choosePlan(u, name, q)
		if len(u.Plans(name)) > 0 && (q.Plan == "" || err == nil) {
			out = append(out, name)
		} else if first == nil {
			first = err
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, first
}

// fitOne holds one program against its plan's devices. What a pass refuses is of the program,
// not an error of the check.
func (r *Report) fitOne(p *ir.Program, plan *ir.Plan, devices *topology.Topology) (diag.List, error) {
	var d *diag.Diagnostic
	if devices != nil {
		if err := madeFor(plan, devices); errors.As(err, &d) {
			return diag.List{d}, nil
		}
	}
	f, notes, err := footprint(p, plan)
	var refused diag.List
	switch {
	case errors.As(err, &refused):
		return append(notes, refused...), nil
	case err != nil:
		return notes, err
	}
	r.Plans = append(r.Plans, f)
	if d := f.misfit(p, plan); d != nil {
		notes.Add(d)
	}
	return notes, nil
}

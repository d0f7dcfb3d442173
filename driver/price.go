package driver

import (
	"errors"
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/passes"
)

// Price is what a step costs one device of a plan by the cost model, before any target's compiler has
// spoken.
type Price struct {
	Step    float64 `json:"step_s"`
	Core    float64 `json:"core_s"`
	Links   float64 `json:"links_s"`
	Exposed float64 `json:"exposed_s"`
	MFU     float64 `json:"mfu"`
	Peak    int64   `json:"peak_bytes"`
	Fits    bool    `json:"fits"`
}

// pricer prices plans of one train block on some devices. It may be used by several goroutines at
// once.
type pricer struct {
	t       *topology.Topology
	program *ir.Program // as lowered; its step is copied for each plan
	step    *ir.Func
	flops   float64 // of a step's products, as the field counts
	trained map[string]bool
}

func newPricer(p *ir.Program, t *topology.Topology) *pricer {
	step, loss := described(p.Module)
	return &pricer{t: t, program: p, step: step, flops: trainFlops(step, loss), trained: gradients(p.Module)}
}

// copyOf is a module of one function, for passes to change.
func copyOf(phase ir.Phase, mesh ir.Mesh, step *ir.Func) *ir.Module {
	f := *step
	f.Body = step.Body.Clone(map[*ir.Value]*ir.Value{})
	return &ir.Module{Phase: phase, Mesh: mesh, Funcs: []*ir.Func{&f}}
}

// priced is a plan's step on one device.
type priced struct {
	Price
	plan  *ir.Plan
	local *ir.Module // as partition left it, nil once its memory was planned
}

// time prices a plan's step, but for its memory. The error is a diagnostic, or a diag.List, where the
// plan cannot be had.
func (x *pricer) time(plan *ir.Plan) (*priced, error) {
	return x.holding(plan, true)
}

// holding is time; without limit it does not matter what the backward pass keeps.
func (x *pricer) holding(plan *ir.Plan, limit bool) (*priced, error) {
	p, err := x.timed(plan, limit, true)
	var bug *InternalError
	if errors.As(err, &bug) {
		return x.timed(plan, limit, false) // with what it takes to run the broken pass again
	}
	return p, err
}

func (x *pricer) timed(plan *ir.Plan, limit, quick bool) (*priced, error) {
	model, err := cost.Of(x.t, plan.Mesh)
	if err != nil {
		return nil, err
	}
	p, kept := &priced{plan: plan}, int64(0)
	o := passOptions(xlaTarget, plan)
	o.Quick = quick
	o.Config.Remat = func(r passes.Remat) { kept += r.Bytes }
	o.After = func(name string, m *ir.Module, _ bool) {
		if name == "partition" {
			p.local = copyOf(m.Phase, m.Mesh, m.Funcs[0])
		}
	}
	m, names := copyOf(x.program.Module.Phase, nil, x.step), passes.Pipeline(xlaTarget)
	differentiated := slices.Index(names, "autodiff") + 1
	if err := runPasses(m, names[:differentiated], o); err != nil {
		return nil, err
	}
	if hbm := model.Chip().HBM; limit && hbm > 0 && kept > hbm {
		return nil, &diag.Diagnostic{Code: CodePlanMemory, Msg: "what it keeps for the backward pass takes " + gib(kept) + " of each device"}
	}
	if err := runPasses(m, names[differentiated:], o); err != nil {
		return nil, err
	}
	model.Precision(m.Funcs[0].Precision)
	p.Price = x.priceOf(model, plan, m.Funcs[0].Body)
	return p, nil
}

// priceOf prices the program of one device.
func (x *pricer) priceOf(model *cost.Model, plan *ir.Plan, body *ir.Region) Price {
	t := model.Schedule(body)
	p := Price{Step: t.Step, Core: t.Core, Links: t.Links, Exposed: t.Exposed}
	p.MFU = x.flops / (float64(plan.Mesh.Devices()) * model.Chip().Peak * p.Step)
	return p
}

// memory adds what a device holds.
func (x *pricer) memory(p *priced) error {
	names := planningPasses(p.plan)
	m := p.local
	p.local = nil
	o := passOptions(nativeTarget, p.plan)
	o.Quick = true
	if err := runPasses(m, names[slices.Index(names, "partition")+1:], o); err != nil {
		return err
	}
	f := &Footprint{Capacity: x.t.Chip.HBM}
	f.count(x.program, m.Funcs[0], x.trained)
	f.largest(m)
	p.Peak, p.Fits = f.Peak, f.Capacity == 0 || f.Peak+int64(p.plan.Reserve*float64(f.Capacity)) <= f.Capacity
	return nil
}

// refused reports whether an error is of the plan rather than of the compiler.
func refused(err error) bool {
	var list diag.List
	var d *diag.Diagnostic
	return errors.As(err, &list) || errors.As(err, &d)
}

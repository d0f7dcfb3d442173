package driver

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/passes"
)

// WhyRequest asks how a tensor of a train block's step came to lie as it does. Tensor is the path of
// a leaf of the state, the name of an input, or an instance's path, `net.encoder.block.mlp`, with or
// without a line of the program behind it, `net.encoder.block.mlp:86`.
type WhyRequest struct {
	Source
	Tensor string
}

// Why is the derivation of a tensor's sharding, dtype and remat under a plan, and of every move of
// it.
type Why struct {
	File    string      `json:"file"`
	Train   string      `json:"train"`
	Plan    string      `json:"plan"`
	Target  string      `json:"target"`
	Devices int         `json:"devices"`
	Tensor  string      `json:"tensor"`
	Values  []*WhyValue `json:"values"`
	More    int         `json:"more,omitempty"` // values at that place that are not listed
}

// WhyValue is one value of the step that the tensor's name means, or several alike.
type WhyValue struct {
	What   string    `json:"what"`
	Type   string    `json:"type"`   // of all devices together
	Device string    `json:"device"` // of one
	Bytes  int64     `json:"bytes"`
	Each   int64     `json:"bytes_a_device"`
	Times  int       `json:"times"` // a step: turns of the loops around
	Alike  int       `json:"alike"` // values of the same place, shape and sharding
	Pos    string    `json:"pos,omitempty"`
	DType  string    `json:"dtype"`           // why it has the dtype that it has
	Remat  string    `json:"remat,omitempty"` // what the backward pass does for it
	Dims   []WhyDim  `json:"dims"`
	Lost   []string  `json:"lost,omitempty"` // cuts that it was not given
	Moves  []WhyMove `json:"moves,omitempty"`
}

// WhyDim is one dim of a value. Because leads from value to value to the plan's line.
type WhyDim struct {
	Label   string   `json:"label"`
	Size    int      `json:"size"`
	Over    []string `json:"over,omitempty"`
	Because []string `json:"because"`
}

// WhyMove is one collective on a value. Seconds are those of the links by the cost model, each time;
// of them the core waits for Exposed on average, as the model schedules the step that the target's
// passes leave; a wait for several in a row counts at the last of them. As is what those passes have
// made of the collective, and Behind the kernels that run beside it, and that hide what is not exposed.
type WhyMove struct {
	Collective string   `json:"collective"`
	Dim        string   `json:"dim,omitempty"` // of all_gather, reduce_scatter and all_to_all
	Over       []string `json:"over"`
	From       string   `json:"from"`
	To         string   `json:"to"`
	For        string   `json:"for"`
	Pos        string   `json:"pos,omitempty"`
	Times      int      `json:"times"` // a step
	Bytes      float64  `json:"bytes"` // across a device's busiest link, each time
	Seconds    float64  `json:"seconds"`
	Exposed    float64  `json:"exposed_s"`
	As         string   `json:"as,omitempty"`
	Behind     []string `json:"behind,omitempty"`
}

// Explain derives a tensor of a program's step.
func Explain(s *Sources, q WhyRequest) (*Why, error) {
	q.planned = true
	p, _, err := Load(s, q.Source)
	if err != nil {
		return nil, err
	}
	plan := p.Chosen()
	t, err := topology.Of(plan.Devices)
	if err != nil {
		return nil, placedAt(err, plan.Devices.Pos)
	}
	x := &explainer{program: p, plan: plan}
	if err := x.propagate(); err != nil {
		return nil, err
	}
	found, err := x.find(q.Tensor)
	if err != nil {
		return nil, err
	}
	w := &Why{File: q.File, Train: p.Name, Plan: plan.Name, Target: t.Target(), Devices: t.Devices(), Tensor: q.Tensor}
	w.Values, w.More = x.explain(found)
	return w, nil
}

// explainer holds a step that has been propagated.
type explainer struct {
	program *ir.Program
	plan    *ir.Plan
	d       *passes.Derivation
	remat   []passes.Remat
	run     map[*diag.Loc][]executed // the collectives of a place, in order
	all     []executed
	turns   map[*ir.Value]int // of the loops around each value
	order   []*ir.Value       // all values, as they are computed
	names   map[*ir.Value]string
}

// propagate takes the step through its target's passes.
func (x *explainer) propagate() error {
	step, _ := described(x.program.Module)
	m := &ir.Module{Phase: x.program.Module.Phase, Funcs: []*ir.Func{step}}
	target, names := x.pipeline()
	o := passOptions(target, x.plan)
	o.Config.Why = func(d *passes.Derivation) { x.d = d }
	o.Config.Remat = func(r passes.Remat) { x.remat = append(x.remat, r) }
	if err := runPasses(m, names, o); err != nil {
		return err
	}
	if err := x.schedule(target, m); err != nil {
		return err
	}
	x.turns, x.names = map[*ir.Value]int{}, map[*ir.Value]string{}
	for i, v := range x.d.Func.Body.Params {
		x.names[v] = x.d.Func.Args[i].Name
	}
	x.region(x.d.Func.Body, 1)
	return nil
}

// region lists the values of a region and of those in it.
func (x *explainer) region(r *ir.Region, turns int) {
	add := func(list []*ir.Value) {
		for _, v := range list {
			x.turns[v] = turns
			x.order = append(x.order, v)
		}
	}
	add(r.Params)
	for _, op := range r.Ops {
		if op.Body != nil {
			x.region(op.Body, turns*op.Turns())
		}
		add(op.Out)
	}
}

// mostListed is how many values are told of where many are meant.
const mostListed = 8

// explain tells of values, those that are alike once.
func (x *explainer) explain(found []*ir.Value) (list []*WhyValue, more int) {
	moves := map[*ir.Value][]passes.Moved{}
	for _, m := range x.d.Moves {
		moves[m.Value] = append(moves[m.Value], m)
	}
	known := map[string]*WhyValue{}
	for _, v := range found {
		key := fmt.Sprint(x.what(v), v.Type.Sharded(x.d.Home(v)))
		w := known[key]
		if w == nil && len(list) == mostListed {
			more++
			continue
		}
		if w == nil {
			w = x.value(v)
			known[key] = w
			list = append(list, w)
		}
		w.Alike++
		for _, m := range moves[v] {
			w.Moves = append(w.Moves, x.moved(m)...)
		}
	}
	return list, more
}

// value tells of one.
func (x *explainer) value(v *ir.Value) *WhyValue {
	home := x.d.Home(v)
	local := x.local(v.Type, home)
	w := &WhyValue{What: x.what(v), Type: v.Type.Sharded(home).String(), Device: local.String(), Times: x.turns[v],
		Bytes: int64(v.Type.Bytes()), Each: int64(local.Bytes()), DType: x.dtype(v), Remat: x.rematted(v)}
	if v.Pos != nil {
		w.Pos = v.Pos.Pos.String()
	}
	for i, d := range v.Type.Dims {
		w.Dims = append(w.Dims, WhyDim{Label: d.Label, Size: d.Size, Over: home.Of(i), Because: x.because(v, i)})
	}
	for _, l := range x.d.Lost(v) {
		if !slices.Equal(home.Of(l.Dim), l.Over) {
			w.Lost = append(w.Lost, fmt.Sprintf("%s over %s, %s: %s", v.Type.Dims[l.Dim].Label, axesText(l.Over), x.cause(&l.Cause), l.Reason))
		}
	}
	return w
}

// local is what a device holds of a type.
func (x *explainer) local(t ir.Type, s *ir.Sharding) ir.Type {
	dims := slices.Clone(t.Dims)
	for i := range dims {
		n := x.plan.Mesh.Size(s.Of(i)...)
		dims[i].Size = (dims[i].Size + n - 1) / n
	}
	return ir.T(t.DType, dims...)
}

// unknown says that there is no such tensor, and what there is near it.
func (x *explainer) unknown(tensor string, candidates []string) error {
	d := &diag.Diagnostic{Code: CodeTensor, Msg: fmt.Sprintf("the step of %s has no tensor %q", x.program.Name, tensor),
		Expected: "the path of a leaf of the state, an input, or an instance's path with or without a line behind it: net.encoder.block.mlp.up.w, net.encoder.block.mlp:86",
		Fix:      diag.Nearest(tensor, candidates)}
	if d.Fix == "" {
		for _, c := range nearby(tensor, candidates) {
			d.Notes = append(d.Notes, diag.Note{Text: "there is " + c})
		}
	}
	return &UsageError{d}
}

package driver

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/lang"
	"vitc/passes"
	"vitc/runtime/train"
)

// Summary is what `vitc describe` says of a train block or a model. Bytes are of one machine;
// FLOPs are those of products, a multiply-add as two, which is how the field counts.
type Summary struct {
	File      string  `json:"file"`
	Kind      string  `json:"kind"` // train or model
	Name      string  `json:"name"`
	Precision string  `json:"precision,omitempty"`
	Batch     int     `json:"batch,omitempty"`
	Steps     int     `json:"steps,omitempty"` // 0: by Epochs, of data that is not here
	Epochs    float64 `json:"epochs,omitempty"`
	Tokens    int     `json:"tokens,omitempty"` // the longest axis seq

	Parameters     int `json:"parameters"`
	Trained        int `json:"trained"` // those that have a gradient
	ParameterBytes int `json:"parameter_bytes"`

	FlopsForward float64 `json:"flops_forward"`        // an example; whole
	FlopsStep    float64 `json:"flops_step,omitempty"` // a batch: forward, backward and update

	GradientBytes  int `json:"gradient_bytes,omitempty"`
	OptimizerBytes int `json:"optimizer_bytes"`
	AverageBytes   int `json:"average_bytes,omitempty"` // moving averages of parameters
	BufferBytes    int `json:"buffer_bytes,omitempty"`  // a model's own state
	KeptBytes      int `json:"kept_bytes,omitempty"`    // that the forward pass leaves to the backward pass
	ArenaBytes     int `json:"arena_bytes,omitempty"`   // planned for all that a step computes; 0: not planned

	Device *Footprint `json:"device,omitempty"` // of one device of the plan, where one is named

	Parts []*Part `json:"parts"`
}

// Describe measures a train block, or a model by its name; without a name it takes the only
// train block or, in a file without any, the only model. No data is needed.
func Describe(s *Sources, q Source) (*Summary, error) {
	u, list, err := loadUnit(s, q)
	if err != nil {
		return nil, err
	}
	if err := failure(list); err != nil {
		return nil, err
	}
	kind, name, err := chooseDescribed(u, q)
	if err != nil {
		return nil, err
	}
	lower := lang.Lower
	if kind == "model" {
		lower = lang.Forward
	}
	plan := ""
	if kind == "train" {
		if plan, err = choosePlan(u, name, q); err != nil {
			return nil, err
		}
	}
	o := lang.Options{Params: q.Params, Plan: plan}
	p, list := lower(u, name, o)
	if err := failure(list); err != nil {
		return nil, err
	}
	sum := &Summary{File: q.File, Kind: kind, Name: name}
	if err := sum.measure(p); err != nil || plan == "" {
		return sum, err
	}
	p, _ = lower(u, name, o) // measuring has used the module up
	p.Plan = plan
	sum.Device, _, err = footprint(p, p.Chosen())
	return sum, err
}

// chooseDescribed finds the train block or model that is meant.
func chooseDescribed(u *lang.Unit, q Source) (kind, name string, err error) {
	models := u.Models()
	switch {
	case q.Block != "" && slices.Contains(models, q.Block):
		return "model", q.Block, nil
	case q.Block != "" && len(models) > 0 && !slices.Contains(u.Trains(), q.Block):
		names := append(u.Trains(), models...)
		return "", "", &UsageError{&diag.Diagnostic{Code: CodeTrain, Msg: fmt.Sprintf("the program has no train block or model %q", q.Block), Pos: diag.Pos{File: q.File},
			Expected: "one of " + strings.Join(names, ", "), Fix: diag.Nearest(q.Block, names)}}
	case q.Block != "" || len(u.Trains()) > 0 || len(models) == 0:
		name, err = chooseBlock(u, q)
		return "train", name, err
	case len(models) == 1:
		return "model", models[0], nil
	}
	return "", "", &UsageError{&diag.Diagnostic{Code: CodeTrain, Msg: "the program has several models", Pos: diag.Pos{File: q.File},
		Expected: "the name of one after the file: " + strings.Join(models, ", "), Fix: q.File + " " + models[0]}}
}

// measure fills the summary in from the program.
func (s *Summary) measure(p *ir.Program) error {
	s.countState(p)
	f, out := described(p.Module)
	pass := forward(f.Body, out)
	s.countForward(f, pass, max(p.Train.Batch, 1))
	s.Parts = partsOf(p, f.Body, pass, max(p.Train.Batch, 1))
	if s.Kind == "model" {
		return nil
	}
	t := p.Train
	s.Precision, s.Batch, s.Steps, s.Epochs = t.Precision, t.Batch, t.Steps, t.Epochs
	if n, err := train.Examples(&t.Data); err == nil && s.Steps == 0 {
		s.Steps = int(t.Epochs * float64(n) / float64(t.Batch))
	}
	return s.compileStep(f)
}

func (s *Summary) countState(p *ir.Program) {
	for _, leaf := range p.State {
		bytes := leaf.Type.Bytes()
		switch leaf.Kind {
		case ir.LeafParam:
			s.Parameters += leaf.Type.Size()
			s.ParameterBytes += bytes
		case ir.LeafOpt:
			s.OptimizerBytes += bytes
		case ir.LeafEMA:
			s.AverageBytes += bytes
		case ir.LeafModel:
			s.BufferBytes += bytes
		}
	}
}

// described finds the function that computes what is described, and the value that its
// forward pass ends in: the loss, or a model's output.
func described(m *ir.Module) (*ir.Func, *ir.Value) {
	if f := m.Func("forward"); f != nil {
		return f, f.Body.Yield[0]
	}
	f := m.Func("step")
	return f, f.Body.Yield[slices.IndexFunc(f.Results, func(p ir.Port) bool { return p.Role == ir.RoleMetric && p.Name == "loss" })]
}

// forward collects the ops of a region that a value depends on.
func forward(r *ir.Region, out *ir.Value) map[*ir.Op]bool {
	needed := map[*ir.Value]bool{out: true}
	pass := map[*ir.Op]bool{}
	for _, op := range slices.Backward(r.Ops) {
		if !slices.ContainsFunc(op.Out, func(v *ir.Value) bool { return needed[v] }) {
			continue
		}
		pass[op] = true
		for _, in := range op.In {
			needed[in] = true
		}
	}
	return pass
}

// countForward adds up the forward pass, and reads off the built step what is trained.
func (s *Summary) countForward(f *ir.Func, pass map[*ir.Op]bool, batch int) {
	var ops []*ir.Op
	for _, op := range f.Body.Ops {
		if pass[op] {
			ops = append(ops, op)
		}
		if op.Row.Name == "grad" {
			for _, g := range op.Out {
				s.Trained += g.Type.Size()
				s.GradientBytes += g.Type.Bytes()
			}
		}
	}
	body := &ir.Region{Ops: ops}
	s.FlopsForward = math.Round(body.ProductFlops() / float64(batch))
	body.Walk(func(op *ir.Op) {
		for _, v := range op.Out {
			for _, d := range v.Type.Dims {
				if d.Label == "seq" {
					s.Tokens = max(s.Tokens, d.Size)
				}
			}
		}
	})
}

// plannedState is how much state a program may have whose memory is planned to the byte. One
// that is larger fits no single machine, and what its step keeps is the figure of interest.
const plannedState = 64 << 30

// compileStep takes the step through the passes: as far as autodiff decides what to keep, and
// where a machine could hold the program on to its memory plan.
func (s *Summary) compileStep(step *ir.Func) error {
	m := &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{step}}
	names := passes.Pipeline(nativeTarget)
	cut := slices.Index(names, "fuse")
	if err := runPasses(m, names[:cut], passOptions(nativeTarget, nil)); err != nil {
		return err
	}
	f, loss := described(m)
	s.FlopsStep = f.Body.ProductFlops()
	s.KeptBytes = kept(f.Body, forward(f.Body, loss))
	if s.ParameterBytes+s.OptimizerBytes+s.AverageBytes+s.KeptBytes > plannedState {
		return nil
	}
	err := runPasses(m, names[cut:], passOptions(nativeTarget, nil))
	s.ArenaBytes = m.Func("step").Arena
	return err
}

// kept is the size of what the forward pass computes and later ops read.
func kept(r *ir.Region, pass map[*ir.Op]bool) int {
	bytes := 0
	seen := map[*ir.Value]bool{}
	for _, op := range r.Ops {
		if pass[op] {
			continue
		}
		for _, v := range op.In {
			if v.Def != nil && pass[v.Def] && !seen[v] {
				seen[v] = true
				bytes += v.Type.Bytes()
			}
		}
	}
	return bytes
}

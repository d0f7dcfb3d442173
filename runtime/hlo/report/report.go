package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"

	"vitc/runtime/hlo"
)

// Notice says what the figures are.
const Notice = "No hardware stands behind these figures: they are the compiler's estimates and a model of the links. They compare programs under one compiler and promise nothing."

// Report is what is known of a program.
type Report struct {
	Program    string  `json:"program"`
	Topology   string  `json:"topology"`
	Chip       string  `json:"chip"`
	Devices    int     `json:"devices"`
	ModelFlops float64 `json:"model_flops,omitempty"` // of a step on all devices, nothing computed again
	Ideal      float64 `json:"ideal_s,omitempty"`     // at the chips' peak
	MFU        float64 `json:"mfu,omitempty"`
	MFUByHBM   float64 `json:"mfu_by_hbm,omitempty"`

	Estimate Parts `json:"estimate"`        // by the compiler's cycles as they stand
	ByHBM    Parts `json:"estimate_by_hbm"` // without what moving bf16 is charged too much

	Memory      Memory       `json:"memory"`
	Collectives []Collective `json:"collectives"`
	Slowest     []Slow       `json:"slowest"`
	Notice      string       `json:"notice"`

	step *timeline
}

// Collective is one collective instruction of a step. Bytes and seconds are of one run.
type Collective struct {
	Name string `json:"name"`
	Transfer
	Times float64 `json:"times"` // that it runs in a step
	Where string  `json:"where,omitempty"`
}

// Slow is an instruction that takes time.
type Slow struct {
	Name    string  `json:"name"`
	Kind    string  `json:"kind"`
	Shape   string  `json:"shape"`
	Seconds float64 `json:"seconds"` // in a step, all its runs
	Times   float64 `json:"times"`
	Share   float64 `json:"share"` // of the step
	Op      string  `json:"op,omitempty"`
	Where   string  `json:"where,omitempty"`
}

// slowestShown is how many instructions a report names.
const slowestShown = 20

// mostEvents bounds what is listed and drawn: bodies shared by many callers can unfold without end.
const mostEvents = 1 << 20

// New reports on a program. flops are those of the model's products in a step, forward and
// backward, on all devices; 0 where they are not known. The error says what in the program does
// not suit the machine.
func New(p *hlo.Module, on Machine, flops float64) (*Report, error) {
	m, err := on.place(p)
	if err != nil {
		return nil, err
	}
	chip := on.Topology.Chip
	r := &Report{Program: p.Name, Topology: on.Topology.Target(), Chip: chip.Kind, Devices: len(m.coords), ModelFlops: flops,
		Memory: memory(p, float64(chip.HBM)), Notice: Notice}
	if r.step = simulate(p, m, Raw); r.step.unfolded > mostEvents {
		return nil, fmt.Errorf("computations that call one another unfold to more than %d instructions", mostEvents)
	}
	r.Estimate, r.ByHBM = r.step.Parts, simulate(p, m, ByHBM).Parts
	r.Ideal = flops / (float64(len(m.coords)) * chip.Peak)
	if r.Estimate.Step > 0 && r.ByHBM.Step > 0 {
		r.MFU, r.MFUByHBM = r.Ideal/r.Estimate.Step, r.Ideal/r.ByHBM.Step
	}
	r.list()
	return r, nil
}

// list fills in the collectives, in the order in which they first run, and the slowest
// instructions.
func (r *Report) list() {
	l := &lister{slow: map[*hlo.Instruction]*Slow{}, collective: map[*hlo.Instruction]*Collective{}}
	l.walk(r.step, 1)
	for _, c := range l.collectives {
		r.Collectives = append(r.Collectives, *c)
	}
	slices.SortStableFunc(l.slows, func(a, b *Slow) int { return cmp.Compare(b.Seconds, a.Seconds) })
	for _, s := range l.slows[:min(len(l.slows), slowestShown)] {
		s.Share = s.Seconds / r.Estimate.Step
		r.Slowest = append(r.Slowest, *s)
	}
}

// lister adds up what instructions take over a step.
type lister struct {
	slow        map[*hlo.Instruction]*Slow
	slows       []*Slow
	collective  map[*hlo.Instruction]*Collective
	collectives []*Collective
}

// walk goes through one run of a computation that runs some times in a step.
func (l *lister) walk(t *timeline, times float64) {
	for i := range t.events {
		e := &t.events[i]
		switch {
		case e.body != nil:
			l.walk(e.body, times*float64(e.trips))
		case e.transfer != nil:
			l.communicated(e, times)
		default:
			l.worked(e, times)
		}
	}
}

func (l *lister) communicated(e *event, times float64) {
	if e.transfer.Kind == "" {
		return
	}
	c := l.collective[e.in]
	if c == nil {
		c = &Collective{Name: e.in.Name, Transfer: *e.transfer, Where: where(e.in.Source)}
		l.collective[e.in] = c
		l.collectives = append(l.collectives, c)
	}
	c.Times += times
}

func (l *lister) worked(e *event, times float64) {
	s := l.slow[e.in]
	if s == nil {
		s = &Slow{Name: e.in.Name, Kind: e.kind, Shape: shapeOf(e.in), Times: times, Op: e.in.Source.Op, Where: where(e.in.Source)}
		l.slow[e.in] = s
		l.slows = append(l.slows, s)
	}
	s.Seconds += times * e.seconds
}

// shapeOf is the shape of a result; of several the largest.
func shapeOf(in *hlo.Instruction) string {
	arrays := in.Shape.Arrays()
	if len(arrays) == 0 {
		return "()"
	}
	return slices.MaxFunc(arrays, func(a, b *hlo.Shape) int { return cmp.Compare(a.Bytes(), b.Bytes()) }).String()
}

// where is the place in the source, its file without the folder.
func where(s hlo.Source) string {
	if s.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line)
}

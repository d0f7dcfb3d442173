package driver

import (
	"context"
	"fmt"
	"maps"

	"vitc/ir/diag"
	"vitc/runtime/hlo"
	"vitc/runtime/hlo/report"
	"vitc/runtime/pjrt"
)

// Variation is one thing that a variant of a program has otherwise: a parameter of its train
// block, or, under the name plan, its plan.
type Variation struct{ Name, Value string }

func (v Variation) String() string { return v.Name + "=" + v.Value }

// planVariation is the name under which a variation is of the plan.
const planVariation = "plan"

// CompareRequest says which variants of a program to compile and estimate: the program as it
// stands, and one for each variation.
type CompareRequest struct {
	PodRequest
	Vary []Variation
	// Cache is a folder of estimates that were made before, "" for none.
	Cache string
	// Begin is told what is compiled, and the function that it returns when that is done; nil: nobody.
	Begin func(variant string, k, of int) (done func())
}

// Compared is a row of a comparison: seconds of one step, by the compiler's cycles and, ByHBM,
// without what moving bf16 is charged too much; bytes that a chip holds at the fullest.
type Compared struct {
	Variant  string  `json:"variant"`
	Step     float64 `json:"step_s"`
	MFU      float64 `json:"mfu"`
	ByHBM    float64 `json:"step_by_hbm_s"`
	MFUByHBM float64 `json:"mfu_by_hbm"`
	Exposed  float64 `json:"exposed_communication_s"`
	Peak     int64   `json:"peak_bytes"`
	// Effect is how much longer a step is than the first row's: 0.15 is 15%.
	Effect   float64 `json:"effect"`
	Compiled float64 `json:"compile_seconds"` // 0: the estimate was there
	// Failed says why there is no estimate; the other variants have theirs.
	Failed string `json:"failed,omitempty"`
}

// comparedPod is a program to compare.
type comparedPod struct {
	name string
	pod  *PodProgram
}

// Compare compiles the variants, one after the other, and estimates a step of each. All are
// lowered first, so that what is wrong with a program or a variation is said at once; what the
// TPU compiler refuses, as where memory does not suffice, is said in the row.
func Compare(ctx context.Context, s *Sources, q CompareRequest) ([]Compared, diag.List, error) {
	variants, notes, err := q.lower(s)
	if err != nil {
		return nil, notes, err
	}
	plugin, err := pjrt.Find(pjrt.TPU)
	if err != nil {
		return nil, notes, missingPlugin(err)
	}
	var rows []Compared
	for k, v := range variants {
		row := Compared{Variant: v.name}
		est, err := q.estimate(ctx, v, plugin, k, len(variants))
		switch {
		case ctx.Err() != nil:
			return nil, notes, ctx.Err()
		case err != nil && k == 0:
			return nil, notes, err // there is nothing to compare with
		case err != nil:
			row.Failed = err.Error()
		default:
			row.fill(est)
			first := append(rows, row)[0]
			row.Effect = row.Step/first.Step - 1
		}
		rows = append(rows, row)
	}
	return rows, notes, nil
}

// lower makes the variants; the list holds warnings, each once.
func (q *CompareRequest) lower(s *Sources) ([]comparedPod, diag.List, error) {
	var list []comparedPod
	var notes diag.List
	for k := -1; k < len(q.Vary); k++ {
		r, name := q.PodRequest, "as it stands"
		if k >= 0 {
			name = q.Vary[k].String()
			r.Source = q.Vary[k].of(r.Source)
		}
		pod, more, err := LowerPod(s, r)
		if err != nil {
			return nil, more, err
		}
		if k < 0 {
			notes = more
			name = planVariation + "=" + pod.Plan.Name
		}
		list = append(list, comparedPod{name, pod})
	}
	return list, notes, nil
}

// of is the source with the variation.
func (v Variation) of(s Source) Source {
	if v.Name == planVariation {
		s.Plan = v.Value
		return s
	}
	params := maps.Clone(s.Params)
	if params == nil {
		params = map[string]string{}
	}
	params[v.Name] = v.Value
	s.Params = params
	return s
}

// estimated is what a comparison keeps of a compiled program.
type estimated struct {
	Estimate report.Parts `json:"estimate"`
	ByHBM    report.Parts `json:"estimate_by_hbm"`
	MFU      float64      `json:"mfu"`
	MFUByHBM float64      `json:"mfu_by_hbm"`
	Peak     int64        `json:"peak_bytes"`
	seconds  float64      // that compiling took just now
}

func (c *Compared) fill(e *estimated) {
	c.Step, c.MFU, c.ByHBM, c.MFUByHBM = e.Estimate.Step, e.MFU, e.ByHBM.Step, e.MFUByHBM
	c.Exposed, c.Peak, c.Compiled = e.Estimate.Exposed, e.Peak, e.seconds
}

// estimate finds what is known of a variant, or compiles it.
func (q *CompareRequest) estimate(ctx context.Context, v comparedPod, plugin *pjrt.Found, k, of int) (*estimated, error) {
	c, err := openCompared(q.Cache, v.pod, plugin)
	if err != nil {
		return nil, err
	}
	if known := c.load(); known != nil {
		return known, nil
	}
	if q.Begin != nil {
		defer q.Begin(v.name, k+1, of)()
	}
	built, err := v.pod.Compile(ctx)
	if err != nil {
		return nil, err
	}
	p, err := hlo.Read(built.Result.Optimized)
	if err != nil {
		return nil, fmt.Errorf("what the compiler gave back: %w", err)
	}
	r, err := report.New(p, report.Machine{Topology: v.pod.Topology, Mesh: v.pod.Plan.Mesh}, v.pod.ModelFlops)
	if err != nil {
		return nil, fmt.Errorf("what the compiler gave back: %w", err)
	}
	e := &estimated{r.Estimate, r.ByHBM, r.MFU, r.MFUByHBM, built.Result.Memory.Peak, built.Result.Seconds}
	return e, c.store(e)
}

// EstimateNotice says what estimates of steps are.
const EstimateNotice = report.Notice

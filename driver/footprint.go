package driver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/passes"
)

// Footprint is what one device of a plan holds while a program trains, in bytes, as this
// compiler's own memory plan has it: a target's compiler may need more.
type Footprint struct {
	Plan    string `json:"plan"`
	Target  string `json:"target"`
	Devices int    `json:"devices"`

	Parameters int64 `json:"parameter_bytes"`
	Optimizer  int64 `json:"optimizer_bytes"`
	Averages   int64 `json:"average_bytes,omitempty"`
	Buffers    int64 `json:"buffer_bytes,omitempty"` // a model's own state and counters
	Inputs     int64 `json:"input_bytes"`
	Gradients  int64 `json:"gradient_bytes"`
	Kept       int64 `json:"kept_bytes"` // that the forward pass leaves to the backward pass
	// Arena is all that the largest function computes, gradients and what is kept included.
	Arena    int64  `json:"arena_bytes"`
	Function string `json:"function"` // the largest one

	Peak     int64 `json:"peak_bytes"`
	Capacity int64 `json:"capacity_bytes,omitempty"` // of a device; 0: not known
	Reserve  int64 `json:"reserve_bytes,omitempty"`  // that is to stay free
	Fits     bool  `json:"fits"`
}

// footprint compiles a program's step and evaluations for a plan as far as their memory is
// planned; the list holds what passes report. The program is used up.
func footprint(p *ir.Program, plan *ir.Plan) (*Footprint, diag.List, error) {
	t, err := topology.Of(plan.Devices)
	if err != nil {
		return nil, nil, err
	}
	f := &Footprint{Plan: plan.Name, Target: t.Target(), Devices: t.Devices(), Capacity: t.Chip.HBM}
	f.Reserve = int64(plan.Reserve * float64(f.Capacity))
	p.DropPredictions()
	m := &ir.Module{Phase: p.Module.Phase}
	for _, fn := range p.Module.Funcs {
		if fn.Name != "init" {
			m.Funcs = append(m.Funcs, fn)
		}
	}
	trained := gradients(m)
	var notes diag.List
	o := passOptions(nativeTarget, plan)
	o.Note = func(_ string, d *diag.Diagnostic) { notes.Add(d) }
	o.After = func(name string, m *ir.Module, _ bool) {
		if name == "partition" {
			step, loss := described(m)
			r, out := inSlice(step.Body, loss)
			f.Kept = int64(kept(r, forward(r, out)))
		}
	}
	if err := runPasses(m, planningPasses(plan), o); err != nil {
		return nil, notes, err
	}
	f.count(p, m.Func("step"), trained)
	f.largest(m)
	f.Fits = f.Capacity == 0 || f.Peak+f.Reserve <= f.Capacity
	return f, notes, nil
}

// planningPasses are those by which memory is planned where a plan's own target has no such passes: the
// CPU's. What it does to transfers is left out for others, which order and join theirs themselves.
func planningPasses(plan *ir.Plan) []string {
	return slices.DeleteFunc(passes.Pipeline(nativeTarget), func(name string) bool {
		return slices.Contains([]string{"collectives", "prefetch", "asynchronous"}, name) && plan.Devices.Platform != "cpu"
	})
}

// inSlice is where a step's forward pass is, and its loss: in the loop over the slices of a batch, if
// there is one, where a slice's forward and backward pass are followed by the next one's.
func inSlice(r *ir.Region, loss *ir.Value) (*ir.Region, *ir.Value) {
	for _, op := range r.Ops {
		if a, ok := op.Attrs.(*ir.ScanAttrs); ok && a.Label == passes.SliceLabel {
			return op.Body, op.Body.Yield[0]
		}
	}
	return r, loss
}

// gradients names the parameters that have a gradient in a module as built.
func gradients(m *ir.Module) map[string]bool {
	names := map[string]bool{}
	step := m.Func("step")
	for _, op := range step.Body.Ops {
		if op.Row.Name != "grad" {
			continue
		}
		for i, a := range step.Args {
			if slices.Contains(op.In[1:], step.Body.Params[i]) {
				names[a.Name] = true
			}
		}
	}
	return names
}

// count adds up the arguments of a device's step.
func (f *Footprint) count(p *ir.Program, step *ir.Func, trained map[string]bool) {
	kinds := map[string]ir.LeafKind{}
	for _, l := range p.State {
		kinds[l.Name] = l.Kind
	}
	for i, a := range step.Args {
		bytes := int64(step.Body.Params[i].Type.Bytes())
		if a.Role != ir.RoleState {
			f.Inputs += bytes
			continue
		}
		if trained[a.Name] {
			f.Gradients += bytes
		}
		switch kinds[a.Name] {
		case ir.LeafParam:
			f.Parameters += bytes
		case ir.LeafOpt:
			f.Optimizer += bytes
		case ir.LeafEMA:
			f.Averages += bytes
		default:
			f.Buffers += bytes
		}
	}
}

// largest finds the function that needs most beside the state: its other arguments, its arena
// and results with a place of their own.
func (f *Footprint) largest(m *ir.Module) {
	state := f.Parameters + f.Optimizer + f.Averages + f.Buffers
	for _, fn := range m.Funcs {
		need := int64(fn.Arena)
		for i, v := range fn.Body.Params {
			if fn.Args[i].Role != ir.RoleState {
				need += int64(v.Type.Bytes())
			}
		}
		for _, v := range fn.Body.Yield {
			if v.Mem != nil && strings.HasPrefix(v.Mem.Space, "res") {
				need += int64(v.Mem.Bytes)
			}
		}
		if state+need > f.Peak {
			f.Peak, f.Arena, f.Function = state+need, int64(fn.Arena), fn.Name
		}
	}
}

// noted: a part that is less than this fraction of the memory is not worth a note.
const noted = 1000

// misfit is the error of a program that a plan's devices cannot hold, nil where it fits.
func (f *Footprint) misfit(p *ir.Program, plan *ir.Plan) *diag.Diagnostic {
	if f.Fits {
		return nil
	}
	room := f.Capacity - f.Reserve
	d := &diag.Diagnostic{Code: CodePlanMemory, Msg: fmt.Sprintf("%s does not fit %s under the plan %s", p.Name, f.Target, f.Plan), Pos: plan.Pos,
		Label: fmt.Sprintf("%s too much on each device", gib(f.Peak-room))}
	d.Expected = fmt.Sprintf("at most %s of %s, the rest being the reserve; found %s", gib(room), gib(f.Capacity), gib(f.Peak))
	for _, part := range f.Parts() {
		if part.Bytes < f.Capacity/noted {
			continue
		}
		d.Notes = append(d.Notes, diag.Note{Text: fmt.Sprintf("%s: %s", part.Name, gib(part.Bytes))})
	}
	d.Fix = strings.Join(f.tries(p, plan), "; or ")
	return d
}

// FootprintPart is one line of a footprint.
type FootprintPart struct {
	Name  string
	Bytes int64
}

// Parts lists what the bytes are for, those that are none left out; gradients and what is kept
// are parts of the arena, and not all of it at one time.
func (f *Footprint) Parts() []FootprintPart {
	all := []FootprintPart{{"parameters", f.Parameters}, {"optimizer", f.Optimizer}, {"averages", f.Averages}, {"buffers", f.Buffers}, {"inputs", f.Inputs},
		{"computed at one time", f.Arena}, {"  of it kept for the backward pass", f.Kept}, {"  of it gradients", f.Gradients}}
	return slices.DeleteFunc(all, func(p FootprintPart) bool { return p.Bytes == 0 })
}

// gib writes bytes as the field counts a device's memory.
func gib(bytes int64) string {
	return strconv.FormatFloat(float64(bytes)/(1<<30), 'f', 2, 64) + " GiB"
}

// tries lists what may make the program fit, the cheapest first.
func (f *Footprint) tries(p *ir.Program, plan *ir.Plan) []string {
	var out []string
	if f.Peak <= f.Capacity {
		out = append(out, "a smaller reserve, at the cost of overlap")
	}
	if line := unsplit(p, plan, f.Capacity); line != "" {
		out = append(out, "shard { "+line+" }")
	}
	if f.Kept > f.Capacity/4 {
		if !slices.ContainsFunc(plan.Remat, func(l ir.RematLine) bool { return l.Policy == ir.RematAll || l.Policy == ir.RematFit }) {
			out = append(out, `remat { "**": fit }`)
		}
		out = append(out, fmt.Sprintf("micro: %d", 2*plan.Micro))
	}
	return append(out, "more devices, or a smaller batch")
}

// unsplit proposes a line for the largest parameter that every device would hold whole, "" if
// there is no large one.
func unsplit(p *ir.Program, plan *ir.Plan, capacity int64) string {
	const large = 50 // a fiftieth of the memory
	most, line := capacity/large, ""
	for _, l := range p.State {
		if !l.Kind.Params() || int64(l.Type.Bytes()) <= most || cutAnywhere(plan.Split(l.Type, l.Of(), true)) {
			continue
		}
		if x := cutting(l.Type, plan.Mesh); x != "" {
			most, line = int64(l.Type.Bytes()), x
		}
	}
	return line
}

func cutAnywhere(axes [][]string) bool {
	return slices.ContainsFunc(axes, func(names []string) bool { return len(names) > 0 })
}

// cutting is a line that cuts the longest dim of a parameter that some mesh axis divides.
func cutting(t ir.Type, mesh ir.Mesh) string {
	longest, line := 0, ""
	for _, d := range t.Dims {
		for _, a := range mesh {
			if a.Size > 1 && d.Size%a.Size == 0 && d.Size > longest {
				longest, line = d.Size, fmt.Sprintf("params.%s: %s", d.Label, a.Name)
			}
		}
	}
	return line
}

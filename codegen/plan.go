package codegen

import "vitc/ir"

// Plan is what a machine executes: for each function a flat list of steps over buffers. It
// names kernels and places and nothing of a target. Where Mesh has axes, each of its devices
// executes it on what it holds: types and buffers are those of one device.
type Plan struct {
	Mesh  ir.Mesh    `json:"mesh,omitempty"`
	Funcs []FuncPlan `json:"funcs"`
}

// FuncPlan is one function. Its buffers are the spaces of addresses: "arena", Arena bytes
// that live for one call; "argN", argument N; "resN", the own buffer of result N.
type FuncPlan struct {
	Name    string    `json:"name"`
	Args    []PlanArg `json:"args"`
	Results []PlanArg `json:"results"`
	Arena   int       `json:"arena"`
	Steps   []Step    `json:"steps"`
}

// PlanArg is an argument or a result. A result lies in the buffer of argument In-1 (a state
// that is replaced in place), or, where In is 0, in a buffer of its own.
type PlanArg struct {
	Role ir.Role `json:"role"`
	Name string  `json:"name"`
	Type ir.Type `json:"type"`
	In   int     `json:"in,omitempty"`
}

// Step is one of its fields.
type Step struct {
	Run        *Run        `json:"run,omitempty"`
	Loop       *Loop       `json:"loop,omitempty"`
	Copy       *Copy       `json:"copy,omitempty"`
	Collective *Collective `json:"collective,omitempty"`
	Wait       *Wait       `json:"wait,omitempty"`
}

// Run calls a kernel, which cuts its work into Tasks parts that may run at the same time and
// in any order. Scratch is what each thread that runs some needs, in bytes.
type Run struct {
	Kernel  string `json:"kernel"`
	Args    []Addr `json:"args"`
	Tasks   int    `json:"tasks"`
	Scratch int    `json:"scratch,omitempty"`
	Label   string `json:"label,omitempty"` // for profiles: what is computed, and its .vit line
}

// Loop does its body Length times; turns are numbered from 0, and Reverse starts with the
// last.
type Loop struct {
	Length  int    `json:"length"`
	Reverse bool   `json:"reverse,omitempty"`
	Body    []Step `json:"body"`
}

// Copy copies Src to Dst, which have the same number of bytes and do not overlap.
type Copy struct {
	Dst Addr `json:"dst"`
	Src Addr `json:"src"`
}

// Addr is Bytes bytes at Offset of a space. In turn t of the enclosing loop number i, counted
// from the outermost, the place moves on by t times Steps[i]; missing steps are 0.
type Addr struct {
	Space  string `json:"space"`
	Offset int    `json:"offset,omitempty"`
	Bytes  int    `json:"bytes"`
	Steps  []int  `json:"steps,omitempty"`
}

// Func finds a function's plan, nil if there is none.
func (p *Plan) Func(name string) *FuncPlan {
	for i := range p.Funcs {
		if p.Funcs[i].Name == name {
			return &p.Funcs[i]
		}
	}
	return nil
}

// Walk visits every step, loops before their bodies.
func (f *FuncPlan) Walk(visit func(*Step)) { walkSteps(f.Steps, visit) }

func walkSteps(steps []Step, visit func(*Step)) {
	for i := range steps {
		visit(&steps[i])
		if l := steps[i].Loop; l != nil {
			walkSteps(l.Body, visit)
		}
	}
}

// Scratch is the most any of the plan's kernels needs on a thread, in bytes.
func (p *Plan) Scratch() int {
	most := 0
	for i := range p.Funcs {
		p.Funcs[i].Walk(func(s *Step) {
			if s.Run != nil {
				most = max(most, s.Run.Scratch)
			}
		})
	}
	return most
}

package llvm

import (
	"fmt"
	"slices"
	"strings"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
)

// Module is the LLVM text of one kernel, or of a few that work together.
type Module struct {
	Name    string
	Kernels []string
	Text    []byte
}

// Code is a module's plan and the text of its kernels, each in order of first use.
type Code struct {
	ISA     cpu.Level
	Plan    *codegen.Plan
	Modules []Module
}

// Generate makes the plan and the kernels of a scheduled module. It fails with an *Error
// where an op has no code for the CPU or the module was not planned as it must be.
func Generate(m *ir.Module, isa cpu.Level) (code *Code, err error) {
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *Error:
			err = x
		case *ir.Bug:
			err = x
		default:
			panic(x)
		}
	}()
	if m.Phase != ir.Scheduled {
		return nil, fmt.Errorf("module in phase %s: expected %s; fix: run the passes of target cpu first", m.Phase, ir.Scheduled)
	}
	w := &walker{isa: isa, chunks: fewPoints, code: &Code{ISA: isa, Plan: &codegen.Plan{Mesh: m.Mesh}}, units: map[string]*unit{}}
	if len(m.Mesh) > 0 {
		w.chunks = longSums
	}
	for _, f := range m.Funcs {
		w.function(f)
	}
	return w.code, nil
}

// walker makes plans of functions.
type walker struct {
	isa    cpu.Level
	chunks chunking
	code   *Code
	units  map[string]*unit

	turns []int // lengths of the scans around
	base  int   // where temporary memory begins, after the arena of the memory pass
	temp  int   // the most of it used

	flights []*ir.Value // what is under way, by the numbers of tickets less one
}

const alignment = 64

func (w *walker) function(f *ir.Func) {
	w.base, w.temp, w.turns = (f.Arena+alignment-1)&^(alignment-1), 0, nil
	plan := codegen.FuncPlan{Name: f.Name}
	replaced := map[string]int{}
	for i, p := range f.Args {
		plan.Args = append(plan.Args, codegen.PlanArg{Role: p.Role, Name: p.Name, Type: f.Body.Params[i].Type})
		if p.Role == ir.RoleState || p.Role == ir.RoleAcc {
			replaced[p.Name] = i + 1
		}
	}
	plan.Steps = w.region(f.Body)
	var ends []move
	for j, v := range f.Body.Yield {
		p := f.Results[j]
		r := codegen.PlanArg{Role: p.Role, Name: p.Name, Type: v.Type}
		home := codegen.Addr{Space: fmt.Sprintf("res%d", j), Bytes: v.Type.Bytes()}
		if p.Role == ir.RoleState || p.Role == ir.RoleAcc {
			if r.In = replaced[p.Name]; r.In > 0 {
				home.Space = fmt.Sprintf("arg%d", r.In-1)
			}
		}
		plan.Results = append(plan.Results, r)
		ends = append(ends, move{home, place(v)})
	}
	plan.Steps = append(plan.Steps, parallel(ends, nil, w.spares())...)
	plan.Arena = w.base + w.temp
	w.code.Plan.Funcs = append(w.code.Plan.Funcs, plan)
}

// spares returns a function that reserves temporary memory until the next step.
func (w *walker) spares() func(bytes int) codegen.Addr {
	at := 0
	return func(bytes int) codegen.Addr {
		a := codegen.Addr{Space: "arena", Offset: w.base + at, Bytes: bytes}
		at += (bytes + alignment - 1) &^ (alignment - 1)
		w.temp = max(w.temp, at)
		return a
	}
}

// place is where a value lies.
func place(v *ir.Value) codegen.Addr {
	if v.Mem == nil {
		panic(&ir.Bug{Msg: fmt.Sprintf("%%%s %s has no place in memory", v.Name, v.Type), Pos: v.Pos})
	}
	return codegen.Addr{Space: v.Mem.Space, Offset: v.Mem.Offset, Bytes: v.Type.Bytes(), Steps: slices.Clone(v.Mem.Steps)}
}

func (w *walker) region(r *ir.Region) []codegen.Step {
	var steps []codegen.Step
	for _, op := range r.Ops {
		switch name := op.Row.Name; {
		case name == "scan":
			steps = append(steps, w.scan(op)...)
		case name == "fusion":
			steps = append(steps, w.fusion(op)...)
		case op.Row.Starts():
			c := collective(op)
			c.Ticket = w.ticket(op.Out[0])
			steps = append(steps, codegen.Step{Collective: c})
		case op.Row.Awaits():
			steps = append(steps, codegen.Step{Wait: &codegen.Wait{Ticket: w.arrived(op.In[0]), Label: label(op.Row.Name, op)}})
		case op.Row.Class == ir.Collective:
			steps = append(steps, codegen.Step{Collective: collective(op)})
		case name == "rearrange", name == "slice": // a view: it lies where its operand does
		default:
			failf(op, "stands outside of kernels; fix: run the pass fuse")
		}
	}
	return steps
}

// collective is the step of a collective row.
func collective(op *ir.Op) *codegen.Collective {
	c := codegen.NewCollective(op)
	c.Label = label(op.Row.Name, op)
	for _, v := range op.In {
		c.In = append(c.In, codegen.Operand{At: place(v), Type: v.Type})
	}
	c.Out = codegen.Operand{At: place(op.Out[0]), Type: op.Out[0].Type.Landed()}
	return c
}

// ticket gives a value that is under way the least number that no other one has at this moment. All
// devices come to starts and dones in one order, so that two transfers of one number never meet.
func (w *walker) ticket(v *ir.Value) int {
	i := slices.Index(w.flights, nil)
	if i < 0 {
		i, w.flights = len(w.flights), append(w.flights, nil)
	}
	w.flights[i] = v
	return i + 1
}

// arrived gives a value's number back.
func (w *walker) arrived(v *ir.Value) int {
	i := slices.Index(w.flights, v)
	w.flights[i] = nil
	return i + 1
}

// scan makes a loop. What circles in a carry must be found, at every turn, at the parameter's
// place of that turn, which may move from turn to turn:
//
//  1. Before the loop, operands are copied to the places of the first turn.
//  2. At a turn's end, what is yielded is copied to the places of the next turn, and what is
//     stacked to its slice.
//  3. After the loop, results are copied from the places of the turn after the last.
//
// Only what lies elsewhere is copied.
func (w *walker) scan(op *ir.Op) []codegen.Step {
	a, depth := op.Attrs.(*ir.ScanAttrs), len(w.turns)
	first, after, next := 0, a.Length, 1
	if a.Reverse {
		first, after, next = a.Length-1, -1, -1
	}
	var enter, turn, leave []move
	for i, p := range op.Body.Params[:a.Carry] {
		enter = append(enter, move{atTurn(place(p), depth, first), place(op.In[i])})
		turn = append(turn, move{shifted(place(p), depth, next), place(op.Body.Yield[i])})
		leave = append(leave, move{place(op.Out[i]), atTurn(place(p), depth, after)})
	}
	for i, v := range op.Body.Stack {
		slice := place(op.Out[a.Carry+i])
		slice.Bytes = v.Type.Bytes()
		for len(slice.Steps) <= depth {
			slice.Steps = append(slice.Steps, 0)
		}
		slice.Steps[depth] = slice.Bytes
		turn = append(turn, move{slice, place(v)})
	}
	steps := parallel(enter, w.turns, w.spares())
	w.turns = append(w.turns, a.Length)
	body := w.region(op.Body)
	body = append(body, parallel(turn, w.turns, w.spares())...)
	w.turns = w.turns[:depth]
	steps = append(steps, codegen.Step{Loop: &codegen.Loop{Length: a.Length, Reverse: a.Reverse, Body: body}})
	return append(steps, parallel(leave, w.turns, w.spares())...)
}

// atTurn is where a place lies in a turn of the loop at a depth, seen from outside of it.
func atTurn(a codegen.Addr, depth, turn int) codegen.Addr {
	a = shifted(a, depth, turn)
	a.Steps = a.Steps[:min(depth, len(a.Steps))]
	return trimmed(a)
}

// shifted is where a place lies some turns later.
func shifted(a codegen.Addr, depth, turns int) codegen.Addr {
	if depth < len(a.Steps) {
		a.Offset += turns * a.Steps[depth]
	}
	return a
}

// trimmed drops trailing steps of 0, as places are compared.
func trimmed(a codegen.Addr) codegen.Addr {
	for len(a.Steps) > 0 && a.Steps[len(a.Steps)-1] == 0 {
		a.Steps = a.Steps[:len(a.Steps)-1]
	}
	return a
}

// fusion calls the kernels of a fusion, generated when first met.
func (w *walker) fusion(op *ir.Op) []codegen.Step {
	name := kernelName(op, w.isa, w.chunks)
	u := w.units[name]
	if u == nil {
		u = newUnit(name, op, w.isa, w.chunks)
		w.units[name] = u
		m := Module{Name: name, Text: u.module.Text()}
		for _, c := range u.calls {
			if !slices.Contains(m.Kernels, c.kernel) {
				m.Kernels = append(m.Kernels, c.kernel)
			}
		}
		w.code.Modules = append(w.code.Modules, m)
	}
	w.temp = max(w.temp, u.temp)
	var steps []codegen.Step
	for _, c := range u.calls {
		run := &codegen.Run{Kernel: c.kernel, Tasks: c.tasks, Scratch: c.scratch, Label: label(bodyNames(op), op)}
		for _, r := range c.args {
			run.Args = append(run.Args, w.address(op, r))
		}
		steps = append(steps, codegen.Step{Run: run})
	}
	return steps
}

func (w *walker) address(op *ir.Op, r ref) codegen.Addr {
	if r.kind == temp {
		return codegen.Addr{Space: "arena", Offset: w.base + r.offset, Bytes: r.bytes}
	}
	a := codegen.Addr{}
	if r.kind == operand {
		a = place(op.In[r.index])
	} else {
		a = place(op.Out[r.index])
	}
	a.Offset, a.Bytes = a.Offset+r.offset, r.bytes
	return a
}

// label says what is computed and where it comes from.
func label(what string, op *ir.Op) string {
	if p := op.Pos; p != nil && p.Valid() {
		return fmt.Sprintf("%s (%s:%d %s)", what, p.File, p.Line, p.Path)
	}
	return what
}

// bodyNames are the ops of a kernel, each once.
func bodyNames(op *ir.Op) string {
	var names []string
	for _, in := range op.Body.Ops {
		if n := in.Row.Name; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, " ")
}

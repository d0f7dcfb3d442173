package report

import (
	"strings"

	"vitc/ir/topology"
	"vitc/runtime/hlo"
)

// Mode says how far the compiler's estimates are believed.
type Mode int

// The modes.
const (
	Raw   Mode = iota // as they stand
	ByHBM             // what has no product takes no longer than its bytes: the compiler charges bf16 like f32
)

// Parts is where the time of a step goes. Seconds, but for the counts and bytes.
type Parts struct {
	Step        float64 `json:"step_s"`
	Matmul      float64 `json:"matmul_s"`
	Other       float64 `json:"other_compute_s"`
	Unestimated float64 `json:"unestimated_s"` // no cycles given: bytes by the memory's rate
	Stall       float64 `json:"dma_stall_s"`   // waiting for copies to the chip's own memory
	Exposed     float64 `json:"exposed_communication_s"`
	ExposedSync float64 `json:"exposed_synchronous_s"`
	Hidden      float64 `json:"hidden_communication_s"`
	Links       float64 `json:"communication_s"` // all transfers, one after the other
	Bytes       float64 `json:"communication_bytes"`
	Sync        float64 `json:"synchronous_collectives"` // times that one runs
	Async       float64 `json:"asynchronous_collectives"`
}

// add adds another's parts, n times.
func (p *Parts) add(q Parts, n float64) {
	p.Step += n * q.Step
	p.Matmul += n * q.Matmul
	p.Other += n * q.Other
	p.Unestimated += n * q.Unestimated
	p.Stall += n * q.Stall
	p.Exposed += n * q.Exposed
	p.ExposedSync += n * q.ExposedSync
	p.Hidden += n * q.Hidden
	p.Links += n * q.Links
	p.Bytes += n * q.Bytes
	p.Sync += n * q.Sync
	p.Async += n * q.Async
}

// The tracks of a timeline: what works at a time.
const (
	trackCore  = "core"
	trackLinks = "links"
)

// The kinds of events.
const (
	kindMatmul      = "matmul"
	kindOther       = "other compute"
	kindUnestimated = "unestimated"
	kindStall       = "copy wait"
	kindExposed     = "exposed communication"
	kindLoop        = "loop"
	kindTransfer    = "transfer"
)

// event is a stretch of time of one instruction, in seconds from its computation's begin.
type event struct {
	in             *hlo.Instruction
	track, kind    string
	start, seconds float64
	transfer       *Transfer // of a collective
	body           *timeline // of a loop or a branch
	trips          int
}

// timeline is one run of a computation.
type timeline struct {
	Parts
	events   []event
	unfolded float64 // how many events there are with those of the bodies
}

// simulation runs a module's computations.
type simulation struct {
	m       *machine
	mode    Mode
	runs    map[*hlo.Computation]*timeline
	matmuls map[*hlo.Computation]bool
}

// simulate runs the core through a module in the order of its schedule, with the links beside
// it: asynchronous transfers wait for their lanes, and the core for what it needs.
func simulate(p *hlo.Module, m *machine, mode Mode) *timeline {
	s := &simulation{m: m, mode: mode, runs: map[*hlo.Computation]*timeline{}, matmuls: map[*hlo.Computation]bool{}}
	for _, c := range p.Computations { // what is called stands before its caller
		s.matmuls[c] = s.hasMatmul(c)
	}
	return s.run(p.Entry)
}

func (s *simulation) hasMatmul(c *hlo.Computation) bool {
	for _, in := range c.Instructions {
		if in.Is("convolution", "dot") {
			return true
		}
		if in.Is("fusion", "async-start") && in.Body() != nil && s.matmuls[in.Body()] {
			return true
		}
	}
	return false
}

// run simulates a computation, once.
func (s *simulation) run(c *hlo.Computation) *timeline {
	if t := s.runs[c]; t != nil {
		return t
	}
	r := &running{simulation: s, timeline: &timeline{}, busy: map[topology.Lane]float64{},
		flights: map[*hlo.Instruction]flight{}, copies: map[*hlo.Instruction]float64{}}
	for _, in := range c.Instructions {
		r.step(in)
	}
	r.unfolded += float64(len(r.events))
	s.runs[c] = r.timeline
	return r.timeline
}

// running is a computation under way: Step of its timeline is the time.
type running struct {
	*simulation
	*timeline
	busy    map[topology.Lane]float64    // until when
	dma     float64                      // until when the copy engine works
	flights map[*hlo.Instruction]flight  // transfers that were started
	copies  map[*hlo.Instruction]float64 // copies that were started: when they end
}

type flight struct {
	transfer *Transfer
	end      float64
}

// step runs one instruction.
func (r *running) step(in *hlo.Instruction) {
	op := opcode(in)
	switch {
	case free[op]:
	case op == "while":
		if len(in.Called) > 0 {
			r.nest(in, r.run(in.Called[0]), in.Trips())
		}
	case op == "conditional", op == "call":
		r.branch(in)
	case r.communicates(in, op):
		r.communicate(in, op)
	case strings.HasSuffix(op, "-done") && r.landed(in):
	case copyStarts[op]:
		r.startCopy(in, op)
	case strings.HasSuffix(op, "-done"):
		r.awaitCopy(in)
	default:
		r.compute(in)
	}
}

// free are the opcodes that take no time.
var free = map[string]bool{"parameter": true, "constant": true, "get-tuple-element": true, "tuple": true, "bitcast": true,
	"partition-id": true, "after-all": true, "iota": true, "opt-barrier": true, "add-dependency": true}

// copyStarts are those that start the copy engine.
var copyStarts = map[string]bool{"copy-start": true, "slice-start": true, "dynamic-slice-start": true, "dynamic-update-slice-start": true}

// opcode is what an instruction does: of an asynchronous one what it wraps, as slice-start.
func opcode(in *hlo.Instruction) string {
	suffix, ok := strings.CutPrefix(in.Opcode, "async-")
	if !ok || suffix != "start" || in.Body() == nil || in.Body().Root.Is("fusion") {
		return in.Opcode
	}
	return in.Body().Root.Opcode + "-start"
}

// spend lets the core work for some seconds, which part counts.
func (r *running) spend(in *hlo.Instruction, kind string, part *float64, seconds float64) {
	if seconds > 0 {
		r.events = append(r.events, event{in: in, track: trackCore, kind: kind, start: r.Step, seconds: seconds})
	}
	*part += seconds
	r.Step += seconds
}

// nest runs another computation here, some times.
func (r *running) nest(in *hlo.Instruction, body *timeline, trips int) {
	r.events = append(r.events, event{in: in, track: trackCore, kind: kindLoop, start: r.Step,
		seconds: float64(trips) * body.Step, body: body, trips: trips})
	r.add(body.Parts, float64(trips))
	r.unfolded += body.unfolded
}

// branch runs what is called; of several branches the slowest.
func (r *running) branch(in *hlo.Instruction) {
	var slowest *timeline
	for _, c := range in.Called {
		if t := r.run(c); slowest == nil || t.Step > slowest.Step {
			slowest = t
		}
	}
	if slowest != nil {
		r.nest(in, slowest, 1)
	}
}

// compute runs what the compiler has estimated, or by its bytes where it has not.
func (r *running) compute(in *hlo.Instruction) {
	const small = 64 << 10 // bytes below which moving an array takes no time worth counting
	matmul := in.Is("convolution", "dot") || in.Body() != nil && r.matmuls[in.Body()]
	seconds := in.Config.Cycles / r.m.Topology.Chip.Clock
	switch {
	case seconds < 0 && (in.Shape.HBMBytes() < small || in.Is("custom-call")):
	case seconds < 0:
		r.spend(in, kindUnestimated, &r.Unestimated, r.m.memoryTime(in, false))
	case matmul:
		r.spend(in, kindMatmul, &r.Matmul, seconds)
	default:
		if r.mode == ByHBM {
			seconds = min(seconds, max(r.m.memoryTime(in, true), shortest))
		}
		r.spend(in, kindOther, &r.Other, seconds)
	}
}

// shortest is what an instruction takes at least if its bytes decide, in seconds.
const shortest = 1e-6

// startCopy gives the copy engine a copy to or from the chip's own memory.
func (r *running) startCopy(in *hlo.Instruction, op string) {
	if len(in.Operands) == 0 {
		return
	}
	bytes := in.Operands[0].Shape.Bytes()
	if arrays := in.Shape.Arrays(); op == "copy-start" {
		bytes = min(bytes, in.Shape.Bytes()/2)
	} else if len(arrays) > 1 {
		bytes = arrays[len(arrays)-2].Bytes() // before the last one, which counts what is under way
	}
	r.dma = max(r.Step, r.dma) + bytes/r.m.Topology.Chip.HBMRate
	r.copies[in] = r.dma
}

func (r *running) awaitCopy(in *hlo.Instruction) {
	if len(in.Operands) == 0 {
		return
	}
	if end, ok := r.copies[in.Operands[0]]; ok {
		r.spend(in, kindStall, &r.Stall, max(0, end-r.Step))
	}
}

package report

import (
	"strings"

	"vitc/ir/topology"
	"vitc/runtime/hlo"
)

// inner lists the collectives within what an instruction runs.
func inner(in *hlo.Instruction) []*hlo.Instruction {
	if !in.Is("fusion", "async-start") || in.Body() == nil {
		return nil
	}
	var list []*hlo.Instruction
	for _, x := range in.Body().Instructions {
		if collectives[strings.TrimSuffix(x.Opcode, "-start")] {
			list = append(list, x)
		}
	}
	return list
}

func (r *running) communicates(in *hlo.Instruction, op string) bool {
	return op == "async-start" || collectives[strings.TrimSuffix(op, "-start")] || in.Is("fusion") && len(inner(in)) > 0
}

// communicate runs a collective: in the background, within a product, or with the core waiting.
func (r *running) communicate(in *hlo.Instruction, op string) {
	t := r.sum(in, op)
	r.Links += t.Seconds
	r.Bytes += t.Bytes
	switch {
	case strings.HasSuffix(op, "-start"):
		t.Async = true
		r.Async++
		begin := r.queue(t.lanes)
		for _, l := range t.lanes {
			r.busy[l] = begin + t.Seconds
		}
		r.flights[in] = flight{t, begin + t.Seconds}
		r.fly(in, t, begin)
	case in.Is("fusion") && in.Config.Cycles >= 0 && mentions(in, "async_collective"):
		r.within(in, t)
	default:
		r.Sync++
		wait := r.queue(t.lanes) - r.Step + t.Seconds
		t.Exposed = wait
		r.fly(in, t, r.Step+wait-t.Seconds)
		r.ExposedSync += wait
		begin := r.Step
		r.spend(in, kindExposed, &r.Exposed, wait)
		for _, l := range t.lanes {
			r.busy[l] = max(begin, r.Step)
		}
	}
}

// within runs a product that the compiler has woven a collective into: the longer one decides.
func (r *running) within(in *hlo.Instruction, t *Transfer) {
	seconds := in.Config.Cycles / r.m.Topology.Chip.Clock
	t.Async, t.Exposed, t.Hidden = true, max(0, t.Seconds-seconds), min(seconds, t.Seconds)
	r.Async++
	r.Hidden += t.Hidden
	r.fly(in, t, r.Step)
	if r.matmuls[in.Body()] {
		r.spend(in, kindMatmul, &r.Matmul, seconds)
	} else {
		r.spend(in, kindOther, &r.Other, seconds)
	}
	r.spend(in, kindExposed, &r.Exposed, t.Exposed)
}

// sum is the transfer of a collective, or of all those within an instruction.
func (r *running) sum(in *hlo.Instruction, op string) *Transfer {
	if kind := strings.TrimSuffix(op, "-start"); collectives[kind] {
		t := r.m.transfer(in, kind, false)
		return &t
	}
	total := &Transfer{}
	body := in.Body()
	for _, x := range inner(in) {
		t := r.m.transfer(x, strings.TrimSuffix(x.Opcode, "-start"), scatters(body))
		total.Kind, total.Axis = t.Kind, t.Axis
		total.Bytes += t.Bytes
		total.Seconds += t.Seconds
		total.lanes = append(total.lanes, t.lanes...)
	}
	return total
}

// scatters says that a body keeps a part only of what it reduces.
func scatters(c *hlo.Computation) bool {
	if strings.Contains(c.Name, "scatter") {
		return true
	}
	for _, in := range c.Instructions {
		if in.Is("dynamic-slice") {
			return true
		}
	}
	return false
}

// mentions looks for a word in the names that an instruction stands beside: the compiler has no
// other sign of what it has fused.
func mentions(in *hlo.Instruction, word string) bool {
	for _, o := range in.Operands {
		if strings.Contains(o.Name, word) {
			return true
		}
	}
	return strings.Contains(in.Name, word) || strings.Contains(in.Body().Name, word)
}

// queue is when all lanes are free.
func (r *running) queue(lanes []topology.Lane) float64 {
	at := r.Step
	for _, l := range lanes {
		at = max(at, r.busy[l])
	}
	return at
}

func (r *running) fly(in *hlo.Instruction, t *Transfer, begin float64) {
	r.events = append(r.events, event{in: in, track: trackLinks, kind: kindTransfer, start: begin, seconds: t.Seconds, transfer: t})
}

// landed ends a transfer that was started; false if the instruction awaits something else.
func (r *running) landed(in *hlo.Instruction) bool {
	if len(in.Operands) == 0 {
		return false
	}
	f, ok := r.flights[in.Operands[0]]
	if !ok {
		return false
	}
	delete(r.flights, in.Operands[0])
	wait := max(0, f.end-r.Step)
	f.transfer.Exposed, f.transfer.Hidden = wait, max(0, f.transfer.Seconds-wait)
	r.Hidden += f.transfer.Hidden
	r.spend(in, kindExposed, &r.Exposed, wait)
	return true
}

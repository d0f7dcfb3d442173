package ir

import (
	"fmt"
	"slices"
)

// verifyFlights: every transfer that a region starts is waited for in it, once and later (that it
// is later SSA says); once values have places, nothing touches those of a transfer meanwhile.
// turns are the lengths of the loops around.
func verifyFlights(r *Region, turns []int) error {
	if err := verifyEnds(r); err != nil {
		return err
	}
	for i, op := range r.Ops {
		if op.Body != nil {
			if err := verifyFlights(op.Body, append(slices.Clip(turns), op.Turns())); err != nil {
				return err
			}
		}
		if !op.Row.Starts() {
			continue
		}
		if err := verifyUntouched(r.Ops[i+1:], op, turns); err != nil {
			return err
		}
	}
	return nil
}

func verifyEnds(r *Region) error {
	for _, v := range slices.Concat(r.Params, r.Yield, r.Stack) {
		if v.Type.Flight {
			return fmt.Errorf("%%%s %s enters or leaves a region under way", v.Name, v.Type)
		}
	}
	taken := map[*Value]bool{}
	for _, op := range r.Ops {
		if !op.Row.Awaits() {
			continue
		}
		if taken[op.In[0]] {
			return located(op, fmt.Errorf("waits for %%%s, which an earlier op has waited for", op.In[0].Name))
		}
		taken[op.In[0]] = true
	}
	for _, op := range r.Ops {
		if op.Row.Starts() && !taken[op.Out[0]] {
			return located(op, fmt.Errorf("nothing waits for %%%s: expected one %s of it, later in the same region", op.Out[0].Name, op.Row.Ends.Done.Name))
		}
	}
	return nil
}

// verifyUntouched holds the ops behind a start, up to its done, against the places of its operand
// and its result: nobody writes to either, nobody reads the second.
func verifyUntouched(ops []*Op, start *Op, turns []int) error {
	from, to := start.In[0], start.Out[0]
	if from.Mem == nil || to.Mem == nil {
		return nil
	}
	if meets(from.Mem, to.Mem, turns, turns) {
		return located(start, fmt.Errorf("brings %%%s to where it is itself", from.Name))
	}
	for _, op := range ops {
		if op.Row.Awaits() && op.In[0] == to {
			if got := op.Out[0].Mem; got == nil || !got.same(to.Mem) {
				return located(op, fmt.Errorf("gives %%%s at another place than %%%s is brought to", op.Out[0].Name, to.Name))
			}
			return nil
		}
		if err := untouched(op, start, turns, turns); err != nil {
			return located(op, err)
		}
	}
	return nil
}

// untouched holds one op, and those inside it, whose loops take the turns of inner.
func untouched(op, start *Op, turns, inner []int) error {
	writes := op.Out
	if aliases(op) {
		writes = nil
	}
	if op.Row.Name == "scan" {
		deeper := append(slices.Clip(inner), op.Turns())
		for _, p := range op.Body.Params[:op.Attrs.(*ScanAttrs).Carry] {
			if err := spared(p, start, turns, deeper, "writes"); err != nil {
				return err
			}
		}
		for _, x := range op.Body.Ops {
			if err := untouched(x, start, turns, deeper); err != nil {
				return err
			}
		}
	}
	for _, v := range writes {
		if err := spared(v, start, turns, inner, "writes"); err != nil {
			return err
		}
	}
	for _, v := range op.In {
		if err := spared(v, start, turns, inner, "reads"); err != nil {
			return err
		}
	}
	return nil
}

// aliases reports whether an op outside of kernels only gives another name to what lies at a place.
func aliases(op *Op) bool {
	return op.Row.Awaits() || op.Row.Name == "rearrange" || op.Row.Name == "slice"
}

// spared: a value's place is not one that a transfer needs. What is only read may be its operand.
func spared(v *Value, start *Op, turns, inner []int, does string) error {
	from, to := start.In[0], start.Out[0]
	if v.Mem == nil || v.Lit != nil {
		return nil
	}
	for _, held := range []*Value{from, to} {
		if (held == to || does == "writes") && meets(held.Mem, v.Mem, turns, inner) {
			return fmt.Errorf("%s %%%s where %%%s lies, which %%%s needs until it is there", does, v.Name, held.Name, to.Name)
		}
	}
	return nil
}

// meets reports whether two places share bytes in one turn of the loops around the first; the
// second may lie in further loops, whose turns are inner. Places that move differently with the
// loops around both are in buffers of their own, of which all turns count.
func meets(a, b *Slot, turns, inner []int) bool {
	if a.Space != b.Space {
		return false
	}
	step := func(s *Slot, i int) int {
		if i < len(s.Steps) {
			return s.Steps[i]
		}
		return 0
	}
	together := true
	for i := range turns {
		together = together && step(a, i) == step(b, i)
	}
	reach := func(s *Slot, loops []int) (lo, hi int) {
		lo, hi = s.Offset, s.Offset+s.Bytes
		for i, n := range loops {
			if together && i < len(turns) {
				continue
			}
			lo, hi = lo+min(0, step(s, i)*(n-1)), hi+max(0, step(s, i)*(n-1))
		}
		return lo, hi
	}
	lo, hi := reach(a, turns)
	from, to := reach(b, inner)
	return from < hi && lo < to
}

// same reports whether two slots are one place, in every turn.
func (s *Slot) same(t *Slot) bool {
	return s.Space == t.Space && s.Offset == t.Offset && s.Bytes == t.Bytes && slices.Equal(s.Steps, t.Steps)
}

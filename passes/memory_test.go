package passes_test

import (
	"fmt"
	"testing"

	"vitc/ir"
	"vitc/ir/irtest"
	"vitc/passes"
)

// shadow executes a scheduled function's reads and writes without computing anything: every byte
// remembers which value was written to it last. A read that finds another value than the one
// meant is a mistake of the memory pass. It states what the loop of a machine does, too: where
// carries are looked for, and what is copied.
type shadow struct {
	spaces map[string][]int
	env    map[*ir.Value]int
	next   int
	errs   []string
}

func checkMemory(f *ir.Func) []string {
	s := &shadow{spaces: map[string][]int{}, env: map[*ir.Value]int{}}
	for _, v := range f.Body.Params {
		s.write(v, s.fresh(v), nil)
	}
	s.region(f.Body, nil)
	for _, v := range f.Body.Yield {
		s.read(v, nil, "result of @"+f.Name)
	}
	return s.errs
}

func (s *shadow) fresh(v *ir.Value) int {
	s.next++
	s.env[v] = s.next
	return s.next
}

// bytes are those of a place in the given turns.
func (s *shadow) bytes(m *ir.Slot, turns []int) []int {
	at := m.Offset
	for i, step := range m.Steps {
		at += step * turns[i]
	}
	space := s.spaces[m.Space]
	for len(space) < at+m.Bytes {
		space = append(space, 0)
	}
	s.spaces[m.Space] = space
	return space[at : at+m.Bytes]
}

func (s *shadow) write(v *ir.Value, id int, turns []int) { s.put(v.Mem, id, turns) }

func (s *shadow) put(m *ir.Slot, id int, turns []int) {
	for i := range s.bytes(m, turns) {
		s.bytes(m, turns)[i] = id
	}
}

func (s *shadow) read(v *ir.Value, turns []int, what string) {
	if v.Lit == nil {
		s.expect(v.Mem, s.env[v], turns, fmt.Sprintf("%%%s, %s", v.Name, what))
	}
}

func (s *shadow) expect(m *ir.Slot, id int, turns []int, what string) {
	for _, b := range s.bytes(m, turns) {
		if b != id {
			s.errs = append(s.errs, fmt.Sprintf("%s in turns %v: value %d lies where %d should, %+v", what, turns, b, id, *m))
			return
		}
	}
}

func (s *shadow) region(r *ir.Region, turns []int) {
	for _, op := range r.Ops {
		switch {
		case op.Row.Name == "scan":
			s.scan(op, turns)
		case op.Row.Starts():
			s.read(op.In[0], turns, "sent")
			s.write(op.Out[0], s.fresh(op.Out[0]), turns)
		case op.Row.Awaits():
			s.read(op.In[0].Def.In[0], turns, "still sent")
			s.env[op.Out[0]] = s.env[op.In[0]]
			s.read(op.In[0], turns, "under way")
			s.read(op.Out[0], turns, "arrived")
		case op.Row.Class == ir.Collective:
			s.collective(op, turns)
		case op.Row.Name == "fusion":
			for _, v := range op.In {
				s.read(v, turns, "read by a kernel")
			}
			for _, v := range op.Out {
				s.write(v, s.fresh(v), turns)
			}
		default: // a view
			s.read(op.In[0], turns, "viewed")
			s.env[op.Out[0]] = s.env[op.In[0]]
		}
	}
}

// collective writes its result while other devices may still read its operands.
func (s *shadow) collective(op *ir.Op, turns []int) {
	for _, when := range []string{"read by a collective", "read by a collective of another device"} {
		for _, v := range op.In {
			s.read(v, turns, when)
		}
		for _, v := range op.Out {
			s.write(v, s.fresh(v), turns)
		}
	}
}

func (s *shadow) scan(op *ir.Op, turns []int) {
	a, body := op.Attrs.(*ir.ScanAttrs), op.Body
	for _, v := range op.In {
		s.read(v, turns, "enters a scan")
	}
	first, after, by := 0, a.Length, 1
	if a.Reverse {
		first, after, by = a.Length-1, -1, -1
	}
	for i, p := range body.Params {
		s.env[p] = s.env[op.In[i]]
		if i < a.Carry {
			s.put(p.Mem, s.env[p], append(turns[:len(turns):len(turns)], first))
		}
	}
	stacked := make([][]int, len(body.Stack))
	for t := first; t != after; t += by {
		inner := append(turns[:len(turns):len(turns)], t)
		s.region(body, inner)
		for j, v := range body.Stack {
			s.read(v, inner, "stacked")
			s.put(slice(op.Out[a.Carry+j], v, len(turns)), s.env[v], inner)
			stacked[j] = append(stacked[j], s.env[v])
		}
		for _, y := range body.Yield {
			s.read(y, inner, "yielded")
		}
		next := make([]int, len(body.Yield)) // carries may change places with each other
		for i, y := range body.Yield {
			next[i] = s.env[y]
		}
		for i, id := range next {
			s.put(body.Params[i].Mem, id, append(turns[:len(turns):len(turns)], t+by))
			s.env[body.Params[i]] = id
		}
	}
	s.leave(op, turns, stacked, first, after, by)
}

// leave checks that every stacked slice outlived the loop, and hands out the carries.
func (s *shadow) leave(op *ir.Op, turns []int, stacked [][]int, first, after, by int) {
	a, body := op.Attrs.(*ir.ScanAttrs), op.Body
	for j, v := range body.Stack {
		out := op.Out[a.Carry+j]
		for k, t := 0, first; t != after; k, t = k+1, t+by {
			s.expect(slice(out, v, len(turns)), stacked[j][k], append(turns[:len(turns):len(turns)], t), "stacked %"+v.Name)
		}
		s.write(out, s.fresh(out), turns)
	}
	for i, p := range body.Params[:a.Carry] {
		s.expect(p.Mem, s.env[p], append(turns[:len(turns):len(turns)], after), "last carry %"+p.Name)
		s.env[op.Out[i]] = s.env[p]
	}
	for i := range body.Params[:a.Carry] {
		s.write(op.Out[i], s.env[op.Out[i]], turns)
	}
}

// slice is the place of one turn's part of a stacked result.
func slice(out, v *ir.Value, depth int) *ir.Slot {
	m := &ir.Slot{Space: out.Mem.Space, Offset: out.Mem.Offset, Bytes: v.Type.Bytes(), Steps: make([]int, depth+1)}
	copy(m.Steps, out.Mem.Steps)
	m.Steps[depth] = v.Type.Bytes()
	return m
}

func TestMemoryKeepsValuesApart(t *testing.T) {
	m, err := ir.Parse(irtest.Residual)
	if err != nil {
		t.Fatal(err)
	}
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Funcs {
		for _, e := range checkMemory(f) {
			t.Errorf("%s", e)
		}
	}
}

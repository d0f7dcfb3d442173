package report

import (
	"cmp"
	"slices"
	"strings"

	"vitc/runtime/hlo"
)

// Memory is what a program keeps in each device's large memory, in bytes. Temporaries are
// counted from the schedule: what is computed and still read later, arrays padded to tiles, loops
// and updates in place. The compiler's own assignment is a little larger or smaller.
type Memory struct {
	Capacity    float64  `json:"capacity_bytes"`
	Arguments   float64  `json:"argument_bytes"`
	Temporaries float64  `json:"temporary_bytes"` // at the fullest moment
	Peak        float64  `json:"peak_bytes"`      // both
	Largest     []Buffer `json:"largest"`         // of those that are there at the fullest moment

	Compiler *Assigned `json:"compiler,omitempty"` // what the compiler says, where it was asked
}

// Assigned is the compiler's own assignment, in bytes.
type Assigned struct {
	Arguments   int64 `json:"argument_bytes"`
	Temporaries int64 `json:"temporary_bytes"`
	Peak        int64 `json:"peak_bytes"`
	Code        int64 `json:"code_bytes"`
}

// Buffer is one array in memory.
type Buffer struct {
	Name     string  `json:"name"`
	Shape    string  `json:"shape"`
	Bytes    float64 `json:"bytes"`
	Argument bool    `json:"argument,omitempty"`
	Where    string  `json:"where,omitempty"` // file:line
}

// array is one buffer of a computation, there from one instruction to another.
type array struct {
	in          *hlo.Instruction
	shape       *hlo.Shape
	bytes       float64
	born, until int
	argument    bool
}

// room is what a computation holds beside its parameters at its fullest moment.
type room struct {
	bytes  float64
	arrays []*array
}

// allocation goes through the computations of a module.
type allocation struct{ rooms map[*hlo.Computation]*room }

// memory counts what a program keeps.
func memory(p *hlo.Module, capacity float64) Memory {
	a := &allocation{rooms: map[*hlo.Computation]*room{}}
	m := Memory{Capacity: capacity}
	s := follow(p.Entry, func(k int) bool {
		return slices.ContainsFunc(p.Aliases, func(a hlo.Alias) bool { return len(a.Output) == 1 && a.Output[0] == k })
	})
	var all []*array
	for _, x := range s.arrays {
		if x.argument {
			m.Arguments += x.bytes
			all = append(all, x)
		}
	}
	fullest := a.fullest(s)
	m.Temporaries = fullest.bytes
	m.Peak = m.Arguments + m.Temporaries
	all = append(all, fullest.arrays...)
	slices.SortStableFunc(all, func(x, y *array) int { return cmp.Compare(y.bytes, x.bytes) })
	for _, x := range all[:min(len(all), largestShown)] {
		m.Largest = append(m.Largest, Buffer{x.in.Name, x.shape.String(), x.bytes, x.argument, where(x.in.Source)})
	}
	return m
}

// largestShown is how many buffers a report names.
const largestShown = 10

// span is a computation with the arrays that its values lie in.
type span struct {
	c      *hlo.Computation
	values map[*hlo.Instruction][]*array // for each array of the shape
	arrays []*array
}

// follow finds out which array each value of a computation lies in and how long it is needed.
// Parameters belong to the caller, those of the entry are arguments; a result that takes a
// parameter's place needs no room of its own.
func follow(c *hlo.Computation, inPlace func(result int) bool) *span {
	s := &span{c: c, values: map[*hlo.Instruction][]*array{}}
	for at, in := range c.Instructions {
		for _, o := range in.Operands {
			for _, x := range s.values[o] {
				x.until = at
			}
		}
		s.values[in] = s.place(in, at)
		if len(s.values[in]) != len(in.Shape.Arrays()) { // an operation of a kind we do not know
			s.values[in] = s.fresh(in, at)
		}
	}
	last := len(c.Instructions) - 1
	for k, x := range s.values[c.Root] {
		x.until = last
		if !x.argument && inPlace(k) {
			x.bytes = 0
		}
	}
	return s
}

// place is where an instruction's result lies: in arrays of its operands, or new ones.
func (s *span) place(in *hlo.Instruction, at int) []*array {
	operand := func(k int) []*array {
		if k >= 0 && k < len(in.Operands) {
			return s.values[in.Operands[k]]
		}
		return nil
	}
	switch {
	case in.Is("tuple"):
		var all []*array
		for k := range in.Operands {
			all = append(all, operand(k)...)
		}
		return all
	case in.Is("get-tuple-element"):
		return member(in, operand(0))
	case in.Is("bitcast", "opt-barrier", "while", "add-dependency"):
		return operand(0)
	case strings.HasSuffix(in.Opcode, "-done"):
		return done(in, operand(0))
	}
	fresh := s.fresh(in, at)
	for k, from := range inPlace(in) {
		if x := operand(from); k < len(fresh) && len(x) == 1 {
			fresh[k].bytes = 0 // it shares the room
			fresh[k] = x[0]
		}
	}
	return fresh
}

// fresh makes arrays for a result.
func (s *span) fresh(in *hlo.Instruction, at int) []*array {
	var list []*array
	for _, shape := range in.Shape.Arrays() {
		x := &array{in: in, shape: shape, born: at, until: at, argument: in.Is("parameter")}
		if shape.Space == hlo.HBM && !in.Is("constant", "partition-id") {
			x.bytes = shape.Allocated()
		}
		s.arrays = append(s.arrays, x)
		list = append(list, x)
	}
	return list
}

// member picks one element's arrays out of a tuple's.
func member(in *hlo.Instruction, of []*array) []*array {
	if len(in.Operands) == 0 {
		return nil
	}
	shape := &in.Operands[0].Shape
	at := 0
	for k := range shape.Members {
		n := len(shape.Members[k].Arrays())
		if k == in.TupleIndex && at+n <= len(of) {
			return of[at : at+n]
		}
		at += n
	}
	return nil
}

// done picks what an asynchronous operation has made out of what was started: copies name it
// first, others after their operands.
func done(in *hlo.Instruction, started []*array) []*array {
	want := in.Shape.Arrays()
	if in.Is("copy-done") && len(started) > 0 {
		return started[:1]
	}
	for k := len(started) - len(want); k >= 0 && len(want) > 0; k-- {
		if started[k].shape.String() == want[0].String() {
			return started[k : k+len(want)]
		}
	}
	return nil
}

// inPlace says for each array of a result which operand's it is, -1 for none: updates write
// into what they update, starts pass their operands on.
func inPlace(in *hlo.Instruction) []int {
	switch {
	case in.Is("dynamic-update-slice"):
		return []int{0}
	case in.Is("copy-start"):
		return []int{-1, 0}
	case strings.HasSuffix(in.Opcode, "-start"):
		return []int{0}
	case !in.Is("fusion") || in.Body() == nil:
		return nil
	}
	root := in.Body().Root
	roots := []*hlo.Instruction{root}
	if root.Is("tuple") {
		roots = root.Operands
	}
	var from []int
	for _, r := range roots {
		from = append(from, updated(r))
	}
	return from
}

// updated is the parameter of a fusion that a result writes into, -1 if none.
func updated(r *hlo.Instruction) int {
	for r.Is("bitcast") && len(r.Operands) > 0 {
		r = r.Operands[0]
	}
	if !r.Is("dynamic-update-slice") || len(r.Operands) == 0 {
		return -1
	}
	for r = r.Operands[0]; r.Is("bitcast") && len(r.Operands) > 0; {
		r = r.Operands[0]
	}
	if r.Is("parameter") {
		return r.Parameter
	}
	return -1
}

// fullest finds the moment at which most is held.
func (a *allocation) fullest(s *span) *room {
	change := make([]float64, len(s.c.Instructions)+1)
	for _, x := range s.arrays {
		if !x.argument {
			change[x.born] += x.bytes
			change[x.until+1] -= x.bytes
		}
	}
	best, moment, held := -1.0, 0, 0.0
	for at, in := range s.c.Instructions {
		held += change[at]
		if total := held + a.within(in).bytes; total > best {
			best, moment = total, at
		}
	}
	r := &room{bytes: max(best, 0)}
	for _, x := range s.arrays {
		if !x.argument && x.bytes > 0 && x.born <= moment && moment <= x.until {
			r.arrays = append(r.arrays, x)
		}
	}
	if len(s.c.Instructions) > 0 {
		r.arrays = append(r.arrays, a.within(s.c.Instructions[moment]).arrays...)
	}
	return r
}

// within is what the bodies that an instruction runs hold; of several the largest.
func (a *allocation) within(in *hlo.Instruction) *room {
	most := &room{}
	if !in.Is("while", "conditional", "call") {
		return most
	}
	for _, c := range in.Called {
		r := a.rooms[c]
		if r == nil {
			r = a.fullest(follow(c, func(int) bool { return true })) // carries
			a.rooms[c] = r
		}
		if r.bytes > most.bytes {
			most = r
		}
	}
	return most
}

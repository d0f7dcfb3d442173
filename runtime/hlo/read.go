package hlo

import "slices"

// mostInstructions bounds a program; the largest that were seen have a hundredth of it.
const mostInstructions = 1 << 22

// Read reads an HloModuleProtoWithConfig or an HloModuleProto. The module keeps nothing of b.
// The error is an *Error.
func Read(b []byte) (*Module, error) {
	if inner, ok := withConfig(b); ok {
		b = inner
	}
	r := &reader{m: &Module{}, computations: map[int64]*Computation{}, order: map[int64][]int64{}, instructions: map[int64]*Instruction{}}
	if err := r.module(b); err != nil {
		return nil, err
	}
	return r.m, nil
}

// withConfig tells an HloModuleProtoWithConfig, whose first field is a module, from a module,
// whose first field is its name: only a module is long and begins with a name in turn.
func withConfig(b []byte) (module []byte, ok bool) {
	const name = 0x0a // field 1, bytes
	err := each("", b, func(f field) error {
		if f.num == 1 && len(f.data) > 2 && f.data[0] == name {
			module = f.data
		}
		return nil
	})
	inside := 0
	if err == nil && module != nil {
		err = each("", module, func(f field) error {
			if f.num == 3 {
				inside++
			}
			return nil
		})
	}
	return module, err == nil && inside > 0
}

// reader holds what ties the messages of a module together.
type reader struct {
	m            *Module
	computations map[int64]*Computation // by id
	order        map[int64][]int64      // the schedule: ids of instructions by a computation's id
	instructions map[int64]*Instruction // by id
	raw          []rawComputation
	frames       frames
	entry        int64
}

// rawComputation is a computation whose references are numbers still.
type rawComputation struct {
	*Computation
	id, root int64
	ids      []int64
	refs     []references
}

// references of an instruction.
type references struct{ operands, called []int64 }

func (r *reader) module(b []byte) error {
	const message = "HloModuleProto"
	var bodies [][]byte
	err := each(message, b, func(f field) (err error) {
		switch f.num {
		case 1:
			r.m.Name = string(f.data)
		case 3:
			bodies = append(bodies, f.data)
		case 6:
			r.entry = int64(f.n)
		case 7:
			err = r.schedule(f.data)
		case 8:
			err = r.aliases(f.data)
		case 15:
			err = r.devices(f.data)
		case 17:
			err = r.frames.read(f.data)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, body := range bodies {
		if err := r.computation(body); err != nil {
			return err
		}
	}
	return r.link()
}

// schedule reads an HloScheduleProto.
func (r *reader) schedule(b []byte) error {
	const message = "HloScheduleProto"
	return each(message, b, func(f field) error {
		var id int64
		var list []int64
		err := each(message, f.data, func(entry field) (err error) {
			if entry.num == 1 {
				id = int64(entry.n)
				return nil
			}
			lists, err := readInts(message, entry.data)
			list = lists[1]
			return err
		})
		r.order[id] = list
		return err
	})
}

// aliases reads an HloInputOutputAliasProto.
func (r *reader) aliases(b []byte) error {
	const message = "HloInputOutputAliasProto"
	return each(message, b, func(f field) error {
		if f.num != 1 {
			return nil
		}
		lists, err := readInts(message, f.data)
		if err != nil {
			return err
		}
		a := Alias{}
		if a.Output, err = smalls(message, "index", lists[1]); err != nil {
			return err
		}
		if len(lists[2]) > 0 {
			a.Parameter, err = small(message, "parameter", lists[2][0])
		}
		r.m.Aliases = append(r.m.Aliases, a)
		return err
	})
}

// devices reads a DeviceAssignmentProto of one replica.
func (r *reader) devices(b []byte) error {
	const message = "DeviceAssignmentProto"
	return each(message, b, func(f field) error {
		if f.num != 3 {
			return nil
		}
		lists, err := readInts(message, f.data)
		if err != nil || len(lists[1]) == 0 {
			return err
		}
		id, err := small(message, "device", lists[1][0])
		r.m.Devices = append(r.m.Devices, id)
		return err
	})
}

func (r *reader) computation(b []byte) error {
	const message = "HloComputationProto"
	c := rawComputation{Computation: &Computation{}}
	err := each(message, b, func(f field) error {
		switch f.num {
		case 1:
			c.Name = string(f.data)
		case 2:
			return r.instruction(&c, f.data)
		case 5:
			c.id = int64(f.n)
		case 6:
			c.root = int64(f.n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.computations[c.id] != nil {
		return bad(message, "two computations have the id %d", c.id)
	}
	r.computations[c.id] = c.Computation
	r.raw = append(r.raw, c)
	r.m.Computations = append(r.m.Computations, c.Computation)
	return nil
}

// link replaces numbers by what they stand for and puts instructions in the order in which they
// run. Operands must stand before their users and computations before their callers, so
// nothing that is read can go in circles.
func (r *reader) link() error {
	const message = "HloModuleProto"
	done := map[*Computation]bool{}
	for i := range r.raw {
		c := &r.raw[i]
		if err := r.linkBody(c, done); err != nil {
			return err
		}
		if err := c.arrange(r.order[c.id], r.instructions); err != nil {
			return err
		}
		done[c.Computation] = true
	}
	if r.m.Entry = r.computations[r.entry]; r.m.Entry == nil {
		return bad(message, "has no entry computation")
	}
	return nil
}

func (r *reader) linkBody(c *rawComputation, done map[*Computation]bool) error {
	const message = "HloComputationProto"
	local := map[int64]*Instruction{}
	for i, in := range c.Instructions {
		for _, id := range c.refs[i].operands {
			x := local[id]
			if x == nil {
				return bad(message, "%s: operand %d of %s is not defined before it", c.Name, id, in.Name)
			}
			in.Operands = append(in.Operands, x)
		}
		for _, id := range c.refs[i].called {
			x := r.computations[id]
			if x == nil || !done[x] {
				return bad(message, "%s: %s calls computation %d, which is not defined before it", c.Name, in.Name, id)
			}
			in.Called = append(in.Called, x)
		}
		local[c.ids[i]] = in
	}
	c.Root = local[c.root]
	if c.Root == nil {
		return bad(message, "%s has no root", c.Name)
	}
	return nil
}

// arrange puts a scheduled computation in the schedule's order; one without stays.
func (c *rawComputation) arrange(order []int64, by map[int64]*Instruction) error {
	if len(order) == 0 {
		return nil
	}
	const message = "HloScheduleProto"
	mine := map[*Instruction]bool{}
	for _, in := range c.Instructions {
		mine[in] = true
	}
	sorted := make([]*Instruction, 0, len(order))
	ran := map[*Instruction]bool{}
	for _, id := range order {
		in := by[id]
		if in == nil || !mine[in] || ran[in] {
			return bad(message, "%s: instruction %d is not there, or runs twice", c.Name, id)
		}
		if slices.ContainsFunc(in.Operands, func(x *Instruction) bool { return !ran[x] }) {
			return bad(message, "%s: %s runs before its operands", c.Name, in.Name)
		}
		ran[in] = true
		sorted = append(sorted, in)
	}
	if len(sorted) != len(c.Instructions) {
		return bad(message, "%s: %d of %d instructions run", c.Name, len(sorted), len(c.Instructions))
	}
	c.Instructions = sorted
	return nil
}

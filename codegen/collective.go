package codegen

import (
	"fmt"
	"slices"

	"vitc/ir"
)

// Collective computes a row of the IR's collectives on what the devices of the plan's mesh hold:
// all of them come to it, and each gives its operands and takes its result. With a ticket it is
// started only: steps go on beside it, and leave its buffers alone, until the Wait of its ticket.
type Collective struct {
	Row   string    `json:"row"` // all_gather, all_reduce, ...
	Over  []string  `json:"over"`
	Dim   int       `json:"dim,omitempty"`
	To    int       `json:"to,omitempty"`   // of all_to_all
	Step  int       `json:"step,omitempty"` // of block, put and permute
	Kind  string    `json:"kind,omitempty"` // of all_reduce
	In    []Operand `json:"in,omitempty"`
	Out   Operand   `json:"out"`
	Label string    `json:"label,omitempty"` // as Run has it
	// Ticket tells apart what is under way at once, from 1 on; 0: the step ends when the result is
	// there.
	Ticket int `json:"ticket,omitempty"`
}

// Wait waits for the collective that an earlier step of the same list has started with a ticket.
type Wait struct {
	Ticket int    `json:"ticket"`
	Label  string `json:"label,omitempty"`
}

// Operand is a dense tensor of a device.
type Operand struct {
	At   Addr    `json:"at"`
	Type ir.Type `json:"type"`
}

// NewCollective describes an op of a collective row, in one or its start; its operands and result are
// still to be given places.
func NewCollective(op *ir.Op) *Collective {
	c := &Collective{Row: op.Row.Whole().Name, Over: ir.Over(op.Attrs)}
	switch a := op.Attrs.(type) {
	case *ir.BlockAttrs:
		c.Dim, c.Step = a.Dim, a.Step
	case *ir.GatherAttrs:
		c.Dim = a.Dim
	case *ir.ReduceOverAttrs:
		c.Kind = a.Kind
	case *ir.ExchangeAttrs:
		c.Dim, c.To = a.Dim, a.To
	case *ir.PermuteAttrs:
		c.Step = a.Step
	}
	return c
}

// Op is the op that the collective stands for, nil if there is no such row.
func (c *Collective) Op() *ir.Op {
	row := ir.Lookup(c.Row)
	if row == nil || row.Class != ir.Collective || row.Whole() != row {
		return nil
	}
	op := &ir.Op{Row: row, Attrs: row.Attrs()}
	switch a := op.Attrs.(type) {
	case *ir.AxisAttrs:
		a.Over = c.Over
	case *ir.BlockAttrs:
		*a = ir.BlockAttrs{Dim: c.Dim, Over: c.Over, Step: c.Step}
	case *ir.GatherAttrs:
		*a = ir.GatherAttrs{Dim: c.Dim, Over: c.Over}
	case *ir.ReduceOverAttrs:
		*a = ir.ReduceOverAttrs{Over: c.Over, Kind: c.Kind}
	case *ir.ExchangeAttrs:
		*a = ir.ExchangeAttrs{Dim: c.Dim, To: c.To, Over: c.Over}
	case *ir.PermuteAttrs:
		*a = ir.PermuteAttrs{Over: c.Over, Step: c.Step}
	}
	for _, o := range c.In {
		op.In = append(op.In, &ir.Value{Type: o.Type})
	}
	op.Out = []*ir.Value{{Type: c.Out.Type, Def: op}}
	return op
}

// collective checks that the op is one that the mesh can do, and that its values lie where they say.
func (c *checker) collective(k *Collective) error {
	for _, o := range append([]Operand{k.Out}, k.In...) {
		n, err := typeBytes(o.Type)
		if err == nil && n != o.At.Bytes {
			err = fmt.Errorf("%d bytes for %s", o.At.Bytes, o.Type)
		}
		if err == nil {
			err = c.addr(o.At)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k.Row, err)
		}
	}
	op := k.Op()
	if op == nil {
		return fmt.Errorf("there is no collective %q", k.Row)
	}
	if len(op.In) != op.Row.In {
		return fmt.Errorf("%s of %d operands: expected %d", k.Row, len(op.In), op.Row.In)
	}
	if err := ir.CheckCollective(c.mesh, op); err != nil {
		return fmt.Errorf("%s: %w", k.Row, err)
	}
	return c.starts(k, op.Row)
}

// maxFlights bounds the tickets of collectives that are under way at once.
const maxFlights = 1 << 16

// starts checks the ticket of a collective.
func (c *checker) starts(k *Collective, row *ir.Row) error {
	switch {
	case k.Ticket == 0:
		return nil
	case k.Ticket < 0 || k.Ticket > maxFlights || slices.Contains(c.flights, k.Ticket):
		return fmt.Errorf("%s with ticket %d, which is no ticket, or under way", k.Row, k.Ticket)
	case row.Ends == nil:
		return fmt.Errorf("%s with ticket %d: it moves nothing", k.Row, k.Ticket)
	}
	c.flights = append(c.flights, k.Ticket)
	return nil
}

// wait checks that what is waited for was started in the same list of steps, the first of whose
// tickets is number from.
func (c *checker) wait(w *Wait, from int) error {
	i := slices.Index(c.flights[from:], w.Ticket)
	if i < 0 {
		return fmt.Errorf("waits for ticket %d, which no step before it has started", w.Ticket)
	}
	c.flights = slices.Delete(c.flights, from+i, from+i+1)
	return nil
}

// maxDevices bounds the devices of a mesh.
const maxDevices = 1 << 20

// checkMesh refuses axes without a name or a size, and those of one name.
func checkMesh(m ir.Mesh) error {
	devices := 1
	for i, a := range m {
		if a.Name == "" || a.Size < 1 || a.Size > maxDevices || m.Axis(a.Name) != i {
			return fmt.Errorf("a mesh axis %q of %d devices, or two of the name", a.Name, a.Size)
		}
		if devices *= a.Size; devices > maxDevices {
			return fmt.Errorf("a mesh of more than %d devices", maxDevices)
		}
	}
	return nil
}

// portBytes is the bytes of a device's part of an argument or result. Its sharding must fit the
// mesh, and the whole of it must be a tensor too.
func (c *checker) portBytes(t ir.Type) (int, error) {
	n, err := typeBytes(t)
	if err != nil {
		return 0, err
	}
	if s := t.Shard; s != nil && len(s.Dims) != 0 && len(s.Dims) != t.Rank() {
		return 0, fmt.Errorf("a sharding of %d dims for %d", len(s.Dims), t.Rank())
	}
	taken := map[string]bool{}
	for _, a := range t.Shard.Axes() {
		if c.mesh.Axis(a) < 0 || taken[a] {
			return 0, fmt.Errorf("cut along %q, which the mesh %s has not, or twice", a, c.mesh)
		}
		taken[a] = true
	}
	whole := t
	whole.Dims = append([]ir.Dim(nil), t.Dims...)
	for i, d := range t.Dims {
		whole.Dims[i].Size *= c.mesh.Size(t.Shard.Of(i)...)
		if d.Global < 0 || d.Global > whole.Dims[i].Size {
			return 0, fmt.Errorf("a dim of %d places, of which %d count", whole.Dims[i].Size, d.Global)
		}
	}
	_, err = typeBytes(whole)
	return n, err
}

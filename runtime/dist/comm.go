package dist

import (
	"context"
	"fmt"
	"slices"

	"vitc/ir"
)

// Comm is one device's side of a mesh whose devices are the ranks of a transport. It computes
// collectives on dense, row-major, little-endian buffers of local types: those of one ticket one at a
// time, and in the same order on every device of a group; those of several beside each other, in
// whatever order they come to their ends.
type Comm struct {
	mesh    ir.Mesh
	t       Transport
	scratch [][]byte // by ticket
}

// New makes the device's side of a mesh. The transport has a rank a device.
func New(mesh ir.Mesh, t Transport) (*Comm, error) {
	if n := mesh.Devices(); n != t.Size() {
		return nil, fmt.Errorf("a mesh of %d devices, and %d ranks", n, t.Size())
	}
	return &Comm{mesh: mesh, t: t}, nil
}

// Mesh is the mesh of devices.
func (c *Comm) Mesh() ir.Mesh { return c.mesh }

// Device is this device's number in the mesh, the transport's rank.
func (c *Comm) Device() int { return c.t.Rank() }

// Transport is what carries the messages.
func (c *Comm) Transport() Transport { return c.t }

// Spec is a collective at local types.
type Spec struct {
	Row   string    // of ir/collective.go: all_gather, all_reduce, ...
	Attrs any       // the row's, such as *ir.GatherAttrs
	In    []ir.Type // none for axis_index, two for put
	Out   ir.Type
	// Ticket tells apart what may be under way at once; 0 is for collectives that are run, not started.
	Ticket int
}

// SpecOf is the collective that an op of a partitioned function is, or starts.
func SpecOf(op *ir.Op) Spec {
	s := Spec{Row: op.Row.Whole().Name, Attrs: op.Attrs, Out: op.Out[0].Type.Landed()}
	for _, v := range op.In {
		s.In = append(s.In, v.Type)
	}
	return s
}

// Collective is a collective made ready for a device: its group and places are settled.
type Collective struct {
	comm    *Comm
	spec    Spec
	group   []int // devices, by place
	place   int   // this device's
	scratch int   // bytes
	run     func(k *Collective, ctx context.Context, in [][]byte, out []byte) error
	join    joiner
	from    blocks // of the operand
	to      blocks // of the result
}

// Prepare checks a collective and makes it ready; Run may be called often.
func (c *Comm) Prepare(s Spec) (*Collective, error) {
	row, ok := rows[s.Row]
	if !ok {
		return nil, fmt.Errorf("there is no collective %q", s.Row)
	}
	k := &Collective{comm: c, spec: s, run: row.run}
	over := ir.Over(s.Attrs)
	for _, axis := range over {
		if c.mesh.Axis(axis) < 0 {
			return nil, fmt.Errorf("%s over %s: the mesh %s has no such axis", s.Row, axis, c.mesh)
		}
	}
	if len(s.In) != row.in {
		return nil, fmt.Errorf("%s takes %d operands, not %d", s.Row, row.in, len(s.In))
	}
	k.group, k.place = c.mesh.Group(c.Device(), over), c.mesh.Place(c.Device(), over)
	if err := row.prepare(k); err != nil {
		return nil, err
	}
	for len(c.scratch) <= s.Ticket {
		c.scratch = append(c.scratch, nil)
	}
	if len(c.scratch[s.Ticket]) < k.scratch {
		c.scratch[s.Ticket] = make([]byte, k.scratch)
	}
	return k, nil
}

// Run computes the device's result from its operands. out is a buffer of its own, but the
// operand's own buffer may take the result of all_reduce, and put's first operand that of put.
// An error of the transport leaves the group's work undone; see Transport.
func (k *Collective) Run(ctx context.Context, in [][]byte, out []byte) error {
	if len(in) != len(k.spec.In) || len(out) != k.spec.Out.Bytes() {
		return fmt.Errorf("%s: %d operands and %d bytes for the result: expected %d, and %d", k.spec.Row, len(in), len(out), len(k.spec.In), k.spec.Out.Bytes())
	}
	for i, x := range in {
		if want := k.spec.In[i].Bytes(); len(x) != want {
			return fmt.Errorf("%s: operand %d has %d bytes: expected %d", k.spec.Row, i+1, len(x), want)
		}
	}
	return k.run(k, ctx, in, out)
}

// others lists the places of the group but this one, each device beginning with its neighbour, so
// that not all send to the same one at once.
func (k *Collective) others() []int {
	var list []int
	for i := 1; i < len(k.group); i++ {
		list = append(list, (k.place+i)%len(k.group))
	}
	return list
}

// message is data to a place of the group, or room for data from it.
func (k *Collective) message(place int, data []byte) Message {
	m := Message{Peer: k.group[place], Data: data}
	if k.spec.Ticket > 0 {
		m.Tag = Aside - 1 + k.spec.Ticket
	}
	return m
}

// exchange sends a block to each other device of the group and takes one from each; sends and
// recvs give the buffers by place.
func (k *Collective) exchange(ctx context.Context, send, recv func(place int) []byte) error {
	n := len(k.group) - 1
	sends, recvs := make([]Message, 0, n), make([]Message, 0, n)
	for _, p := range k.others() {
		sends = append(sends, k.message(p, send(p)))
		recvs = append(recvs, k.message(p, recv(p)))
	}
	slices.Reverse(recvs) // from the neighbour on the other side first
	return k.comm.t.Exchange(ctx, sends, recvs)
}

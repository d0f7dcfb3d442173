package disttest

import (
	"context"
	"fmt"
	"math/rand/v2"

	"vitc/ir/interp"
	"vitc/runtime/dist"
)

// CheckTogether starts collectives of one mesh, all of them, does one more meanwhile, and waits for
// them in an order that each device draws for itself; and so again. Every one gives the bits that the
// interpreter gives it. Every device of the mesh must do so at once.
func CheckTogether(ctx context.Context, t dist.Transport, list []Sample, seed uint64) error {
	c, err := dist.New(list[0].Mesh, t)
	if err != nil {
		return err
	}
	meanwhile, err := list[0].ready(c, 0)
	if err != nil {
		return err
	}
	all := make([]*trial, len(list))
	for i, s := range list {
		if all[i], err = s.ready(c, i+1); err != nil {
			return err
		}
	}
	rnd := rand.New(rand.NewPCG(seed, uint64(t.Rank())))
	for range 2 {
		flights := make([]*dist.Flight, len(all))
		for i, x := range all {
			clear(x.out)
			flights[i] = x.k.Start(ctx, x.in, x.out)
		}
		if err := meanwhile.run(ctx); err != nil {
			return err
		}
		for _, i := range rnd.Perm(len(all)) {
			if err := flights[i].Wait(); err != nil {
				return err
			}
			if err := all[i].check(t.Rank()); err != nil {
				return fmt.Errorf("beside others: %w", err)
			}
		}
	}
	return nil
}

// trial is a sample on one device.
type trial struct {
	Sample
	k    *dist.Collective
	in   [][]byte
	out  []byte
	want []byte
}

// ready prepares a sample on a device with a ticket.
func (s Sample) ready(c *dist.Comm, ticket int) (*trial, error) {
	want, err := interp.RunMesh(s.Mesh, s.f, s.args, interp.Options{})
	if err != nil {
		return nil, err
	}
	spec := dist.SpecOf(s.f.Body.Ops[0])
	spec.Ticket = ticket
	x := &trial{Sample: s, out: make([]byte, spec.Out.Bytes()), want: want[c.Device()][0].Bytes()}
	for _, a := range s.args[c.Device()] {
		x.in = append(x.in, a.Bytes())
	}
	x.k, err = c.Prepare(spec)
	return x, err
}

func (x *trial) run(ctx context.Context) error { return x.k.Run(ctx, x.in, x.out) }

func (x *trial) check(device int) error {
	if string(x.out) != string(x.want) {
		return fmt.Errorf("device %d of %s: %v, want %v\n%s", device, x.Mesh, x.out, x.want, x.text)
	}
	return nil
}

package interp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"vitc/ir"
)

// RunMesh evaluates a partitioned function on virtual devices, each in a goroutine of its own,
// and gives what each of them returns. args holds each device's arguments.
func RunMesh(m ir.Mesh, f *ir.Func, args [][]*Tensor, o Options) ([][]*Tensor, error) {
	n := m.Devices()
	h := newHub(m)
	p, err := Prepare(f, o)
	if err != nil {
		return nil, err
	}
	out, errs := make([][]*Tensor, n), make([]error, n)
	var wg sync.WaitGroup
	for d := range n {
		wg.Go(func() {
			ctx := context.WithValue(context.Background(), deviceKey{}, &device{hub: h, id: d, sent: map[*Tensor]flight{}})
			if out[d], errs[d] = p.Run(ctx, args[d]); errs[d] != nil {
				h.fail()
			}
		})
	}
	wg.Wait()
	for d, err := range errs {
		if err != nil && !errors.Is(err, errStopped) {
			return nil, fmt.Errorf("device %d: %w", d, err)
		}
	}
	return out, nil
}

type deviceKey struct{}

// device is one place of the mesh.
type device struct {
	hub   *hub
	id    int
	count int                // of rounds that it has come to
	sent  map[*Tensor]flight // what it has started, by the value under way
}

// flight is a transfer that was started: its operands, and the round in which the devices meet.
type flight struct {
	in    []*Tensor
	round int
}

// hub is where devices meet: in each round every device hands in a tensor, and takes those of its
// group, at once or later. All run the same program, so that they meet at the same op.
type hub struct {
	mesh    ir.Mesh
	mu      sync.Mutex
	met     *sync.Cond
	rounds  map[int]*round
	stopped bool
}

// round is what devices have handed in, and how many of them have done so and have taken theirs.
type round struct {
	in          []*Tensor
	given, took int
}

func newHub(m ir.Mesh) *hub {
	h := &hub{mesh: m, rounds: map[int]*round{}}
	h.met = sync.NewCond(&h.mu)
	return h
}

var errStopped = errors.New("another device has failed")

// fail lets every waiting device go.
func (h *hub) fail() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	h.met.Broadcast()
}

// give hands in the operands of the device's next round.
func (d *device) give(in []*Tensor) flight {
	x := &Tensor{}
	if len(in) > 0 {
		x = in[len(in)-1]
	}
	h, n := d.hub, d.count
	d.count++
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rounds[n]
	if r == nil {
		r = &round{in: make([]*Tensor, h.mesh.Devices())}
		h.rounds[n] = r
	}
	r.in[d.id] = x
	if r.given++; r.given == len(r.in) {
		h.met.Broadcast()
	}
	return flight{in, n}
}

// take waits until all have come to a round, and gives the tensors of the device's group, by place.
func (d *device) take(f flight, over []string) ([]*Tensor, error) {
	h := d.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rounds[f.round]
	for r.given < len(r.in) && !h.stopped {
		h.met.Wait()
	}
	if h.stopped {
		return nil, errStopped
	}
	var group []*Tensor
	for _, i := range h.mesh.Group(d.id, over) {
		group = append(group, r.in[i])
	}
	if r.took++; r.took == len(r.in) {
		delete(h.rounds, f.round)
	}
	return group, nil
}

// collective runs a row between devices: in one, or as what its start hands in and its done takes.
func collective(n numbers, op *ir.Op) (kernel, error) {
	start := op
	if op.Row.Awaits() {
		start = op.In[0].Def
	}
	over, f := ir.Over(start.Attrs), collectives[op.Row.Whole().Name]
	return func(ctx context.Context, in []*Tensor) ([]*Tensor, error) {
		d, ok := ctx.Value(deviceKey{}).(*device)
		if !ok {
			return nil, fmt.Errorf("runs on a mesh of devices only")
		}
		var sent flight
		switch {
		case op.Row.Starts():
			way := &Tensor{Type: op.Out[0].Type}
			d.sent[way] = d.give(in)
			return []*Tensor{way}, nil
		case op.Row.Awaits():
			sent = d.sent[in[0]]
			delete(d.sent, in[0])
		default:
			sent = d.give(in)
		}
		group, err := d.take(sent, over)
		if err != nil {
			return nil, err
		}
		out := New(op.Out[0].Type)
		f(n, start, sent.in, group, d.hub.mesh.Place(d.id, over), out)
		return []*Tensor{out}, nil
	}, nil
}

// collectives compute a device's result from its operands, those of its group, and its place.
var collectives = map[string]func(n numbers, op *ir.Op, in, group []*Tensor, place int, out *Tensor){
	"axis_index": func(_ numbers, _ *ir.Op, _, _ []*Tensor, place int, out *Tensor) { out.F[0] = float64(place) },
	"block": func(_ numbers, op *ir.Op, in, group []*Tensor, place int, out *Tensor) {
		a := op.Attrs.(*ir.BlockAttrs)
		cut(in[0], a.Dim, around(place+a.Step, len(group)), out)
	},
	"put": func(_ numbers, op *ir.Op, in, group []*Tensor, place int, out *Tensor) {
		a := op.Attrs.(*ir.BlockAttrs)
		copy(out.F, in[0].F)
		set(out, a.Dim, around(place+a.Step, len(group)), in[1])
	},
	"all_gather": func(_ numbers, op *ir.Op, _, group []*Tensor, _ int, out *Tensor) {
		for k, x := range group {
			set(out, op.Attrs.(*ir.GatherAttrs).Dim, k, x)
		}
	},
	"all_reduce": func(n numbers, op *ir.Op, _, group []*Tensor, _ int, out *Tensor) {
		copy(out.F, n.joinPairs(op.Attrs.(*ir.ReduceOverAttrs).Kind, group).F)
	},
	"reduce_scatter": func(n numbers, op *ir.Op, _, group []*Tensor, place int, out *Tensor) {
		cut(n.joinPairs("sum", group), op.Attrs.(*ir.GatherAttrs).Dim, place, out)
	},
	"all_to_all": func(_ numbers, op *ir.Op, _, group []*Tensor, place int, out *Tensor) {
		a := op.Attrs.(*ir.ExchangeAttrs)
		for k, x := range group {
			t := x.Type
			t.Dims = append([]ir.Dim(nil), t.Dims...)
			t.Dims[a.To].Size /= len(group)
			mine := New(t)
			cut(x, a.To, place, mine)
			set(out, a.Dim, k, mine)
		}
	},
	"permute": func(_ numbers, op *ir.Op, _, group []*Tensor, place int, out *Tensor) {
		copy(out.F, group[around(place-op.Attrs.(*ir.PermuteAttrs).Step, len(group))].F)
	},
}

func around(i, n int) int { return (i%n + n) % n }

// cut copies the k-th block of a dim of x; out has its size.
func cut(x *Tensor, dim, k int, out *Tensor) {
	outer, n, inner := along(x.Type, dim)
	run := out.Type.Dims[dim].Size * inner
	for i := range outer {
		copy(out.F[i*run:(i+1)*run], x.F[i*n*inner+k*run:])
	}
}

// set copies b to the k-th block of a dim of x.
func set(x *Tensor, dim, k int, b *Tensor) {
	outer, n, inner := along(x.Type, dim)
	run := b.Type.Dims[dim].Size * inner
	for i := range outer {
		copy(x.F[i*n*inner+k*run:], b.F[i*run:(i+1)*run])
	}
}

// joinPairs joins neighbours, then pairs of neighbours, and so on, rounding each time.
func (n numbers) joinPairs(kind string, group []*Tensor) *Tensor {
	for len(group) > 1 {
		var next []*Tensor
		for i := 0; i < len(group); i += 2 {
			if i+1 == len(group) {
				next = append(next, group[i])
				break
			}
			next = append(next, n.joinTwo(kind, group[i], group[i+1]))
		}
		group = next
	}
	return group[0]
}

func (n numbers) joinTwo(kind string, x, y *Tensor) *Tensor {
	out := New(x.Type)
	for i, a := range x.F {
		switch b := y.F[i]; {
		case kind == "max":
			out.F[i] = math.Max(a, b)
		case kind == "min":
			out.F[i] = math.Min(a, b)
		case x.Type.DType.Float():
			out.F[i] = a + b
		default:
			out.F[i] = x.Type.DType.Wrap(int64(a) + int64(b))
		}
	}
	n.settle(x.Type.DType, x.Type.DType, out.F)
	return out
}

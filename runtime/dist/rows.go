package dist

import (
	"context"
	"fmt"
	"slices"

	"vitc/ir"
)

// row is how a collective row is computed.
type row struct {
	in      int
	prepare func(k *Collective) error
	run     func(k *Collective, ctx context.Context, in [][]byte, out []byte) error
}

// rows has every collective row of the IR.
var rows = map[string]row{
	"axis_index":     {0, (*Collective).prepareIndex, (*Collective).axisIndex},
	"block":          {1, (*Collective).prepareBlock, (*Collective).block},
	"put":            {2, (*Collective).prepareBlock, (*Collective).put},
	"all_gather":     {1, (*Collective).prepareGather, (*Collective).allGather},
	"reduce_scatter": {1, (*Collective).prepareScatter, (*Collective).reduceScatter},
	"all_reduce":     {1, (*Collective).prepareReduce, (*Collective).allReduce},
	"all_to_all":     {1, (*Collective).prepareAllToAll, (*Collective).allToAll},
	"permute":        {1, (*Collective).preparePermute, (*Collective).permute},
}

// attrs reads a collective's attributes as its row has them.
func attrs[A any](k *Collective) (A, error) {
	a, ok := k.spec.Attrs.(A)
	if !ok {
		return a, fmt.Errorf("%s has attributes %T", k.spec.Row, k.spec.Attrs)
	}
	return a, nil
}

// divided checks that a type has a dim that is n equal blocks of another type's, of the same size
// elsewhere, and gives the blocks of it.
func (k *Collective) divided(whole, block ir.Type, dim int) (blocks, error) {
	n := len(k.group)
	fits := whole.DType == block.DType && whole.Rank() == block.Rank() && dim >= 0 && dim < whole.Rank()
	for i := 0; fits && i < whole.Rank(); i++ {
		size := block.Dims[i].Size
		if i == dim {
			size *= n
		}
		fits = whole.Dims[i].Size == size
	}
	if !fits {
		return blocks{}, fmt.Errorf("%s over %d devices: %s is no block of %s along dim %d", k.spec.Row, n, block, whole, dim)
	}
	return along(whole, dim, n), nil
}

// same checks that the result is of the operand's size.
func (k *Collective) same() error {
	if in := k.spec.In[0]; !in.Same(k.spec.Out) {
		return fmt.Errorf("%s of %s gives no %s", k.spec.Row, in, k.spec.Out)
	}
	return nil
}

func around(i, n int) int { return (i%n + n) % n }

func (k *Collective) prepareIndex() error {
	if k.spec.Out.DType != ir.I32 || k.spec.Out.Rank() != 0 {
		return fmt.Errorf("axis_index gives i32[], not %s", k.spec.Out)
	}
	_, err := attrs[*ir.AxisAttrs](k)
	return err
}

func (k *Collective) axisIndex(_ context.Context, _ [][]byte, out []byte) error {
	le.PutUint32(out, uint32(k.place))
	return nil
}

// prepareBlock serves block and put, which move nothing between devices.
func (k *Collective) prepareBlock() error {
	a, err := attrs[*ir.BlockAttrs](k)
	if err != nil {
		return err
	}
	block := k.spec.Out
	if k.spec.Row == "put" {
		block = k.spec.In[1]
		if err := k.same(); err != nil {
			return err
		}
	}
	k.from, err = k.divided(k.spec.In[0], block, a.Dim)
	k.place = around(k.place+a.Step, len(k.group))
	return err
}

func (k *Collective) block(_ context.Context, in [][]byte, out []byte) error {
	k.from.cut(in[0], k.place, out)
	return nil
}

func (k *Collective) put(_ context.Context, in [][]byte, out []byte) error {
	copy(out, in[0])
	k.from.set(out, k.place, in[1])
	return nil
}

func (k *Collective) preparePermute() error {
	if err := k.same(); err != nil {
		return err
	}
	_, err := attrs[*ir.PermuteAttrs](k)
	return err
}

func (k *Collective) permute(ctx context.Context, in [][]byte, out []byte) error {
	step, n := k.spec.Attrs.(*ir.PermuteAttrs).Step, len(k.group)
	if around(step, n) == 0 {
		copy(out, in[0])
		return nil
	}
	to, from := k.message(around(k.place+step, n), in[0]), k.message(around(k.place-step, n), out)
	return k.comm.t.Exchange(ctx, []Message{to}, []Message{from})
}

func (k *Collective) prepareGather() error {
	a, err := attrs[*ir.GatherAttrs](k)
	if err != nil {
		return err
	}
	k.to, err = k.divided(k.spec.Out, k.spec.In[0], a.Dim)
	if !k.to.together() {
		k.scratch = len(k.group) * k.to.bytes()
	}
	return err
}

// allGather takes blocks straight to where they belong, or, where their bytes stand apart there,
// by way of scratch.
func (k *Collective) allGather(ctx context.Context, in [][]byte, out []byte) error {
	room := func(p int) []byte { return k.to.view(out, p) }
	if !k.to.together() {
		room = k.room(k.to.bytes())
	}
	if err := k.exchange(ctx, func(int) []byte { return in[0] }, room); err != nil {
		return err
	}
	k.to.set(out, k.place, in[0])
	if !k.to.together() {
		for _, p := range k.others() {
			k.to.set(out, p, room(p))
		}
	}
	return nil
}

// room is scratch for a block of some bytes of every place.
func (k *Collective) room(bytes int) func(place int) []byte {
	scratch := k.comm.scratch[k.spec.Ticket]
	return func(p int) []byte { return scratch[p*bytes : (p+1)*bytes : (p+1)*bytes] }
}

// packed gives the blocks of x by place, copied to scratch from a place on where their bytes stand
// apart.
func (k *Collective) packed(x []byte, at int) func(place int) []byte {
	if k.from.together() {
		return func(p int) []byte { return k.from.view(x, p) }
	}
	room := k.room(k.from.bytes())
	for _, p := range k.others() {
		k.from.cut(x, p, room(at+p))
	}
	return func(p int) []byte { return room(at + p) }
}

func (k *Collective) prepareScatter() error {
	a, err := attrs[*ir.GatherAttrs](k)
	if err != nil {
		return err
	}
	k.from, err = k.divided(k.spec.In[0], k.spec.Out, a.Dim)
	k.join = joinerOf("sum", k.spec.Out.DType)
	k.scratch = 2 * len(k.group) * k.from.bytes()
	return err
}

// reduceScatter sends every device the block that is to be its own, and joins those that come.
func (k *Collective) reduceScatter(ctx context.Context, in [][]byte, out []byte) error {
	room := k.room(k.from.bytes())
	if err := k.exchange(ctx, k.packed(in[0], len(k.group)), room); err != nil {
		return err
	}
	k.from.cut(in[0], k.place, room(k.place))
	copy(out, k.joined(room))
	return nil
}

// joined joins the values of all places, in the order of the places.
func (k *Collective) joined(room func(place int) []byte) []byte {
	list := make([][]byte, len(k.group))
	for p := range list {
		list[p] = room(p)
	}
	joinPairs(k.join, list)
	return list[0]
}

func (k *Collective) prepareReduce() error {
	a, err := attrs[*ir.ReduceOverAttrs](k)
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"sum", "max", "min"}, a.Kind) {
		return fmt.Errorf("all_reduce has no kind %q", a.Kind)
	}
	k.join = joinerOf(a.Kind, k.spec.Out.DType)
	k.scratch = len(k.group) * k.longest()
	if k.spec.Out.Bytes() <= direct {
		k.scratch = len(k.group) * k.spec.Out.Bytes()
	}
	return k.same()
}

// direct is how many bytes all devices send to all, rather than each a part to each: two rounds of
// messages cost more than these bytes.
const direct = 4096

// longest is the size of the largest part that a device joins of an all_reduce.
func (k *Collective) longest() int {
	n := len(k.group)
	return (k.spec.Out.Size() + n - 1) / n * k.spec.Out.DType.Bytes()
}

// part is the bytes of an all_reduce that a device joins.
func (k *Collective) part(x []byte, place int) []byte {
	from := min(place*k.longest(), len(x))
	return x[from:min(from+k.longest(), len(x))]
}

// allReduce gives every device a part to join, and gathers the parts. Which device joins an
// element changes no bit of it.
func (k *Collective) allReduce(ctx context.Context, in [][]byte, out []byte) error {
	if len(out) <= direct {
		return k.allReduceDirect(ctx, in[0], out)
	}
	mine := len(k.part(out, k.place))
	room := k.room(mine)
	if err := k.exchange(ctx, func(p int) []byte { return k.part(in[0], p) }, room); err != nil {
		return err
	}
	copy(room(k.place), k.part(in[0], k.place))
	copy(k.part(out, k.place), k.joined(room))
	return k.exchange(ctx, func(int) []byte { return k.part(out, k.place) }, func(p int) []byte { return k.part(out, p) })
}

func (k *Collective) allReduceDirect(ctx context.Context, x, out []byte) error {
	room := k.room(len(x))
	if err := k.exchange(ctx, func(int) []byte { return x }, room); err != nil {
		return err
	}
	copy(room(k.place), x)
	copy(out, k.joined(room))
	return nil
}

func (k *Collective) prepareAllToAll() error {
	a, err := attrs[*ir.ExchangeAttrs](k)
	if err != nil {
		return err
	}
	in, out := k.spec.In[0], k.spec.Out
	if a.Dim == a.To || min(a.Dim, a.To) < 0 || max(a.Dim, a.To) >= in.Rank() {
		return fmt.Errorf("all_to_all from dim %d to %d of %s", a.Dim, a.To, in)
	}
	block := in
	block.Dims = slices.Clone(in.Dims)
	block.Dims[a.To].Size /= len(k.group)
	if k.from, err = k.divided(in, block, a.To); err != nil {
		return err
	}
	k.to, err = k.divided(out, block, a.Dim)
	k.scratch = 2 * len(k.group) * k.from.bytes()
	return err
}

func (k *Collective) allToAll(ctx context.Context, in [][]byte, out []byte) error {
	room := k.room(k.to.bytes())
	if k.to.together() {
		room = func(p int) []byte { return k.to.view(out, p) }
	}
	if err := k.exchange(ctx, k.packed(in[0], len(k.group)), room); err != nil {
		return err
	}
	k.from.cut(in[0], k.place, room(k.place))
	if !k.to.together() {
		for p := range k.group {
			k.to.set(out, p, room(p))
		}
	}
	return nil
}

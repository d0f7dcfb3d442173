package stablehlo

import (
	"fmt"
	"math"
	"strings"

	"vitc/ir"
	"vitc/ir/threefry"
)

func positions(e *emitter, op *ir.Op) []value {
	return []value{e.iota(typeOf(op.Out[0].Type), op.Attrs.(*ir.IotaAttrs).Dim)}
}

// rngBits enciphers each position's counter under the key. The cipher is a function for each
// shape: it has a hundred ops. A barrier keeps XLA from making draws and the keys they come from
// one kernel: its CPU compiler then repeats the ops of each for every reader of it, and takes
// minutes for the start of a network.
func rngBits(e *emitter, op *ir.Op) []value {
	key, at := e.of(op.In[0]), e.of(op.In[1])
	t := typeOf(op.Out[0].Type)
	strides := op.Attrs.(*ir.RngAttrs).Strides
	word := func(i int) value { return e.spread(e.reshape(e.cut(key, 0, i, i+1, 1), nil), t.shape) }
	lo, hi := e.counter(t.shape, strides)
	if from := ir.Drawn(op); len(from) > 0 {
		lo, hi = e.advance(lo, hi, e.begin(e.all(from), strides))
	}
	hi = e.binary("add", hi, e.spread(at, t.shape))
	name := "threefry_" + strings.Trim(strings.ReplaceAll(fmt.Sprint(t.shape), " ", "x"), "[]")
	drawn := e.function(name, t, []value{word(0), word(1), lo, hi}, (*emitter).threefry)
	return []value{e.op(t, "stablehlo.optimization_barrier %s : %s", drawn.id, t)}
}

// counter is each position's number, the sum of index times stride over the dims, as two words.
func (e *emitter) counter(shape, strides []int) (lo, hi value) {
	last := 0
	for i, n := range shape {
		last += (n - 1) * strides[i]
	}
	t := tensor{shape, u32}
	if last <= math.MaxUint32 {
		return e.positions(t, strides), e.constant(t, 0)
	}
	return e.words(e.positions(t.as(u64), strides))
}

// words are the low and the high half of 64 bits.
func (e *emitter) words(p value) (lo, hi value) {
	return e.convert(p, u32), e.convert(e.binary("shift_right_logical", p, e.constant(p.tensor, 32)), u32)
}

// begin is the number of the position at which a draw begins, u64.
func (e *emitter) begin(from []value, strides []int) value {
	sum := e.constant(tensor{nil, u64}, 0)
	for i, v := range from {
		sum = e.binary("add", sum, e.binary("multiply", e.convert(v, u64), e.constant(sum.tensor, float64(strides[i]))))
	}
	return sum
}

// advance adds a number to two words; a low word that has become less carries.
func (e *emitter) advance(lo, hi, by value) (value, value) {
	low, high := e.words(by)
	sum := e.binary("add", lo, e.spread(low, lo.shape))
	carry := e.convert(e.compare("LT", sum, lo), u32)
	return sum, e.binary("add", e.binary("add", hi, e.spread(high, hi.shape)), carry)
}

// positions sums index times stride in the type's arithmetic.
func (e *emitter) positions(t tensor, strides []int) value {
	sum := value{}
	for dim, stride := range strides {
		if stride == 0 || t.shape[dim] == 1 {
			continue
		}
		p := e.iota(t, dim)
		if stride != 1 {
			p = e.binary("multiply", p, e.constant(t, float64(stride)))
		}
		if sum.id != "" {
			p = e.binary("add", sum, p)
		}
		sum = p
	}
	if sum.id == "" {
		return e.constant(t, 0)
	}
	return sum
}

// threefry is the first word of threefry.Block for keys x[0], x[1] and counters x[2], x[3].
func (e *emitter) threefry(x []value) value {
	add := func(a, b value) value { return e.binary("add", a, b) }
	number := func(n int) value { return e.constant(x[0].tensor, float64(n)) }
	mixed := e.binary("xor", e.binary("xor", x[0], x[1]), number(threefry.Parity))
	schedule := []value{x[0], x[1], mixed}
	a, b := add(x[2], x[0]), add(x[3], x[1])
	for group := range threefry.Groups {
		for round := range 4 {
			a = add(a, b)
			by := threefry.Rotations[(4*group+round)%8]
			left, right := e.binary("shift_left", b, number(by)), e.binary("shift_right_logical", b, number(32-by))
			b = e.binary("xor", e.binary("or", left, right), a)
		}
		a = add(a, schedule[(group+1)%3])
		b = add(add(b, schedule[(group+2)%3]), number(group+1))
	}
	return a
}

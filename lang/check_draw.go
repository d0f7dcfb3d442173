package lang

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// Randomness. The key of a draw is folded from the seed, the step, a hash of the instance's
// path and the chain of calls in it, and the turns of the loops around; the counter is the
// row-major position with the axes sorted by name. Nothing is consumed.

// ordinal numbers a call among the calls of the same callee in its function's body.
func (c *checker) ordinal(fn *Fn, call Expr) int {
	if fn != nil && !c.counted[fn] {
		c.counted[fn] = true
		seen := map[string]int{}
		for _, s := range fn.Body {
			walkStatement(s, func(e Expr) {
				if call, ok := e.(*Call); ok {
					text := calleeText(call.Fn)
					c.numbers[call] = seen[text]
					seen[text]++
				}
			})
		}
	}
	if x, ok := call.(*Call); ok {
		return c.numbers[x]
	}
	return 0
}

// calleeText spells a callee, as in nn.dropout.
func calleeText(e Expr) string {
	switch e := e.(type) {
	case *Name:
		return e.Name
	case *Field:
		return calleeText(e.X) + "." + e.Name.Name
	}
	return "?"
}

// callChainOf is the chain of calls within a function called from here. It begins anew in
// each instance, but for calls of one instance that are not the first in their body.
func (f *frame) callChainOf(fn *function, e Expr) string {
	text := fn.name
	if call, ok := e.(*Call); ok {
		text = calleeText(call.Fn)
	}
	n := f.c.ordinal(f.currentFn(), e)
	if fn.inst == nil || fn.inst == f.inst {
		return fmt.Sprintf("%s/%s.%d", f.chain, text, n)
	}
	own := ""
	if fn.decl.Name != nil {
		own = "/" + fn.decl.Name.Name
	}
	if n > 0 {
		return fmt.Sprintf("%s%s/%s.%d|%s", f.instancePath(), f.chain, text, n, own)
	}
	return own
}

func (f *frame) currentFn() *Fn {
	if f.site == nil || f.site.fn == nil {
		return nil
	}
	return f.site.fn.decl
}

// fold derives a key: both words of the stream under the old one, at a place.
func fold(b *ir.Builder, key, data *ir.Value) *ir.Value {
	return b.RngBits(key, data, []ir.Dim{{Label: "word", Size: 2}}, []int{1})
}

// drawKey is the key of one draw, nil where nothing can be drawn.
func (f *frame) drawKey(e *Call) *ir.Value {
	fs := f.s.fn
	if fs.key == nil {
		f.report(&diag.Diagnostic{Code: codeOutside, Pos: e.At, Msg: "nothing can be drawn here", Fix: "nn.constant, nn.zeros or nn.ones"})
		return nil
	}
	site := fmt.Sprintf("%s|%s|%s/%s.%d", fs.prefix, f.instancePath(), f.chain, calleeText(e.Fn), f.c.ordinal(f.currentFn(), e))
	key := fs.sites[site]
	if key == nil {
		root := &fs.root.b
		root.Pos = f.loc(e.At)
		h := fnv.New64a()
		h.Write([]byte(site))
		sum := h.Sum64()
		key = fold(root, fs.base(), ir.Literal(ir.U32, float64(uint32(sum>>32))))
		key = fold(root, key, ir.Literal(ir.U32, float64(uint32(sum))))
		fs.sites[site] = key
	}
	for _, l := range f.s.loops() {
		i := f.s.turn(l)
		b := f.build(e.At)
		key = fold(b, key, b.Cast(i, ir.U32))
	}
	return key
}

// loops are the loops around, outermost first.
func (s *scope) loops() []*loop {
	var out []*loop
	for t := s; t.parent != nil; t = t.parent {
		out = append(out, t.loop)
	}
	slices.Reverse(out)
	return out
}

// counterStrides gives each axis its stride in the counter: row-major, axes sorted by name,
// hidden axes beyond them.
func counterStrides(l axes) []int {
	order := make([]int, len(l))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := l[i], l[j]
		switch {
		case a.hidden != b.hidden && (a.hidden == 0 || b.hidden == 0):
			return b.hidden - a.hidden // hidden axes are the slowest
		case a.hidden != b.hidden:
			return a.hidden - b.hidden
		}
		return cmp.Compare(a.name, b.name)
	})
	strides := make([]int, len(l))
	n := 1
	for k := len(order) - 1; k >= 0; k-- {
		strides[order[k]] = n
		n *= l[order[k]].size
	}
	return strides
}

// bits draws 24 random bits at each position, as u32; stream tells draws under one key apart.
func (f *frame) bits(key *ir.Value, l axes, stream int, at diag.Pos) *ir.Value {
	b := f.build(at)
	word := b.RngBits(key, ir.Literal(ir.U32, float64(stream)), l.dims(), counterStrides(l))
	return b.Binary("shr", word, ir.Literal(ir.U32, 8))
}

// uniform draws from [0, 1): multiples of 2^-24.
func (f *frame) uniform(key *ir.Value, l axes, stream int, at diag.Pos) *ir.Value {
	bits := f.bits(key, l, stream, at)
	b := f.build(at)
	return b.MulC(b.Cast(bits, ir.F32), 0x1p-24)
}

// normal draws by Box and Muller's method from two streams: sqrt(-2 ln(1 - u)) cos(2 pi v).
func (f *frame) normal(key *ir.Value, l axes, stream int, at diag.Pos) *ir.Value {
	u := f.uniform(key, l, stream, at)
	v := f.uniform(key, l, stream+1, at)
	b := f.build(at)
	radius := b.Unary("sqrt", b.MulC(b.Unary("log", b.Sub(b.Num(u, 1), u)), -2))
	return b.Mul(radius, b.Unary("cos", b.MulC(v, twoPi)))
}

const twoPi = 2 * math.Pi

// betaCandidates is how many candidates a gamma draw chooses from. Each is accepted with a
// probability above 0.95, so that none is, and the distribution is off, once in 10^10.
const betaCandidates = 8

// logGamma draws the logarithm of a gamma variate of shape a (rank 0) by the method of
// Marsaglia and Tsang (2000) for a + 1, boosted by u^(1/a). The first candidate accepted is
// taken; a fixed number of them keeps the program free of loops that depend on data.
func (f *frame) logGamma(key, a *ir.Value, stream int, at diag.Pos) *ir.Value {
	l := axes{{name: "candidate", size: betaCandidates}}
	x := f.normal(key, l, stream, at)
	u := f.uniform(key, l, stream+2, at)
	boost := f.uniform(key, nil, stream+3, at)
	b := f.build(at)
	d := b.AddC(a, 2.0/3)
	c := b.Unary("rsqrt", b.MulC(d, 9))
	base := b.AddC(b.Mul(x, c), 1)
	positive := b.Compare("gt", base, b.Num(base, 0))
	base = b.Select(positive, base, b.Num(base, 1))
	v := b.Mul(base, b.Mul(base, base))
	logV := b.Unary("log", v)
	// accepted where ln(1-u) < x²/2 + d - d v + d ln v
	bound := b.Add(b.MulC(b.Mul(x, x), 0.5), b.Mul(d, b.Add(b.Sub(b.Num(v, 1), v), logV)))
	accepted := b.Binary("and", positive, b.Compare("lt", b.Unary("log", b.Sub(b.Num(u, 1), u)), bound))
	index := b.Cast(b.Iota(ir.T(ir.I32, l.dims()...), 0), ir.F32)
	first := b.ReduceTo("min", b.Select(accepted, index, b.Num(index, betaCandidates-1)), rule(nil, l), nil)
	chosen := b.Select(b.Compare("eq", index, first), logV, b.Num(logV, 0))
	gamma := b.Add(b.Unary("log", d), b.ReduceTo("sum", chosen, rule(nil, l), nil))
	return b.Add(gamma, b.Div(b.Unary("log", b.Sub(b.Num(boost, 1), boost)), a))
}

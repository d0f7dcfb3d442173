package irtest

import (
	"math"

	"pgregory.net/rapid"

	"vitc/ir"
)

// gen builds one region. Every value has a bound on its magnitude, which decides what may be
// done to it: exp of a large value, say, is tamed first.
type gen struct {
	t     *rapid.T
	c     Config
	b     *ir.Builder
	pool  []val
	key   *ir.Value // u32[2]
	ids   *ir.Value // i32[3]
	depth int       // of scans around
}

// val is a float value and a bound of its magnitude.
type val struct {
	v   *ir.Value
	mag float64
}

// GoString is what rapid shows of a drawn value.
func (x val) GoString() string { return x.v.Type.String() }

func (g *gen) count(what string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(g.t, what) }

func (g *gen) flip(what string) bool { return rapid.Bool().Draw(g.t, what) }

func (g *gen) put(v *ir.Value, mag float64) val {
	x := val{v, mag}
	g.pool = append(g.pool, x)
	return x
}

func (g *gen) pick() val { return rapid.SampledFrom(g.pool).Draw(g.t, "value") }

// pickWhere picks a value with a property; every region has some value of rank 1 or more, but
// perhaps none with this property.
func (g *gen) pickWhere(ok func(*ir.Value) bool) (val, bool) {
	var some []val
	for _, x := range g.pool {
		if ok(x.v) {
			some = append(some, x)
		}
	}
	if len(some) == 0 {
		return val{}, false
	}
	return rapid.SampledFrom(some).Draw(g.t, "value"), true
}

func ranked(v *ir.Value) bool { return v.Type.Rank() > 0 }

// shape draws a type of rank up to 3.
func (g *gen) shape() ir.Type {
	t := ir.Type{DType: g.c.DType}
	for range g.count("rank", 0, 3) {
		if d := g.dim(); t.Size()*d.Size <= maxSize {
			t.Dims = append(t.Dims, d)
		}
	}
	return t
}

func (g *gen) dim() ir.Dim {
	return ir.Dim{Label: rapid.SampledFrom([]string{"batch", "width", "token"}).Draw(g.t, "label"),
		Size: rapid.SampledFrom(g.c.Sizes).Draw(g.t, "size")}
}

// tame brings a value's magnitude under a bound.
func (g *gen) tame(x val, bound float64) val {
	switch {
	case x.mag <= bound:
		return x
	case bound >= 1 && g.flip("tanh"):
		return val{g.b.Unary("tanh", x.v), 1}
	}
	return val{g.b.MulC(x.v, bound/x.mag), bound}
}

// kind is one way to extend a program.
type kind struct {
	name string
	add  func(*gen)
}

// GoString is what rapid shows of a drawn kind.
func (k kind) GoString() string { return k.name }

// The kinds; those that stand twice are drawn twice as often.
var (
	smoothKinds = []kind{{"unary", (*gen).unary}, {"unary", (*gen).unary}, {"binary", (*gen).binary}, {"binary", (*gen).binary},
		{"positive", (*gen).positive}, {"broadcast", (*gen).broadcast}, {"permute", (*gen).permute}, {"split", (*gen).split},
		{"merge", (*gen).merge}, {"sum", (*gen).sum}, {"dot", (*gen).dot}, {"dot", (*gen).dot}, {"move", (*gen).move},
		{"windows", (*gen).windows}, {"concat", (*gen).concat}, {"gather", (*gen).gather}, {"scatter", (*gen).scatter}, {"noise", (*gen).noise},
		{"position", (*gen).position}}
	kinkKinds = []kind{{"kink", (*gen).kink}, {"choose", (*gen).choose}, {"extreme", (*gen).extreme}, {"argmax", (*gen).argmax}}
)

// op adds one random op, or a few that belong together.
func (g *gen) op() {
	kinds := append([]kind(nil), smoothKinds...)
	if g.c.Kinks {
		kinds = append(kinds, kinkKinds...)
	}
	if !g.c.NoScans && g.depth < 2 {
		kinds = append(kinds, kind{"scan", (*gen).scan}, kind{"scan", (*gen).scan})
	}
	rapid.SampledFrom(kinds).Draw(g.t, "kind").add(g)
	if last := len(g.pool) - 1; g.pool[last].mag > 8 {
		g.pool[last] = g.tame(g.pool[last], 1)
	}
}

// unaries give the bound of the result for one of the operand, which is at most 2.
var unaries = map[string]func(mag float64) float64{
	"neg":      func(m float64) float64 { return m },
	"exp":      math.Exp,
	"tanh":     math.Tanh,
	"erf":      math.Erf,
	"logistic": func(float64) float64 { return 1 },
	"sin":      func(float64) float64 { return 1 },
	"cos":      func(float64) float64 { return 1 },
}

var unaryNames = []string{"neg", "exp", "tanh", "erf", "logistic", "sin", "cos"}

func (g *gen) unary() {
	x := g.tame(g.pick(), 2)
	name := rapid.SampledFrom(unaryNames).Draw(g.t, "unary")
	g.put(g.b.Unary(name, x.v), unaries[name](x.mag))
}

// positive takes log, sqrt, rsqrt, pow or a quotient of x²+1/2. Of the exponents, those that
// simplify to products and roots round as these do.
func (g *gen) positive() {
	x := g.tame(g.pick(), 2)
	p := g.b.AddC(g.b.Mul(x.v, x.v), 0.5) // 0.5 to 4.5
	switch name := rapid.SampledFrom([]string{"log", "log1p", "sqrt", "rsqrt", "pow", "div"}).Draw(g.t, "positive"); name {
	case "pow":
		e := rapid.SampledFrom([]float64{2, 0.5, -0.5, 1, -1, 1.5}).Draw(g.t, "exponent")
		g.put(g.b.Binary("pow", p, g.b.Num(p, e)), 21)
	case "div":
		y := g.mate(x)
		g.put(g.b.Div(y.v, p), 2*y.mag)
	default:
		g.put(g.b.Unary(name, p), 2.2)
	}
}

// mate picks an operand that joins x: of its shape, of rank 0, or a literal.
func (g *gen) mate(x val) val {
	if g.flip("literal") {
		c := rapid.SampledFrom([]float64{0, 1, -1, 0.5, 2, -0.75}).Draw(g.t, "number")
		return val{ir.Literal(x.v.Type.DType, c), math.Abs(c)}
	}
	y, _ := g.pickWhere(func(v *ir.Value) bool { return v.Type.SameShape(x.v.Type) || !ranked(v) })
	return y
}

func (g *gen) binary() {
	x := g.pick()
	y := g.mate(x)
	name := rapid.SampledFrom([]string{"add", "sub", "mul"}).Draw(g.t, "binary")
	mag := x.mag + y.mag
	if name == "mul" {
		mag = x.mag * y.mag
	}
	if g.flip("swap") {
		x, y = y, x
	}
	g.put(g.b.Binary(name, x.v, y.v), mag)
}

// kink: functions with corners and jumps.
func (g *gen) kink() {
	x := g.pick()
	switch name := rapid.SampledFrom([]string{"abs", "sign", "floor", "max", "min", "rem"}).Draw(g.t, "kink"); name {
	case "max", "min":
		y := g.mate(x)
		g.put(g.b.Binary(name, x.v, y.v), max(x.mag, y.mag))
	case "rem":
		g.put(g.b.Binary(name, x.v, g.b.Num(x.v, 0.75)), 0.75)
	default:
		g.put(g.b.Unary(name, x.v), x.mag+1)
	}
}

// choose selects between two values by a comparison.
func (g *gen) choose() {
	x := g.pick()
	y, z := g.mate(x), g.mate(x)
	dir := rapid.SampledFrom([]string{"eq", "ne", "lt", "le", "gt", "ge"}).Draw(g.t, "dir")
	g.put(g.b.Select(g.b.Compare(dir, x.v, y.v), x.v, z.v), max(x.mag, z.mag))
}

// noise is uniform on [0, 1), in multiples of 2⁻²⁴; it may be part of a larger tensor.
func (g *gen) noise() {
	t := g.shape()
	at := ir.Literal(ir.U32, float64(g.count("at", 0, 3)))
	strides, from := t.Strides(), []*ir.Value(nil)
	if g.flip("part") {
		for i := range strides {
			strides[i] = strides[i]*7 + 1
			from = append(from, ir.Literal(ir.U32, float64(g.count("from", 0, 9))))
		}
	}
	bits := g.b.RngBits(g.key, at, t.Dims, strides, from...)
	g.put(g.b.MulC(g.b.Cast(g.b.Binary("shr", bits, g.b.Num(bits, 8)), g.c.DType), 0x1p-24), 1)
}

// position is the index along a dim, scaled to [0, 1).
func (g *gen) position() {
	x, ok := g.pickWhere(ranked)
	if !ok {
		return
	}
	dim := g.count("dim", 0, x.v.Type.Rank()-1)
	i := g.b.Iota(x.v.Type.As(ir.I32), dim)
	g.put(g.b.MulC(g.b.Cast(i, g.c.DType), 1/float64(x.v.Type.Dims[dim].Size)), 1)
}

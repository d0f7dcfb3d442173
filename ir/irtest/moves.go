package irtest

import (
	"strings"

	"pgregory.net/rapid"

	"vitc/ir"
)

// letters names the factors of a term, one a dim.
func letters(from, n int) string { return "abcdefghijklmnop"[from : from+n] }

// shuffle draws an order of 0..n.
func (g *gen) shuffle(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return rapid.Permutation(order).Draw(g.t, "order")
}

// broadcast spreads a value over one or two more dims, in any order.
func (g *gen) broadcast() {
	x := g.pick()
	in := letters(0, x.v.Type.Rank())
	dims := append([]ir.Dim(nil), x.v.Type.Dims...)
	for range g.count("new dims", 1, 2) {
		if d := g.dim(); len(dims) < 4 && size(dims)*d.Size <= maxSize {
			dims = append(dims, d)
		}
	}
	all := letters(0, len(dims))
	out, outDims := "", []ir.Dim(nil)
	for _, i := range g.shuffle(len(dims)) {
		out += all[i : i+1]
		outDims = append(outDims, dims[i])
	}
	g.put(g.b.Broadcast(x.v, ir.MustRule(in+"->"+out), outDims), x.mag)
}

func size(dims []ir.Dim) int { return ir.Type{Dims: dims}.Size() }

// permute turns the dims round, and may add a dim of one.
func (g *gen) permute() {
	x := g.pick()
	in, out := letters(0, x.v.Type.Rank()), ""
	var dims []ir.Dim
	for _, i := range g.shuffle(len(in)) {
		out += in[i : i+1]
		dims = append(dims, x.v.Type.Dims[i])
	}
	if g.flip("unit") && len(dims) < 4 {
		out += "()"
		dims = append(dims, ir.Dim{Label: "unit", Size: 1})
	}
	g.put(g.b.Rearrange(x.v, ir.MustRule(in+"->"+out), dims), x.mag)
}

// split makes two dims of one, and puts the minor one somewhere.
func (g *gen) split() {
	even := func(d ir.Dim) bool { return d.Size > 1 && d.Size%2 == 0 }
	x, ok := g.pickWhere(func(v *ir.Value) bool { return len(v.Type.Dims) < 4 && has(v, even) })
	if !ok {
		return
	}
	var in, out strings.Builder
	var dims []ir.Dim
	done := false
	for i, d := range x.v.Type.Dims {
		c := letters(i, 1)
		if done || !even(d) {
			in.WriteString(c)
			out.WriteString(c)
			dims = append(dims, d)
			continue
		}
		done = true
		in.WriteString("(" + c + "z)")
		out.WriteString(c)
		dims = append(dims, ir.Dim{Label: d.Label, Size: d.Size / 2})
	}
	dims = append(dims, ir.Dim{Label: "half", Size: 2})
	g.put(g.b.Rearrange(x.v, ir.MustRule(in.String()+"->"+out.String()+"z"), dims), x.mag)
}

func has(v *ir.Value, ok func(ir.Dim) bool) bool {
	for _, d := range v.Type.Dims {
		if ok(d) {
			return true
		}
	}
	return false
}

// merge joins two dims, either one the major.
func (g *gen) merge() {
	x, ok := g.pickWhere(func(v *ir.Value) bool { return v.Type.Rank() >= 2 })
	if !ok {
		return
	}
	n := x.v.Type.Rank()
	in, order := letters(0, n), g.shuffle(n)
	dims := x.v.Type.Dims
	out := "(" + in[order[0]:order[0]+1] + in[order[1]:order[1]+1] + ")"
	merged := []ir.Dim{{Label: "joined", Size: dims[order[0]].Size * dims[order[1]].Size}}
	for _, i := range order[2:] {
		out += in[i : i+1]
		merged = append(merged, dims[i])
	}
	g.put(g.b.Rearrange(x.v, ir.MustRule(in+"->"+out), merged), x.mag)
}

// sum reduces some dims.
func (g *gen) sum() {
	if x, ok := g.pickWhere(ranked); ok {
		g.reduce(x, "sum")
	}
}

// extreme reduces some dims to their maximum or minimum.
func (g *gen) extreme() {
	if x, ok := g.pickWhere(ranked); ok {
		g.reduce(x, rapid.SampledFrom([]string{"max", "min"}).Draw(g.t, "extreme"))
	}
}

func (g *gen) reduce(x val, kind string) {
	in, out := letters(0, x.v.Type.Rank()), ""
	var dims []ir.Dim
	gone := 1
	for i, d := range x.v.Type.Dims {
		if g.flip("keep") {
			out += in[i : i+1]
			dims = append(dims, d)
		} else {
			gone *= d.Size
		}
	}
	mag := x.mag
	if kind == "sum" {
		mag *= float64(gone)
	}
	g.put(g.b.ReduceTo(kind, x.v, ir.MustRule(in+"->"+out), dims), mag)
}

// dot pairs dims of equal size of two values; each pair is contracted or kept, and the result's
// dims stand in any order.
func (g *gen) dot() {
	x, y := g.pick(), g.pick()
	xs, ys := letters(0, x.v.Type.Rank()), []byte(letters(8, y.v.Type.Rank()))
	var kept []byte
	var dims []ir.Dim
	contracted, used := 1, map[int]bool{}
	for i, d := range x.v.Type.Dims {
		keep := true
		for j, e := range y.v.Type.Dims {
			if e.Size == d.Size && !used[j] && g.flip("pair") {
				used[j], ys[j], keep = true, xs[i], g.flip("keep")
				break
			}
		}
		if keep {
			kept, dims = append(kept, xs[i]), append(dims, d)
		} else {
			contracted *= d.Size
		}
	}
	for j, d := range y.v.Type.Dims {
		if !used[j] {
			kept, dims = append(kept, ys[j]), append(dims, d)
		}
	}
	if size(dims) > maxSize || len(dims) > 4 {
		return
	}
	out, outDims := "", []ir.Dim(nil)
	for _, i := range g.shuffle(len(dims)) {
		out += string(kept[i])
		outDims = append(outDims, dims[i])
	}
	g.put(g.b.DotTo(x.v, y.v, ir.MustRule(xs+","+string(ys)+"->"+out), outDims), float64(contracted)*x.mag*y.mag)
}

// windows lays out windows along a dim, and may sum them up again.
func (g *gen) windows() {
	x, ok := g.pickWhere(func(v *ir.Value) bool { return ranked(v) && v.Type.Rank() < 4 })
	if !ok {
		return
	}
	a := ir.WindowAttrs{Dim: g.count("dim", 0, x.v.Type.Rank()-1), Size: g.count("window", 1, 3), Stride: g.count("stride", 1, 3), Lo: g.count("lo", 0, 2)}
	n := x.v.Type.Dims[a.Dim].Size
	count := g.count("windows", 1, n)
	if a.Hi = (count-1)*a.Stride + a.Size - n - a.Lo; x.v.Type.Size()/n*count*a.Size > maxSize {
		return
	}
	y := g.put(g.b.Window(x.v, a, "window", "within"), x.mag)
	if g.flip("unwindow") {
		g.put(g.b.Apply("unwindow", &a, &x.v.Type, y.v), float64(a.Size)*x.mag)
	}
}

// move slices, pads or rolls along a dim.
func (g *gen) move() {
	x, ok := g.pickWhere(ranked)
	if !ok {
		return
	}
	dim := g.count("dim", 0, x.v.Type.Rank()-1)
	n := x.v.Type.Dims[dim].Size
	switch rapid.SampledFrom([]string{"slice", "pad", "roll"}).Draw(g.t, "move") {
	case "slice":
		from := g.count("from", 0, n-1)
		g.put(g.b.Slice(x.v, dim, from, g.count("to", from+1, n)), x.mag)
	case "pad":
		if x.v.Type.Size()/n*(n+3) <= maxSize {
			g.put(g.b.Pad(x.v, dim, g.count("lo", 0, 2), g.count("hi", 0, 1)), x.mag)
		}
	default:
		g.put(g.b.Roll(x.v, dim, g.count("by", -7, 7)), x.mag)
	}
}

func (g *gen) concat() {
	x, ok := g.pickWhere(ranked)
	if !ok || 2*x.v.Type.Size() > maxSize {
		return
	}
	y, _ := g.pickWhere(func(v *ir.Value) bool { return v.Type.SameShape(x.v.Type) })
	g.put(g.b.Concat(g.count("dim", 0, x.v.Type.Rank()-1), x.v, y.v), max(x.mag, y.mag))
}

// gather looks rows up by ids, some out of range.
func (g *gen) gather() {
	x, ok := g.pickWhere(func(v *ir.Value) bool { return ranked(v) && 3*v.Type.Size()/v.Type.Dims[0].Size <= maxSize })
	if !ok {
		return
	}
	table := letters(0, x.v.Type.Rank())
	g.put(g.b.Carry("gather", nil, ir.MustRule(table+",z->z"+table[1:]), nil, x.v, g.ids), x.mag)
}

// scatter adds rows up by ids, some out of range.
func (g *gen) scatter() {
	x, ok := g.pickWhere(func(v *ir.Value) bool { return ranked(v) && v.Type.Dims[0].Size == 3 && v.Type.Size() <= maxSize/2 })
	if !ok {
		return
	}
	rest := letters(1, x.v.Type.Rank()-1)
	t := ir.Type{DType: x.v.Type.DType, Dims: append([]ir.Dim{{Label: "bin", Size: g.count("bins", 1, 5)}}, x.v.Type.Dims[1:]...)}
	g.put(g.b.Carry("scatter_add", nil, ir.MustRule("z,z"+rest+"->y"+rest), &t, g.ids, x.v), 3*x.mag)
}

// argmax gives positions; they are no function of any gradient.
func (g *gen) argmax() {
	x, ok := g.pickWhere(ranked)
	if !ok {
		return
	}
	dim := g.count("dim", 0, x.v.Type.Rank()-1)
	i := g.b.Argmax(x.v, dim)
	g.put(g.b.MulC(g.b.Cast(i, g.c.DType), 1/float64(x.v.Type.Dims[dim].Size)), 1)
}

package irtest

import "vitc/ir"

// scan adds a loop: its body is a region of random ops over carries, slices and constants, each
// carry is renewed by a tamed value of its shape, and some values are stacked.
func (g *gen) scan() {
	length := g.count("length", 1, 4)
	body := &gen{t: g.t, c: g.c, b: &ir.Builder{Region: &ir.Region{}}, depth: g.depth + 1}
	a := ir.ScanAttrs{Length: length, Reverse: g.flip("reverse"), Label: "turn"}
	var in []*ir.Value
	bind := func(outer *ir.Value, inner ir.Type, mag float64) *ir.Value {
		in = append(in, outer)
		return body.put(body.b.Param("", inner), mag).v
	}
	var carries []*ir.Value
	for range g.count("carries", 0, 2) {
		x := g.tame(g.pick(), 1)
		carries = append(carries, bind(x.v, x.v.Type, 1))
	}
	a.Carry = len(carries)
	for range g.count("each", 0, 2) {
		if x, ok := g.sequence(length); ok {
			bind(x.v, ir.EachType(x.v.Type), x.mag)
			a.Each++
		}
	}
	for range g.count("constants", 1, 2) {
		x := g.pick()
		bind(x.v, x.v.Type, x.mag)
	}
	body.key, body.ids = body.b.Param("key", g.key.Type), body.b.Param("ids", g.ids.Type)
	in = append(in, g.key, g.ids)
	for range g.count("body", 1, 4) {
		body.op()
	}
	stacked := body.finish(carries, length)
	for i, v := range g.b.Scan(a, in, body.b.Region) {
		mag := 1.0
		if i >= a.Carry {
			mag = stacked[i-a.Carry]
		}
		g.put(v, mag)
	}
}

// sequence is a value with a leading dim of the length: one that is there, or one spread.
func (g *gen) sequence(length int) (val, bool) {
	if x, ok := g.pickWhere(func(v *ir.Value) bool { return ranked(v) && v.Type.Dims[0].Size == length }); ok {
		return x, true
	}
	x := g.pick()
	if x.v.Type.Size()*length > maxSize || x.v.Type.Rank() > 3 {
		return val{}, false
	}
	in := letters(0, x.v.Type.Rank())
	dims := append([]ir.Dim{{Label: "turn", Size: length}}, x.v.Type.Dims...)
	return val{g.b.Broadcast(x.v, ir.MustRule(in+"->z"+in), dims), x.mag}, true
}

// finish yields the carries' next values and stacks some values, whose bounds it gives.
func (g *gen) finish(carries []*ir.Value, length int) (stacked []float64) {
	r := g.b.Region
	for _, c := range carries {
		x, _ := g.pickWhere(func(v *ir.Value) bool { return v.Type.SameShape(c.Type) })
		r.Yield = append(r.Yield, g.tame(x, 1).v)
	}
	least := 0
	if len(carries) == 0 {
		least = 1
	}
	for range g.count("stacks", least, 2) {
		x := g.pool[len(g.pool)-1]
		if g.flip("stack another") {
			x = g.pick()
		}
		if x.v.Type.Size()*length <= 4*maxSize && x.v.Type.Rank() < 4 || least == 1 {
			r.Stack = append(r.Stack, x.v)
			stacked = append(stacked, x.mag)
			least = 0
		}
	}
	return stacked
}

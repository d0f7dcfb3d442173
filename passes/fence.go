package passes

import (
	"slices"

	"vitc/ir"
	"vitc/ir/cost"
)

// fence keeps XLA's compiler for TPUs from making, inside a product and once for each of its
// tiles, what is cheaper to make once. Measured on a v4 with ViT-22B's shapes, as what a product
// of 10 M cycles takes more:
//
//	a layer norm that several products read        fused 0.3 to 1.3 M each; made once 0.5 M
//	one that a single product of 15,360 columns    fused 0.46 M; made once 0.07 M
//	  reads, ViT-e's
//	a product that only another product reads      fused 3.6 M; apart 0.7 M
//	sums along a long minor dim of a product       fused 2.1 M; apart 0.5 M
//	a GELU that one product reads                  fused 0.2 M; made once 1.3 M: no fence
//
// Hence, in every region:
//
//  1. a value that pointwise ops make from statistics is fenced for its products if there are two
//     of them or more, or one whose columns are many: it would be made anew for each tile of them;
//  2. a product that is read by one product alone, directly or by way of pointwise ops, is fenced
//     where that one reads it;
//  3. a sum of products is fenced where something sums or compares it along a minor dim too long
//     for a tile.
//
// What is small stays on the chip whatever is done, and is left alone.
func fence(m *ir.Module, _ *Context) {
	for _, f := range m.Funcs {
		fenceRegion(f.Body)
	}
}

const (
	leastFenced = 1 << 20 // bytes: a smaller value never leaves the chip
	longestTile = 512     // elements of a minor dim that a product's epilogue has at hand
	widestTile  = 2048    // columns of a product that one tile has at most
)

// fencer decides for one region.
type fencer struct {
	readers                    // what is bound to a loop is kept as well: in memory anyway
	sums    map[*ir.Value]bool // the answers of ofProducts: sums may share terms many times over
}

func fenceRegion(r *ir.Region) {
	f := &fencer{readers: usersIn(r), sums: map[*ir.Value]bool{}}
	for _, op := range r.Ops {
		if op.Body == nil {
			continue
		}
		for _, v := range op.In {
			f.kept[v] = true
		}
		fenceRegion(op.Body)
	}
	b := &ir.Builder{Region: &ir.Region{}}
	for _, op := range r.Ops {
		b.Region.Ops = append(b.Region.Ops, op)
		for _, v := range op.Out {
			f.value(b, v)
		}
	}
	r.Ops = b.Region.Ops
}

// value puts fences behind a value, each before the users that it is for.
func (f *fencer) value(b *ir.Builder, v *ir.Value) {
	if v.Type.Bytes() < leastFenced {
		return
	}
	users := f.of[v]
	products := slices.DeleteFunc(slices.Clone(users), func(op *ir.Op) bool { return !isProduct(op) })
	switch {
	case f.isSum(v) && slices.ContainsFunc(users, func(op *ir.Op) bool { return f.sumsAlong(op, v, map[*ir.Op]bool{}) }):
		f.put(b, v, users, "sums along a long dim wait for the product")
	case len(products) > 1 && normalised(v) || len(products) == 1 && wide(products[0], v) && ofSums(v):
		f.put(b, v, products, "made once for its products")
	case len(products) == 1 && !f.kept[v] && f.nested(v):
		f.put(b, v, products, "a product is not made inside another")
	}
}

// put fences a value for some of its users.
func (f *fencer) put(b *ir.Builder, v *ir.Value, users []*ir.Op, why string) {
	b.Pos = v.Def.Pos
	w := b.Emit(&ir.Op{Row: ir.Lookup("fence"), In: []*ir.Value{v}, Attrs: &ir.FenceAttrs{Why: why}}, nil)[0]
	w.Name = v.Name
	replaceIn(users, v, w)
}

func isProduct(op *ir.Op) bool { return op.Row.Name == "dot" && op.ProductFlops() > 0 }

func pointwise(op *ir.Op) bool { return op != nil && op.Row.Class == ir.Pointwise }

// nested reports whether a value is a product's, or made of one by pointwise ops, that nothing
// else reads: then the compiler may compute it within the product that reads the value.
func (f *fencer) nested(v *ir.Value) bool {
	for d := v.Def; ; d = v.Def {
		if d == nil || f.kept[v] || len(f.of[v]) > 1 && !f.onlyThrough(v) {
			return false
		}
		if isProduct(d) {
			return true
		}
		if !pointwise(d) {
			return false
		}
		if v = f.largest(d); v == nil {
			return false
		}
	}
}

// onlyThrough reports whether all readers of a value are pointwise: they are fused with it.
func (f *fencer) onlyThrough(v *ir.Value) bool {
	return !slices.ContainsFunc(f.of[v], func(op *ir.Op) bool { return !pointwise(op) })
}

// largest is the operand of a pointwise op that has its shape and comes from ops, nil if none.
func (f *fencer) largest(op *ir.Op) *ir.Value {
	for _, x := range op.In {
		if x.Def != nil && x.Type.SameShape(op.Out[0].Type) && x.Def.Row.Name != "broadcast" {
			return x
		}
	}
	return nil
}

// isSum reports whether a value is a product or a sum of products that is added to no further.
func (f *fencer) isSum(v *ir.Value) bool {
	for _, op := range f.of[v] {
		if op.Row.Name == "add" && slices.ContainsFunc(op.In, func(x *ir.Value) bool { return x != v && f.ofProducts(x) }) {
			return false
		}
	}
	return f.ofProducts(v)
}

// ofProducts reports whether a value is a product or a sum of products.
func (f *fencer) ofProducts(v *ir.Value) bool {
	if v.Def == nil {
		return false
	}
	yes, known := f.sums[v]
	if !known {
		yes = isProduct(v.Def) || v.Def.Row.Name == "add" && f.ofProducts(v.Def.In[0]) && f.ofProducts(v.Def.In[1])
		f.sums[v] = yes
	}
	return yes
}

// sumsAlong reports whether an op, or what is made of it by pointwise ops, reduces the value's
// minor dim, and that one is long. seen holds the ops that were asked before.
func (f *fencer) sumsAlong(op *ir.Op, v *ir.Value, seen map[*ir.Op]bool) bool {
	n := v.Type.Rank()
	if seen[op] || n == 0 || v.Type.Dims[n-1].Size <= longestTile {
		return false
	}
	seen[op] = true
	if op.Row.Name == "reduce" {
		in := op.Rule.In[0]
		return op.In[0].Type.SameShape(v.Type) && len(in[n-1]) > 0 && !op.Rule.Out[0].Has(in[n-1][0])
	}
	if !pointwise(op) || !op.Out[0].Type.SameShape(v.Type) {
		return false
	}
	return slices.ContainsFunc(f.of[op.Out[0]], func(u *ir.Op) bool { return f.sumsAlong(u, v, seen) })
}

// normalised reports whether pointwise ops make a value of statistics, broadcast.
func normalised(v *ir.Value) bool {
	seen := map[*ir.Value]bool{}
	var look func(*ir.Value) bool
	look = func(v *ir.Value) bool {
		if seen[v] || v.Def == nil {
			return false
		}
		seen[v] = true
		if v.Def.Row.Name == "broadcast" {
			return v.Def.In[0].Type.Rank() > 1 || v.Type.Rank() == 2 && v.Def.In[0].Type.Rank() == 1
		}
		return pointwise(v.Def) && slices.ContainsFunc(v.Def.In, look)
	}
	return pointwise(v.Def) && look(v)
}

// wide reports whether a product has more columns beside the rows that v gives it than one tile.
func wide(product *ir.Op, v *ir.Value) bool {
	p := cost.ProductOf(product, func(x *ir.Value) ir.Type { return x.Type })
	if v == product.In[0] {
		return p.Columns > widestTile
	}
	return p.Rows > widestTile
}

// ofSums reports whether pointwise ops make a value of sums, broadcast.
func ofSums(v *ir.Value) bool {
	type state struct {
		v      *ir.Value
		spread bool // behind a broadcast
	}
	seen := map[state]bool{}
	var look func(s state) bool
	look = func(s state) bool {
		d := s.v.Def
		if seen[s] || d == nil {
			return false
		}
		seen[s] = true
		switch {
		case d.Row.Name == "reduce":
			return s.spread
		case d.Row.Name == "broadcast":
			return look(state{d.In[0], true})
		}
		return pointwise(d) && slices.ContainsFunc(d.In, func(x *ir.Value) bool { return look(state{x, s.spread}) })
	}
	return look(state{v, false})
}

// dropFences takes fences out of a region: to code that is made kernel by kernel they say nothing.
func dropFences(r *ir.Region) {
	through := map[*ir.Value]*ir.Value{}
	r.Ops = slices.DeleteFunc(r.Ops, func(op *ir.Op) bool {
		if op.Row.Name != "fence" {
			return false
		}
		for i, x := range op.In {
			through[op.Out[i]] = x
		}
		return true
	})
	r.Replace(through)
}

package passes

import (
	"slices"

	"vitc/ir"
)

// order makes sums over examples the same to the last bit on 1, 2, 4 and 8 devices that share a
// batch: each sum is taken in chunks of an eighth of the batch, by position, and the chunks are
// joined by pairs, (c0+c1)+(c2+c3) and so on. Devices that hold whole chunks do their part of
// that tree, and a collective that joins devices by pairs does the rest.
//
//  1. a dim of examples that a product, a sum or a scatter_add sums over is split in chunks and
//     what is left, and the op keeps the chunks apart;
//  2. reduce kind=tree joins them; partition makes it additions by pairs of what a device has.
//
// The pass does its work where the configuration asks for it, and where examples divide in
// chunks; elsewhere sums are taken as they come.
func order(m *ir.Module, c *Context) {
	if len(orderAxes(c)) == 0 || len(m.Mesh) > 0 {
		return
	}
	for _, f := range m.Funcs {
		o := &orderer{views: factorViews{}}
		o.reached = reachedByBatch(f, o.views)
		o.region(f.Body)
	}
}

// orderChunks is into how many chunks examples are divided where sums keep their order.
const orderChunks = 8

// orderAxes is the mesh axes along which sums over examples keep an order: those of the batch, if
// their devices get whole chunks; none where no order is asked for.
func orderAxes(c *Context) []string {
	if c.Plan == nil || !c.Ordered {
		return nil
	}
	for _, l := range c.Plan.Shard {
		if l.Axis == batchLabel && !l.Params && orderChunks%c.Plan.Mesh.Size(l.Over...) == 0 {
			return l.Over
		}
	}
	return nil
}

type orderer struct {
	views   factorViews
	reached *reached
	b       *ir.Builder
	split   map[*ir.Value]*ir.Value // values with their examples in chunks, which come first
}

func (o *orderer) region(r *ir.Region) {
	for _, op := range r.Ops {
		if op.Body != nil {
			o.region(op.Body)
		}
	}
	b := &ir.Builder{Region: &ir.Region{}}
	o.b, o.split = b, map[*ir.Value]*ir.Value{}
	same := map[*ir.Value]*ir.Value{}
	for _, op := range r.Ops {
		b.Pos = op.Pos
		if f := o.summed(op); f >= 0 {
			same[op.Out[0]] = o.chunked(op, f)
			continue
		}
		b.Region.Ops = append(b.Region.Ops, op)
	}
	r.Ops = b.Region.Ops
	r.Replace(same)
}

// summed is the factor of examples that an op sums over, -1 if there is none that divides.
func (o *orderer) summed(op *ir.Op) int {
	if op.Row.Class != ir.Linear && op.Row.Name != "scatter_add" || !op.Out[0].Type.DType.Float() {
		return -1
	}
	v := o.views.of(op)
	if v.join != "sum" {
		return -1
	}
	for i, t := range v.in {
		for d, fs := range t {
			if op.In[i].Lit == nil && len(fs) == 1 && v.contracted(fs[0]) && o.reached.has(op.In[i], d) && v.factors[fs[0]].Size%orderChunks == 0 {
				return fs[0]
			}
		}
	}
	return -1
}

// chunked is the op with a factor in chunks, and the tree that joins them.
func (o *orderer) chunked(op *ir.Op, f int) *ir.Value {
	r := op.Rule
	chunk := len(r.Factors)
	s := ir.Rule{Factors: append(slices.Clone(r.Factors), ir.Factor{Name: r.Free(), Size: orderChunks})}
	s.Factors[f].Size /= orderChunks
	in := slices.Clone(op.In)
	for i, t := range r.In {
		if t.Has(f) {
			in[i] = o.chunks(op.In[i], slices.IndexFunc(t, func(d ir.DimFactors) bool { return d[0] == f }))
			t = append(ir.Term{{chunk}}, t...)
		}
		s.In = append(s.In, t)
	}
	s.Out = []ir.Term{append(ir.Term{{chunk}}, r.Out[0]...)}
	out := op.Out[0].Type
	t := ir.T(out.DType, append([]ir.Dim{{Label: "chunk", Size: orderChunks}}, out.Dims...)...)
	parts := o.b.Carry(op.Row.Name, op.Attrs, s, &t, in...)
	sum := o.b.ReduceTo("tree", parts, s.Swap(s.Out, r.Out[0]), out.Dims)
	sum.Name = op.Out[0].Name
	return sum
}

// chunks puts a value's dim of examples in chunks, which come first.
func (o *orderer) chunks(x *ir.Value, dim int) *ir.Value {
	if o.split[x] == nil {
		var r ir.Rule
		var term ir.Term
		dims := []ir.Dim{{Label: "chunk", Size: orderChunks}}
		for i, d := range x.Type.Dims {
			r.Factors = append(r.Factors, ir.Factor{Name: byte('a' + i)})
			term = append(term, ir.DimFactors{i})
			if i == dim {
				d.Size /= orderChunks
			}
			dims = append(dims, d)
		}
		chunk := len(r.Factors)
		r.Factors = append(r.Factors, ir.Factor{Name: byte('a' + chunk)})
		r.Out = []ir.Term{append(ir.Term{{chunk}}, term...)}
		in := slices.Clone(term)
		in[dim] = ir.DimFactors{chunk, dim}
		r.In = []ir.Term{in}
		o.split[x] = o.b.Rearrange(x, r, dims)
	}
	return o.split[x]
}

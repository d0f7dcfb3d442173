package cost

import (
	"vitc/ir"
)

const (
	// launch is what it takes to start a kernel, in seconds: products of 512³ take this beside
	// their operations on a v4, by libtpu's estimate.
	launch = 3e-6
	// small: kernels of fewer bytes are fused with others, or take no time worth counting.
	small = 64 << 10
	// vector is how many times less the units for pointwise work do than those for products.
	vector = 64
	// passes is how many bf16 products one of f32 is made of where all its bits are asked for.
	passes = 6
)

// Op is what an op takes by itself, its operands read and its results written. A loop takes its
// body's time as often as it turns. Of a partitioned module's ops only.
func (m *Model) Op(op *ir.Op) Seconds {
	switch {
	case op.Row.Name == "scan":
		return Seconds{}.plus(m.Region(op.Body), float64(op.Turns()))
	case op.Row.Class == ir.Collective:
		core := m.reordering(op)
		return Seconds{Link: m.Collective(op), Memory: core, Core: core}
	case op.Row.Class == ir.Marker:
		return Seconds{}
	}
	bytes := 0.0
	for i, v := range op.In {
		if !seen(op.In[:i], v) {
			bytes += m.bytes(v.Type)
		}
	}
	for _, v := range op.Out {
		bytes += m.bytes(v.Type)
	}
	return m.kernel(m.work(op), bytes)
}

func seen(list []*ir.Value, v *ir.Value) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// kernel is the time of some work, in seconds of the arithmetic units, with some traffic.
func (m *Model) kernel(work, bytes float64) Seconds {
	s := Seconds{Compute: work, Memory: m.Pass(bytes)}
	if s.Core = max(s.Compute, s.Memory); bytes >= small {
		s.Core += launch
	}
	return s
}

// work is the time of an op on the arithmetic units.
func (m *Model) work(op *ir.Op) float64 {
	if op.ProductFlops() > 0 {
		return m.Product(ProductOf(op, func(v *ir.Value) ir.Type { return v.Type }))
	}
	if op.Body != nil { // a fusion
		sum := 0.0
		for _, x := range op.Body.Ops {
			sum += m.work(x)
		}
		return sum
	}
	size := 0
	for _, v := range op.Out {
		size = max(size, v.Type.Size())
	}
	if op.Row.Name == "reduce" || op.Row.Name == "dot" {
		size = max(size, op.In[0].Type.Size())
	}
	return float64(op.Row.Flops) * float64(size) * vector / m.chip.Peak
}

// Product is a batch of matrix products, Rows x Sum by Sum x Columns.
type Product struct {
	Batch, Rows, Sum, Columns int
	DType                     ir.DType // of the operands
}

// ProductOf reads the sizes of a product's loop nest from the types that its values are to have on
// a device: a factor is as long as the shortest dim that it alone makes.
func ProductOf(op *ir.Op, typeOf func(*ir.Value) ir.Type) Product {
	r := ir.RuleOf(op)
	sizes := make([]int, len(r.Factors))
	for f, x := range r.Factors {
		sizes[f] = x.Size
	}
	shorten := func(v *ir.Value, t ir.Term) {
		local := typeOf(v)
		for i, d := range t {
			if len(d) == 1 {
				sizes[d[0]] = min(sizes[d[0]], local.Dims[i].Size)
			}
		}
	}
	for i, v := range op.In {
		shorten(v, r.In[i])
	}
	shorten(op.Out[0], r.Out[0])
	p := Product{Batch: 1, Rows: 1, Sum: 1, Columns: 1, DType: op.In[0].Type.DType}
	for f, x := range r.Factors {
		left, right := r.In[0].Has(f), r.In[1].Has(f)
		switch {
		case x.Kind == ir.Contracted:
			p.Sum *= sizes[f]
		case left && right:
			p.Batch *= sizes[f]
		case left:
			p.Rows *= sizes[f]
		default:
			p.Columns *= sizes[f]
		}
	}
	return p
}

// Product is the time of a product on the arithmetic units.
func (m *Model) Product(p Product) float64 {
	flops := 2 * float64(p.Batch) * float64(p.Rows) * float64(p.Sum) * float64(p.Columns)
	seconds := flops / m.chip.Peak / m.Efficiency(p)
	if d := p.DType; m.chip.Array > 1 && (d == ir.F32 || d == ir.Real && m.real == ir.F32) {
		seconds *= passes
	}
	return seconds
}

// Efficiency is the part of the chip's peak that a product reaches: what the largest ones do, less
// the padding of the two sides that lie along a multiplier array, less what it costs to hand on a
// result after few additions. The last is 1/(1+(b/Sum)²), b being the additions that take as long
// as one result's way to memory, and was fitted: on a v4 libtpu estimates 0.95, 0.85, 0.83 and 0.43
// of the peak for sums of 6,144, 1,664, 768 and 384, and 0.2 for the products of ViT-22B's
// attention within its step; this gives 0.95, 0.93, 0.87, 0.70 and 0.24.
func (m *Model) Efficiency(p Product) float64 {
	full := func(n int) float64 {
		a := m.chip.Array
		return float64(n) / float64((n+a-1)/a*a)
	}
	additions := m.chip.Peak / m.chip.HBMRate / float64(p.Sum)
	return m.chip.Dense * full(p.Sum) * full(max(p.Rows, p.Columns)) / (1 + additions*additions)
}

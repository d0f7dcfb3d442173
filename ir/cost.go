package ir

// multiplyAdd marks the rows of products: Row.Flops of a multiply-add.
const multiplyAdd = 2

// ProductFlops is what an op costs in the field's way of counting: two for each multiply-add of a
// product, and nothing for any other op. A product that sums nothing, an outer one, is pointwise
// work and costs nothing. The number is whole, and exact up to 2^53; no size overflows it.
func (op *Op) ProductFlops() float64 {
	if op.Row.Flops != multiplyAdd || op.Row.Class == Pointwise {
		return 0
	}
	n, summed := float64(multiplyAdd), false
	for _, f := range RuleOf(op).Factors {
		n *= float64(f.Size)
		summed = summed || f.Kind == Contracted
	}
	if !summed {
		return 0
	}
	return n
}

// ProductFlops is the sum over a region's ops, those of loops as often as they run.
func (r *Region) ProductFlops() float64 {
	sum := 0.0
	for _, op := range r.Ops {
		sum += op.ProductFlops()
		if op.Body != nil {
			sum += float64(op.Turns()) * op.Body.ProductFlops()
		}
	}
	return sum
}

// Turns is how often an op runs its body: the length of a scan, once for any other.
func (op *Op) Turns() int {
	if a, ok := op.Attrs.(*ScanAttrs); ok {
		return a.Length
	}
	return 1
}

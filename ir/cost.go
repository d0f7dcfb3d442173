package ir

import "math"

// productFlops marks the rows that multiply and add: Row.Flops of 2.
const productFlops = 2

// ProductFlops is what an op costs in the field's way of counting: two for each multiply-add of a
// product, and nothing for any other op. A product that sums nothing, an outer one, is pointwise
// work and costs nothing. What does not fit an int is the largest one.
func (op *Op) ProductFlops() int {
	if op.Row.Flops != productFlops || op.Row.Class == Pointwise {
		return 0
	}
	n, summed := productFlops, false
	for _, f := range RuleOf(op).Factors {
		n = saturated(n, f.Size)
		summed = summed || f.Kind == Contracted
	}
	if !summed {
		return 0
	}
	return n
}

// ProductFlops is the sum over a region's ops, those of loops as often as they run.
func (r *Region) ProductFlops() int {
	sum := 0
	r.Times(func(op *Op, times int) { sum = saturatedSum(sum, saturated(times, op.ProductFlops())) })
	return sum
}

// Times visits every op as Walk does, with the number of times that one run of the region runs
// it: the product of the lengths of the scans around.
func (r *Region) Times(visit func(op *Op, times int)) { r.times(1, visit) }

func (r *Region) times(n int, visit func(*Op, int)) {
	for _, op := range r.Ops {
		visit(op, n)
		if op.Body == nil {
			continue
		}
		turns := n
		if a, ok := op.Attrs.(*ScanAttrs); ok {
			turns = saturated(n, a.Length)
		}
		op.Body.times(turns, visit)
	}
}

// saturated multiplies numbers that are not negative.
func saturated(x, y int) int {
	if y > 0 && x > math.MaxInt/y {
		return math.MaxInt
	}
	return x * y
}

func saturatedSum(x, y int) int {
	if x > math.MaxInt-y {
		return math.MaxInt
	}
	return x + y
}

package checkpoint

// box is a block of a tensor: where it starts, and its sizes, by dim.
type box struct{ start, size []int }

// meet is what two boxes of one tensor share, empty where a size is not above 0.
func (b box) meet(c box) box {
	var m box
	for i := range b.start {
		from := max(b.start[i], c.start[i])
		to := min(b.start[i]+b.size[i], c.start[i]+c.size[i])
		m.start, m.size = append(m.start, from), append(m.size, to-from)
	}
	return m
}

func (b box) empty() bool {
	for _, n := range b.size {
		if n <= 0 {
			return true
		}
	}
	return false
}

func (b box) elements() int {
	n := 1
	for _, s := range b.size {
		n *= s
	}
	return n
}

// runs visits what two boxes share as stretches that are contiguous in both, each a row-major
// buffer of elements: n elements at a place in the one are those at a place in the other.
func runs(from, to box, visit func(inFrom, inTo, n int) error) error {
	shared := from.meet(to)
	if shared.empty() {
		return nil
	}
	last := len(shared.size) - 1 // what follows it is whole in both
	for last > 0 && shared.size[last] == from.size[last] && shared.size[last] == to.size[last] {
		last--
	}
	var walk func(dim, inFrom, inTo int) error
	walk = func(dim, inFrom, inTo int) error {
		if dim == len(shared.size) { // a scalar
			return visit(inFrom, inTo, 1)
		}
		strideFrom, strideTo := stride(from, dim), stride(to, dim)
		inFrom += (shared.start[dim] - from.start[dim]) * strideFrom
		inTo += (shared.start[dim] - to.start[dim]) * strideTo
		if dim == last {
			return visit(inFrom, inTo, shared.size[dim]*strideFrom)
		}
		for i := range shared.size[dim] {
			if err := walk(dim+1, inFrom+i*strideFrom, inTo+i*strideTo); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(0, 0, 0)
}

// stride is the number of elements from one to the next along a dim.
func stride(b box, dim int) int { return box{size: b.size[dim+1:]}.elements() }

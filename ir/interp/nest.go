package interp

import "vitc/ir"

// nest is a loop nest over several tensors: loop i runs sizes[i] times and moves tensor t by
// strides[t][i] elements.
type nest struct {
	sizes   []int
	strides [][]int
}

// factorStrides is by how many elements each factor of a rule moves a tensor of the given term.
// A factor that stands twice moves along both dims.
func factorStrides(r ir.Rule, term ir.Term, t ir.Type) []int {
	strides := make([]int, len(r.Factors))
	for i, dim := range t.Strides() {
		for k := len(term[i]) - 1; k >= 0; k-- {
			f := term[i][k]
			strides[f] += dim
			dim *= r.Factors[f].Size
		}
	}
	return strides
}

// newNest loops over the given factors, the first outermost; byFactor holds each tensor's
// strides for all the rule's factors.
func newNest(r ir.Rule, order []int, byFactor ...[]int) nest {
	n := nest{strides: make([][]int, len(byFactor))}
	for _, f := range order {
		if r.Factors[f].Size == 1 {
			continue
		}
		if last := len(n.sizes) - 1; last >= 0 && n.joins(byFactor, f, r.Factors[f].Size) {
			n.sizes[last] *= r.Factors[f].Size
			for t := range byFactor {
				n.strides[t][last] = byFactor[t][f]
			}
			continue
		}
		n.sizes = append(n.sizes, r.Factors[f].Size)
		for t := range byFactor {
			n.strides[t] = append(n.strides[t], byFactor[t][f])
		}
	}
	if len(n.sizes) == 0 {
		n.sizes = []int{1}
		for t := range byFactor {
			n.strides[t] = []int{0}
		}
	}
	return n
}

// joins reports whether a factor and the innermost loop so far are one loop for every tensor.
func (n nest) joins(byFactor [][]int, f, size int) bool {
	last := len(n.sizes) - 1
	for t := range byFactor {
		if n.strides[t][last] != byFactor[t][f]*size {
			return false
		}
	}
	return true
}

// inner is the number of turns of the innermost loop, and by how much it moves each tensor.
func (n nest) inner() (count int, step []int) {
	last := len(n.sizes) - 1
	step = make([]int, len(n.strides))
	for t := range step {
		step[t] = n.strides[t][last]
	}
	return n.sizes[last], step
}

// rows calls visit once for each run of the innermost loop, in order, with the place in each
// tensor where it begins.
func (n nest) rows(visit func(at []int)) {
	at := make([]int, len(n.strides))
	turn := make([]int, len(n.sizes)-1)
	for {
		visit(at)
		i := len(turn) - 1
		for ; i >= 0; i-- {
			turn[i]++
			n.move(at, i, 1)
			if turn[i] < n.sizes[i] {
				break
			}
			n.move(at, i, -turn[i])
			turn[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

func (n nest) move(at []int, loop, turns int) {
	for t := range at {
		at[t] += turns * n.strides[t][loop]
	}
}

// copies brings elements from tensor 0 to tensor 1.
func (n nest) copies(from, to []float64) {
	count, step := n.inner()
	n.rows(func(at []int) {
		i, o := at[0], at[1]
		if step[0] == 1 && step[1] == 1 {
			copy(to[o:o+count], from[i:i+count])
			return
		}
		for range count {
			to[o] = from[i]
			i, o = i+step[0], o+step[1]
		}
	})
}

// straight reports whether copies would copy all elements to their own places.
func (n nest) straight() bool {
	return len(n.sizes) == 1 && n.strides[0][0] == n.strides[1][0] && n.strides[0][0] <= 1
}

// factorsOf lists the factors of terms in their order, each once.
func factorsOf(terms ...ir.Term) []int {
	var fs []int
	seen := map[int]bool{}
	for _, t := range terms {
		for _, d := range t {
			for _, f := range d {
				if !seen[f] {
					seen[f] = true
					fs = append(fs, f)
				}
			}
		}
	}
	return fs
}

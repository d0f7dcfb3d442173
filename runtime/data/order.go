package data

import "vitc/runtime/rng"

// order is the sequence of examples that a loader reads, pass after pass.
//
//   - ShuffleNone: 0, 1, ..., n-1 in each pass.
//   - ShuffleAll: a new permutation of all examples each pass.
//   - a window of w examples: each pass cuts 0..n-1 into runs of w, the first cut at a
//     place drawn for the pass, and permutes each run. An example thus moves fewer than w
//     places, as through a shuffle buffer of w, and the order is known without reading.
//
// Every pass holds every example once.
type order struct {
	key     rng.Key
	n       int
	shuffle Shuffle
}

// passOrder is the order of one pass. It belongs to one goroutine.
type passOrder struct {
	order
	key   rng.Key // of the pass
	first int     // length of the first window, which may be shorter
	cur   int     // the window that perm permutes
	perm  *rng.Permutation
}

// pass prepares pass p, counted from 0.
func (o order) pass(p int64) *passOrder {
	q := &passOrder{order: o, key: o.key.Fold(uint64(p)), cur: -1}
	switch {
	case o.shuffle == ShuffleAll, int(o.shuffle) >= o.n:
		q.shuffle, q.first = Shuffle(o.n), o.n
	case o.shuffle > 0:
		q.first = 1 + q.key.FoldString("cut").Stream().IntN(int(o.shuffle))
	}
	return q
}

// at is the example at place i of the pass, fastest for places in ascending order.
func (q *passOrder) at(i int) int {
	if q.shuffle == ShuffleNone {
		return i
	}
	window, start, end := 0, 0, q.first
	if i >= q.first {
		w := int(q.shuffle)
		window = 1 + (i-q.first)/w
		start = q.first + (window-1)*w
		end = min(start+w, q.n)
	}
	if window != q.cur {
		q.cur, q.perm = window, rng.NewPermutation(q.key.Fold(uint64(window)), end-start)
	}
	return start + q.perm.At(i-start)
}

package data

import (
	"testing"

	"pgregory.net/rapid"

	"vitc/runtime/rng"
)

// TestPassHoldsEveryExampleOnce, and in a window none moves as far as the window is long.
func TestPassHoldsEveryExampleOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		shuffle := Shuffle(rapid.IntRange(-1, 220).Draw(t, "shuffle"))
		o := order{rng.New(rapid.Uint64().Draw(t, "seed")), n, shuffle}
		pass := rapid.Int64Range(0, 1000).Draw(t, "pass")
		q, seen := o.pass(pass), make([]bool, n)
		for i := range n {
			v := q.at(i)
			if seen[v] {
				t.Fatalf("%d twice", v)
			}
			seen[v] = true
			if shuffle >= 0 && max(v-i, i-v) >= max(1, int(shuffle)) {
				t.Fatalf("%d at place %d", v, i)
			}
			if again := o.pass(pass).at(i); again != v {
				t.Fatalf("place %d: %d in order, %d alone", i, v, again)
			}
		}
	})
}

// TestWindowsMove: examples that share a window in one pass are apart in another.
func TestWindowsMove(t *testing.T) {
	o := order{rng.New(0), 100, 10}
	cuts := map[int]bool{}
	for p := range int64(50) {
		cuts[o.pass(p).first] = true
	}
	if len(cuts) < 9 {
		t.Errorf("first windows of %d lengths in 50 passes, of 10", len(cuts))
	}
}

package rng

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestKnownAnswers: the vectors published with Random123 (kat_vectors, threefry2x32 20),
// the counter's first word being the lower half of what is folded in.
func TestKnownAnswers(t *testing.T) {
	const ones = 0xffffffff
	cases := []struct {
		key  Key
		data uint64
		want Key
	}{
		{Key{0, 0}, 0, Key{0x6b200159, 0x99ba4efe}},
		{Key{ones, ones}, ones<<32 | ones, Key{0x1cb996fc, 0xbb002be7}},
		{Key{0x13198a2e, 0x03707344}, 0x85a308d3<<32 | 0x243f6a88, Key{0xc4923a9c, 0x483df7a0}},
	}
	for _, c := range cases {
		if got := c.key.Fold(c.data); got != c.want {
			t.Errorf("key %x, data %x: %x, want %x", c.key, c.data, got, c.want)
		}
		if got, want := c.key.At(c.data), uint64(c.want[1])<<32|uint64(c.want[0]); got != want {
			t.Errorf("At: %x, want %x", got, want)
		}
	}
}

// TestPinned holds the derived draws: data orders and augmentations of old runs depend
// on them, so a change here breaks resuming.
func TestPinned(t *testing.T) {
	k := New(1 << 40)
	if k != (Key{0, 1 << 8}) {
		t.Errorf("New: %x", k)
	}
	if got, want := k.FoldString("abcdefghi"), k.Fold(0x6867666564636261).Fold('i').Fold(9); got != want {
		t.Errorf("FoldString: %x, want %x", got, want)
	}
}

func TestFoldsDiffer(t *testing.T) {
	seen := map[Key]string{}
	add := func(k Key, name string) {
		if old, ok := seen[k]; ok {
			t.Errorf("%s and %s share a key", old, name)
		}
		seen[k] = name
	}
	root := New(0)
	for _, name := range []string{"", "\x00", "\x00\x00", "a", "a\x00", "abcdefgh", "abcdefgh\x00", "abcdefghi"} {
		add(root.FoldString(name), "name "+name)
	}
	for i := range uint64(1000) {
		add(root.Fold(1<<32+i), "number")
	}
}

func TestStreamFollowsItsKey(t *testing.T) {
	k := New(5)
	s := k.Stream()
	for i := range uint64(10) {
		if got := s.Uint64(); got != k.At(i) {
			t.Errorf("draw %d: %x, want %x", i, got, k.At(i))
		}
	}
}

// TestIntNIsEven counts draws: chi-square of 12 degrees of freedom is below 32.9 with
// probability 0.999, and the seed is fixed.
func TestIntNIsEven(t *testing.T) {
	const n, draws = 13, 130_000
	var count [n]float64
	s := New(1).Stream()
	for range draws {
		count[s.IntN(n)]++
	}
	chi := 0.0
	for _, c := range count {
		chi += (c - draws/n) * (c - draws/n) / (draws / n)
	}
	if chi > 32.9 {
		t.Errorf("chi-square %.1f", chi)
	}
}

// TestIntNHasNoModuloBias: of 3 * 2^61 numbers, plain reduction of 64 bits would give
// the lowest quarter twice as often as any other.
func TestIntNHasNoModuloBias(t *testing.T) {
	const n, draws = 3 << 61, 40_000
	s := New(2).Stream()
	low := 0
	for range draws {
		if s.IntN(n) < n/2 {
			low++
		}
	}
	if share := float64(low) / draws; math.Abs(share-0.5) > 0.01 {
		t.Errorf("lower half drawn with frequency %.3f", share)
	}
}

func TestIntNBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, math.MaxInt).Draw(t, "n")
		if v := New(rapid.Uint64().Draw(t, "seed")).Stream().IntN(n); v < 0 || v >= n {
			t.Fatalf("%d of %d", v, n)
		}
	})
}

func TestFloatMoments(t *testing.T) {
	const draws = 100_000
	s := New(3).Stream()
	sum, squares, heads := 0.0, 0.0, 0
	for range draws {
		if s.Bool() {
			heads++
		}
		v := s.Uniform(-1, 3)
		if v < -1 || v >= 3 {
			t.Fatalf("%g outside [-1, 3)", v)
		}
		sum, squares = sum+v, squares+v*v
	}
	if math.Abs(float64(heads)/draws-0.5) > 0.01 {
		t.Errorf("%d heads of %d", heads, draws)
	}
	mean := sum / draws
	if variance := squares/draws - mean*mean; math.Abs(mean-1) > 0.02 || math.Abs(variance-16.0/12) > 0.02 {
		t.Errorf("mean %.3f, variance %.3f; want 1 and 1.333", mean, variance)
	}
}

// isPermutation fails unless p takes each of its n values once.
func isPermutation(t interface{ Fatalf(string, ...any) }, p *Permutation) {
	seen := make([]bool, p.Len())
	for i := range p.Len() {
		v := p.At(i)
		if seen[v] {
			t.Fatalf("%d of %d twice", v, p.Len())
		}
		seen[v] = true
	}
}

func TestPermutationIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 500).Draw(t, "n")
		isPermutation(t, NewPermutation(New(rapid.Uint64().Draw(t, "seed")), n))
	})
	for _, n := range []int{tableLimit, tableLimit + 1, 100_003} {
		isPermutation(t, NewPermutation(New(uint64(n)), n))
	}
}

func TestSmallPermutationsAreAllLikely(t *testing.T) {
	count := map[[3]int]int{}
	for seed := range uint64(6000) {
		p := NewPermutation(New(seed), 3)
		count[[3]int{p.At(0), p.At(1), p.At(2)}]++
	}
	for perm, c := range count {
		if c < 880 || c > 1120 {
			t.Errorf("%v drawn %d times of 6000", perm, c)
		}
	}
	if len(count) != 6 {
		t.Errorf("%d permutations of 6", len(count))
	}
}

// TestLargePermutationMixes looks at the correlation of place and value, and at how often
// neighbours stay neighbours, for a permutation without a table.
func TestLargePermutationMixes(t *testing.T) {
	const n = 1_300_000
	p := NewPermutation(New(9), n)
	sum, close, sample := 0.0, 0, 0
	for i := 0; i+1 < n; i += 61 {
		a, b := p.At(i), p.At(i+1)
		sum += (float64(a)/n - 0.5) * (float64(i)/n - 0.5)
		if d := a - b; d > -n/1000 && d < n/1000 {
			close++
		}
		sample++
	}
	if r := 12 * sum / float64(sample); math.Abs(r) > 0.03 {
		t.Errorf("correlation %.4f", r)
	}
	if share := float64(close) / float64(sample); share > 0.005 {
		t.Errorf("%.4f of neighbours stay close, want about 0.002", share)
	}
}

func TestKeysGiveOtherPermutations(t *testing.T) {
	for _, n := range []int{1000, tableLimit + 1000} {
		a, b := NewPermutation(New(1), n), NewPermutation(New(2), n)
		same := 0
		for i := range 1000 {
			if a.At(i) == b.At(i) {
				same++
			}
		}
		if same > 10 {
			t.Errorf("n = %d: %d of 1000 places agree", n, same)
		}
	}
}

package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// open starts a loader that the test closes, and that must leave no goroutine behind.
func openLoader(t testing.TB, ds *Dataset, o LoaderOptions) *Loader {
	t.Helper()
	before := runtime.NumGoroutine()
	l, err := NewLoader(context.Background(), ds, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		noMoreThan(t, before)
	})
	return l
}

// noMoreThan waits for the goroutines to end.
func noMoreThan(t testing.TB, n int) {
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > n {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), n)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// take reads n batches as one string each; at most n where one pass ends before.
func take(t testing.TB, l *Loader, n int) []string {
	t.Helper()
	var list []string
	for range n {
		b, err := l.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%d %d %v", b.Step, b.Size, b.Fields))
	}
	return list
}

// labels reads n examples' labels.
func labels(t testing.TB, l *Loader, n int) []int {
	t.Helper()
	var list []int
	for len(list) < n {
		b, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Size {
			list = append(list, int(binary.LittleEndian.Uint32(b.Fields[1][4*i:])))
		}
	}
	return list[:n]
}

func TestOnePassIsOrderedAndWhole(t *testing.T) {
	ds := counting(t, 10, nil, ShuffleAll, 0)
	l := openLoader(t, ds, LoaderOptions{Batch: 4, Once: true})
	if l.Batches() != 3 {
		t.Errorf("%d batches", l.Batches())
	}
	for step, want := range [][]byte{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}} {
		b, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b.Step != int64(step) || b.Size != len(want) || len(b.Fields[0]) != 6*len(want) || len(b.Fields[1]) != 4*len(want) {
			t.Errorf("step %d: %+v", step, b)
		}
		for i, label := range want {
			if b.Fields[1][4*i] != label || b.Fields[0][6*i] != 6*label {
				t.Errorf("step %d, row %d: label %d, pixel %d", step, i, b.Fields[1][4*i], b.Fields[0][6*i])
			}
		}
	}
	for range 2 {
		if _, err := l.Next(); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	}
}

// TestPassesJoin: batches run over the ends of passes, and every pass holds every example
// once.
// Readers of rows of every batch read together what one that reads all does, each no more than its
// own; a batch of which one reads nothing counts for it too.
func TestRows(t *testing.T) {
	ds := counting(t, 10, nil, ShuffleAll, 0)
	for _, once := range []bool{true, false} {
		whole := openLoader(t, ds, LoaderOptions{Batch: 4, Once: once})
		spans := [][]Span{{{0, 1}}, {{1, 3}}, nil, {{3, 4}}}
		var readers []*Loader
		for _, mine := range spans {
			readers = append(readers, openLoader(t, ds, LoaderOptions{Batch: 4, Once: once, Rows: func(size int) (list []Span) {
				for _, s := range mine {
					list = append(list, Span{min(s.From, size), min(s.To, size)})
				}
				return list
			}}))
		}
		for range 3 {
			want, err := whole.Next()
			if err != nil {
				t.Fatal(err)
			}
			joined := make([][]byte, len(want.Fields))
			for i, l := range readers {
				b, err := l.Next()
				if err != nil || b.Step != want.Step || b.Size != want.Size {
					t.Fatalf("reader %d: %+v, %v", i, b, err)
				}
				for f, data := range b.Fields {
					joined[f] = append(joined[f], data...)
				}
			}
			if !slices.EqualFunc(joined, want.Fields, bytes.Equal) {
				t.Errorf("step %d: the parts are %v, the whole %v", want.Step, joined, want.Fields)
			}
		}
	}
}

func TestPassesJoin(t *testing.T) {
	for _, shuffle := range []Shuffle{ShuffleNone, ShuffleAll, 4} {
		l := openLoader(t, counting(t, 10, nil, shuffle, 1), LoaderOptions{Batch: 7})
		all := labels(t, l, 30)
		for p := range 3 {
			pass := slices.Clone(all[10*p : 10*p+10])
			slices.Sort(pass)
			if !slices.Equal(pass, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
				t.Errorf("shuffle %d, pass %d: %v", shuffle, p, all[10*p:10*p+10])
			}
		}
		if shuffled := !slices.Equal(all[:10], all[10:20]); shuffled != (shuffle != ShuffleNone) {
			t.Errorf("shuffle %d: passes %v and %v", shuffle, all[:10], all[10:20])
		}
	}
}

// TestWorkersChangeNothing compares whole batches, stages and all, for several numbers of
// workers and depths of prefetching, and for a start in the middle.
func TestWorkersChangeNothing(t *testing.T) {
	ds := counting(t, 37, []Call{{Name: "flip"}, shiftCall(1)}, ShuffleAll, 3)
	want := take(t, openLoader(t, ds, LoaderOptions{Batch: 8, Workers: 1}), 20)
	rapid.Check(t, func(rt *rapid.T) {
		start := rapid.IntRange(0, 19).Draw(rt, "start")
		o := LoaderOptions{Batch: 8, Start: int64(start), Workers: rapid.IntRange(1, 8).Draw(rt, "workers"), Prefetch: rapid.IntRange(1, 4).Draw(rt, "prefetch")}
		l, err := NewLoader(context.Background(), ds, o)
		if err != nil {
			rt.Fatal(err)
		}
		defer l.Close()
		if got := take(t, l, 20-start); !slices.Equal(got, want[start:]) {
			rt.Fatalf("got  %v\nwant %v", got, want[start:])
		}
	})
}

func TestSeekStep(t *testing.T) {
	ds := counting(t, 37, []Call{{Name: "flip"}}, 5, 3)
	l := openLoader(t, ds, LoaderOptions{Batch: 8})
	want := take(t, l, 20)
	for _, step := range []int64{3, 0, 19, 7, 7} {
		if err := l.SeekStep(step); err != nil {
			t.Fatal(err)
		}
		if got := take(t, l, 1); got[0] != want[step] {
			t.Errorf("step %d: %s, want %s", step, got[0], want[step])
		}
	}
	fails(t, l.SeekStep(-1), "no such step")
	if err := l.SeekStep(1 << 40); err != nil {
		t.Error(err)
	}
	if got := take(t, l, 1); len(got) != 1 {
		t.Error("no batch at step 2^40")
	}
}

func TestSeekStepInOnePass(t *testing.T) {
	ds := counting(t, 10, nil, ShuffleNone, 3)
	l := openLoader(t, ds, LoaderOptions{Batch: 4, Once: true})
	want := take(t, l, 3)
	if err := l.SeekStep(2); err != nil {
		t.Fatal(err)
	}
	if got := take(t, l, 3); len(got) != 1 || got[0] != want[2] {
		t.Errorf("got %v, want %v", got, want[2:])
	}
	if err := l.SeekStep(3); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	fails(t, l.SeekStep(4), "no such step", "expected 0 to 3, found 4")
}

func TestSeedsGiveOtherBatches(t *testing.T) {
	one := take(t, openLoader(t, counting(t, 37, nil, ShuffleAll, 1), LoaderOptions{Batch: 8}), 1)
	two := take(t, openLoader(t, counting(t, 37, nil, ShuffleAll, 2), LoaderOptions{Batch: 8}), 1)
	if one[0] == two[0] {
		t.Error("seeds 1 and 2 give one order")
	}
}

// TestBatchStaysUntilNext: buffers are reused, but not the one the caller holds.
func TestBatchStaysUntilNext(t *testing.T) {
	l := openLoader(t, counting(t, 37, nil, ShuffleAll, 1), LoaderOptions{Batch: 8, Prefetch: 1})
	for range 50 {
		b, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(b.Fields[0])
		runtime.Gosched()
		if !bytes.Equal(before, b.Fields[0]) {
			t.Fatal("the batch changed under its reader")
		}
	}
}

// TestFirstErrorWins: of several bad examples in a batch, the first is reported, whichever
// worker is faster; the error stays until SeekStep.
func TestFirstErrorWins(t *testing.T) {
	bad := make([]byte, 64)
	for i := 20; i < 64; i++ {
		bad[i] = 99
	}
	dir := write(t, map[string][]byte{"i": idxBytes(idxU8, make([]byte, 64), 64, 1, 1), "l": idxBytes(idxU8, bad, 64)})
	ds, err := Open(Decl{Fields: []Field{imageField(1, 1, 1), labelField}, Source: idxCall("i", "l")}, Options{Dir: dir, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		l := openLoader(t, ds, LoaderOptions{Batch: 16, Workers: 8})
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = l.Next()
			fails(t, err, "example 20: label out of range")
		}
		if err := l.SeekStep(0); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Next(); err != nil {
			t.Error(err)
		}
	}
}

func TestCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancelCause(context.Background())
	l, err := NewLoader(ctx, counting(t, 37, nil, ShuffleAll, 1), LoaderOptions{Batch: 8})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Next(); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("interrupted")
	cancel(cause)
	if _, err := l.Next(); err != cause {
		t.Errorf("error %v, want the cause", err)
	}
	noMoreThan(t, before) // without Close
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestOnePassEndsItsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	l, err := NewLoader(context.Background(), counting(t, 10, nil, ShuffleNone, 1), LoaderOptions{Batch: 4, Once: true})
	if err != nil {
		t.Fatal(err)
	}
	take(t, l, 4)
	noMoreThan(t, before) // without Close
}

func TestClosed(t *testing.T) {
	l := openLoader(t, counting(t, 10, nil, ShuffleNone, 1), LoaderOptions{Batch: 4})
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := l.Next(); err != ErrClosed {
		t.Errorf("Next: %v", err)
	}
	if err := l.SeekStep(0); err != ErrClosed {
		t.Errorf("SeekStep: %v", err)
	}
}

func TestBadLoaderOptions(t *testing.T) {
	ds := counting(t, 10, nil, ShuffleNone, 1)
	for _, o := range []LoaderOptions{{}, {Batch: -1}, {Batch: 1, Workers: -1}, {Batch: 1, Prefetch: -2}} {
		_, err := NewLoader(context.Background(), ds, o)
		fails(t, err, "expected at least 1")
	}
	_, err := NewLoader(context.Background(), ds, LoaderOptions{Batch: 1, Start: -1})
	fails(t, err, "no such step")
}

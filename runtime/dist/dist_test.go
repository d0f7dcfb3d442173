package dist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/runtime/dist"
	"vitc/runtime/dist/disttest"
)

// each runs a function on every rank of a group in memory, and gives their errors. A rank that
// fails aborts.
func each(n int, f func(t dist.Transport) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for _, t := range dist.Memory(n) {
		wg.Go(func() {
			if err := f(t); err != nil {
				errs[t.Rank()] = err
				t.Abort(err)
			}
		})
	}
	wg.Wait()
	return errs
}

// Every collective gives the bits that the interpreter gives, twice in a row, for random types,
// meshes and axes.
func TestCollectivesAsInterpreted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := disttest.Draw(t, nil)
		errs := each(s.Mesh.Devices(), func(tr dist.Transport) error { return s.Check(context.Background(), tr) })
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	})
}

// Collectives that are under way together do not meet each other, whatever order they are waited for in.
func TestFlights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := []disttest.Sample{disttest.Draw(t, nil)}
		for range rapid.IntRange(1, 6).Draw(t, "more") {
			list = append(list, disttest.Draw(t, list[0].Mesh))
		}
		seed := rapid.Uint64().Draw(t, "seed")
		errs := each(list[0].Mesh.Devices(), func(tr dist.Transport) error {
			return disttest.CheckTogether(context.Background(), tr, list, seed)
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	})
}

// A group that is aborted, and a context that ends, end what is under way; it can be waited for twice.
func TestFlightsEnd(t *testing.T) {
	gone := errors.New("the disk is full")
	start := func(ctx context.Context, tr dist.Transport) (*dist.Flight, error) {
		c, err := dist.New(ir.Mesh{{Name: "x", Size: 2}}, tr)
		if err != nil {
			return nil, err
		}
		ty := ir.T(ir.F32, ir.Dim{Label: "a", Size: 4})
		k, err := c.Prepare(dist.Spec{Row: "permute", Attrs: &ir.PermuteAttrs{Over: []string{"x"}, Step: 1}, In: []ir.Type{ty}, Out: ty, Ticket: 1})
		if err != nil {
			return nil, err
		}
		return k.Start(ctx, [][]byte{make([]byte, 16)}, make([]byte, 16)), nil
	}
	for _, abort := range []bool{true, false} {
		ends := dist.Memory(2)
		ctx, cancel := context.WithCancelCause(context.Background())
		f, err := start(ctx, ends[0])
		if err != nil {
			t.Fatal(err)
		}
		if abort {
			ends[1].Abort(gone)
		} else {
			cancel(gone)
		}
		for range 2 {
			if err := f.Wait(); !errors.Is(err, gone) {
				t.Errorf("abort %v: got %v", abort, err)
			}
		}
		cancel(nil)
	}
}

// A rank that gives up wakes those that wait, with its number and reason, and so does one that
// gives up before the others come.
func TestAbort(t *testing.T) {
	gone := errors.New("the disk is full")
	for _, first := range []bool{true, false} {
		errs := each(4, func(tr dist.Transport) error {
			if tr.Rank() == 2 {
				if !first {
					time.Sleep(20 * time.Millisecond)
				}
				return gone
			}
			if first {
				time.Sleep(20 * time.Millisecond)
			}
			// Ranks 0, 1 and 3 wait for each other and for 2.
			var sends, recvs []dist.Message
			for p := range 4 {
				sends = append(sends, dist.Message{Peer: p, Data: make([]byte, 1<<16)})
				recvs = append(recvs, dist.Message{Peer: p, Data: make([]byte, 1<<16)})
			}
			return tr.Exchange(context.Background(), sends, recvs)
		})
		for r, err := range errs {
			var abort *dist.AbortError
			if !errors.Is(err, gone) || r != 2 && (!errors.As(err, &abort) || abort.Rank != 2) {
				t.Errorf("rank %d: %v", r, err)
			}
		}
	}
}

// A context that ends frees its rank, and what it had posted meets nobody later.
func TestContextEnds(t *testing.T) {
	ends := dist.Memory(2)
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	stale := []byte{1}
	if err := ends[0].Exchange(ctx, []dist.Message{{Peer: 1, Data: stale}}, nil); !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
	got := make([]byte, 1)
	done := make(chan error)
	go func() { done <- ends[1].Exchange(context.Background(), nil, []dist.Message{{Peer: 0, Data: got}}) }()
	if err := ends[0].Exchange(context.Background(), []dist.Message{{Peer: 1, Data: []byte{2}}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || got[0] != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Messages of two tags pass each other; those of one keep their order.
func TestTags(t *testing.T) {
	errs := each(2, func(tr dist.Transport) error {
		if tr.Rank() == 0 {
			var sends []dist.Message
			for i := range 4 {
				sends = append(sends, dist.Message{Peer: 1, Tag: i % 2, Data: []byte{byte(i)}})
			}
			return tr.Exchange(context.Background(), sends, nil)
		}
		var got []byte
		for _, tag := range []int{1, 1, 0, 0} {
			b := make([]byte, 1)
			if err := tr.Exchange(context.Background(), nil, []dist.Message{{Peer: 0, Tag: tag, Data: b}}); err != nil {
				return err
			}
			got = append(got, b...)
		}
		if !slices.Equal(got, []byte{1, 3, 0, 2}) {
			return fmt.Errorf("received %v", got)
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// What cannot be is refused before anything is sent.
func TestRefused(t *testing.T) {
	if errs := each(2, func(tr dist.Transport) error {
		return tr.Exchange(context.Background(), []dist.Message{{Peer: 1 - tr.Rank(), Data: make([]byte, 3-tr.Rank())}},
			[]dist.Message{{Peer: 1 - tr.Rank(), Data: make([]byte, 3-tr.Rank())}})
	}); errs[0] == nil || !strings.Contains(errs[0].Error(), "meets a buffer of") {
		t.Errorf("sizes: %v", errs)
	}
	one := dist.Memory(1)[0]
	if err := one.Exchange(context.Background(), []dist.Message{{Peer: 1}}, nil); err == nil {
		t.Error("a message for nobody is sent")
	}
	mesh := ir.Mesh{{Name: "x", Size: 2}}
	if _, err := dist.New(mesh, one); err == nil {
		t.Error("a mesh of two devices has one rank")
	}
	c, err := dist.New(mesh, dist.Memory(2)[0])
	if err != nil {
		t.Fatal(err)
	}
	f := func(sizes ...int) ir.Type {
		t := ir.T(ir.F32)
		for _, n := range sizes {
			t.Dims = append(t.Dims, ir.Dim{Label: "a", Size: n})
		}
		return t
	}
	for want, s := range map[string]dist.Spec{
		"no collective":       {Row: "reshard"},
		"no such axis":        {Row: "axis_index", Attrs: &ir.AxisAttrs{Over: []string{"y"}}, Out: ir.T(ir.I32)},
		"gives i32[]":         {Row: "axis_index", Attrs: &ir.AxisAttrs{Over: []string{"x"}}, Out: f()},
		"takes 1 operands":    {Row: "all_reduce", Attrs: &ir.ReduceOverAttrs{Over: []string{"x"}}, Out: f(2)},
		"no kind":             {Row: "all_reduce", Attrs: &ir.ReduceOverAttrs{Over: []string{"x"}, Kind: "mean"}, In: []ir.Type{f(2)}, Out: f(2)},
		"gives no":            {Row: "permute", Attrs: &ir.PermuteAttrs{Over: []string{"x"}}, In: []ir.Type{f(2)}, Out: f(3)},
		"is no block of":      {Row: "all_gather", Attrs: &ir.GatherAttrs{Over: []string{"x"}}, In: []ir.Type{f(2)}, Out: f(3)},
		"along dim 1":         {Row: "reduce_scatter", Attrs: &ir.GatherAttrs{Over: []string{"x"}, Dim: 1}, In: []ir.Type{f(2)}, Out: f(1)},
		"from dim 0 to 0":     {Row: "all_to_all", Attrs: &ir.ExchangeAttrs{Over: []string{"x"}}, In: []ir.Type{f(2, 2)}, Out: f(2, 2)},
		"has attributes *ir.": {Row: "all_to_all", Attrs: &ir.GatherAttrs{Over: []string{"x"}}, In: []ir.Type{f(2, 2)}, Out: f(2, 2)},
	} {
		if _, err := c.Prepare(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	k, err := c.Prepare(dist.Spec{Row: "permute", Attrs: &ir.PermuteAttrs{Over: []string{"x"}}, In: []ir.Type{f(2)}, Out: f(2)})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][][]byte{{}, {make([]byte, 7)}} {
		if err := k.Run(context.Background(), bad, make([]byte, 8)); err == nil {
			t.Errorf("%d operands are taken", len(bad))
		}
	}
}

// What ranks agree on beside collectives.
func TestAgree(t *testing.T) {
	errs := each(3, func(tr dist.Transport) error {
		ctx := context.Background()
		got, err := dist.Broadcast(ctx, tr, fmt.Appendf(nil, "from %d", tr.Rank()))
		if err != nil || string(got) != "from 0" {
			return fmt.Errorf("broadcast: %q, %v", got, err)
		}
		all, err := dist.Gather(ctx, tr, make([]byte, tr.Rank()))
		if err != nil || tr.Rank() > 0 && all != nil || tr.Rank() == 0 && (len(all) != 3 || len(all[2]) != 2) {
			return fmt.Errorf("gather: %v, %v", all, err)
		}
		for who := range 4 { // nobody is rank 3
			yes, err := dist.Any(ctx, tr, tr.Rank() == who)
			if err != nil || yes != (who < 3) {
				return fmt.Errorf("any: %v, %v", yes, err)
			}
		}
		return dist.Barrier(ctx, tr)
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/dist"
	"vitc/runtime/train"
)

// job trains the program on some ranks of this process, each with a machine that has all of it, and
// gives their errors. A rank that fails aborts, as the command does.
func job(t *testing.T, p *ir.Program, logs []*log, o train.Options, ctx func(rank int) context.Context) []error {
	t.Helper()
	errs := make([]error, len(logs))
	var wg sync.WaitGroup
	for i, end := range dist.Memory(len(logs)) {
		m := machine(t, p)
		wg.Go(func() {
			mine := o
			mine.Ranks, mine.Observer = end, logs[i]
			r, err := train.Open(p, mine)
			if err == nil {
				defer r.Close()
				_, err = r.Train(ctx(i), m)
			}
			if errs[i] = err; err != nil && !errors.Is(err, train.ErrInterrupted) {
				end.Abort(err)
			}
		})
	}
	wg.Wait()
	return errs
}

func always(int) context.Context { return context.Background() }

// The ranks of a job keep one set of checkpoints and tell of one run; resumed, they go on from what
// the first finds.
func TestRanks(t *testing.T) {
	p, alone, want := program(t), &log{}, t.TempDir()
	if _, err := run(t, context.Background(), p, train.Options{Out: want, CheckpointEvery: 4, Observer: alone}); err != nil {
		t.Fatal(err)
	}
	out, logs := t.TempDir(), []*log{{}, {}, {}}
	if err := errors.Join(job(t, p, logs, train.Options{Out: out, CheckpointEvery: 4}, always)...); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(logs[0].lines, "\n"), strings.Join(alone.lines, "\n"); got != want {
		t.Errorf("rank 0 tells:\n%s\nwant:\n%s", got, want)
	}
	if len(logs[1].lines)+len(logs[2].lines) > 0 {
		t.Errorf("the others tell %q, %q", logs[1].lines, logs[2].lines)
	}
	const last = "step-0000000012.safetensors"
	if files(t, out)[last] != files(t, want)[last] || len(files(t, out)) != 3 {
		t.Error("the checkpoints differ from those of a run alone")
	}
	if err := os.Remove(filepath.Join(out, last)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(job(t, p, logs, train.Options{Out: out, Resume: true}, always)...); err != nil {
		t.Fatal(err)
	}
	if files(t, out)[last] != files(t, want)[last] {
		t.Error("resumed, the ranks end with other bytes")
	}
}

// Whichever rank is asked to stop, all do, after the same step.
func TestRanksStopTogether(t *testing.T) {
	p, out := program(t), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	logs := []*log{{stop: func(step int) {
		if step == 7 {
			cancel()
		}
	}}, {}}
	errs := job(t, p, logs, train.Options{Out: out}, func(rank int) context.Context {
		if rank == 1 { // the one that is not asked itself
			return ctx
		}
		return context.Background()
	})
	for r, err := range errs {
		if !errors.Is(err, train.ErrInterrupted) {
			t.Errorf("rank %d: %v", r, err)
		}
	}
	kept := files(t, out) // rank 1 may have agreed to step 8 when it was asked
	if len(kept) != 1 || kept["step-0000000007.safetensors"]+kept["step-0000000008.safetensors"] == "" {
		t.Errorf("%d checkpoints are kept, want one of step 7 or 8", len(kept))
	}
}

// When a rank fails, the others say which, and what is left; nobody waits for ever.
func TestRankFails(t *testing.T) {
	p, out := program(t), t.TempDir()
	full := errors.New("the disk is full")
	logs := []*log{{fail: full}, {}} // of saving at step 4
	errs := job(t, p, logs, train.Options{Out: out, CheckpointEvery: 4}, always)
	if !errors.Is(errs[0], full) {
		t.Errorf("rank 0: %v", errs[0])
	}
	var d *diag.Diagnostic
	if !errors.As(errs[1], &d) || d.Code != train.CodeRank || d.Msg != "rank 0 has failed: the disk is full" ||
		len(d.Notes) != 1 || !strings.Contains(d.Notes[0].Text, "last good checkpoint is of step 4: "+out) {
		t.Errorf("rank 1: %v", errs[1])
	}
	// One that has nothing to resume leaves none waiting.
	errs = job(t, p, []*log{{}, {}}, train.Options{Out: t.TempDir(), Resume: true}, always)
	if !errors.As(errs[0], &d) || d.Code != train.CodeResume {
		t.Errorf("rank 0: %v", errs[0])
	}
	if !errors.As(errs[1], &d) || d.Code != train.CodeRank {
		t.Errorf("rank 1: %v", errs[1])
	}
}

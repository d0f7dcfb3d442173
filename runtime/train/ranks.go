package train

import (
	"context"
	"errors"

	"vitc/ir/diag"
	"vitc/runtime/dist"
)

// The processes of a job take the same steps. Where they could differ, in what was found on disk and
// in the wish to stop, they agree with each other.

// first reports whether this process speaks for the job.
func (r *Run) first() bool { return r.o.Ranks == nil || r.o.Ranks.Rank() == 0 }

// agreed gives every process what the first one says.
func (r *Run) agreed(text string) (string, error) {
	if r.o.Ranks == nil {
		return text, nil
	}
	got, err := dist.Broadcast(context.Background(), r.o.Ranks, []byte(text))
	return string(got), r.rankError(err)
}

func (r *Run) gather(data []byte) ([][]byte, error) {
	all, err := dist.Gather(context.Background(), r.o.Ranks, data)
	return all, r.rankError(err)
}

// interrupted reports whether a process of the job has been asked to stop: then all do, after the
// same step.
func (r *Run) interrupted(ctx context.Context) error {
	stop := ctx.Err() != nil
	if r.o.Ranks != nil {
		var err error
		if stop, err = dist.Any(context.Background(), r.o.Ranks, stop); err != nil {
			return r.rankError(err)
		}
	}
	if stop {
		return ErrInterrupted
	}
	return nil
}

// rankError says that another process of the job has failed, and what is left of its work.
func (r *Run) rankError(err error) error {
	var abort *dist.AbortError
	if !errors.As(err, &abort) {
		return err
	}
	return &diag.Diagnostic{Code: CodeRank, Msg: abort.Error(), Notes: []diag.Note{r.lastGood()}}
}

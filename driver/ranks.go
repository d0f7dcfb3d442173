package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"vitc/ir/diag"
	"vitc/runtime/dist"
	"vitc/runtime/dist/mpi"
)

// DistMPI is the value of --dist for the processes that Open MPI's mpirun starts.
const DistMPI = "mpi"

// Join makes this process a rank of the job that mpirun started it in; it waits for the others.
func Join() (*mpi.World, error) {
	w, err := mpi.Open()
	var none *mpi.NotFoundError
	switch {
	case err == nil:
		return w, nil
	case errors.Is(err, mpi.ErrNotStarted):
		return nil, usagef(CodeNoMPI, "mpirun -n 4 vitc run FILE --dist mpi", "--dist mpi is for the processes of mpirun, which has not started this one")
	case errors.As(err, &none):
		d := &diag.Diagnostic{Code: CodeNoMPI, Msg: "Open MPI is not on this machine", Fix: none.Fix()}
		for _, l := range none.Looked {
			d.Notes = append(d.Notes, diag.Note{Text: l.Path + ": " + l.Result})
		}
		return nil, d
	}
	return nil, &diag.Diagnostic{Code: CodeNoMPI, Msg: "MPI cannot be used: " + err.Error(), Fix: "vitc doctor shows the library; " + mpi.EnvLibrary + " names another"}
}

// RankOf gives this process's rank as mpirun has told it, 0 where it was not started by one.
func RankOf() int {
	rank, _, err := mpi.Started()
	if err != nil {
		return 0
	}
	return rank
}

// ThreadsOfRank is how many threads a rank computes with unless it is told: its share of the
// processors that the ranks of this machine have together.
func ThreadsOfRank() int { return max(1, runtime.GOMAXPROCS(0)/mpi.Beside()) }

// EachOnce lets the first rank of each machine do something, and then the others, who find what it
// left: kernels in the cache.
func EachOnce(ctx context.Context, t dist.Transport, do func() error) error {
	if os.Getenv(mpi.EnvLocalRank) == "0" {
		if err := do(); err != nil {
			return err
		}
		return dist.Barrier(ctx, t)
	}
	if err := dist.Barrier(ctx, t); err != nil {
		return err
	}
	return do()
}

// MPIFacts says which Open MPI library is used, or where it was looked for.
type MPIFacts struct {
	Path   string   `json:"path,omitempty"` // "": none was found
	From   string   `json:"from,omitempty"`
	Looked []string `json:"looked,omitempty"`
	Fix    string   `json:"fix,omitempty"`
}

// mpiFacts looks for the library, and does not load it.
func mpiFacts() MPIFacts {
	found, err := mpi.Find()
	var none *mpi.NotFoundError
	if errors.As(err, &none) {
		f := MPIFacts{Fix: none.Fix()}
		for _, l := range none.Looked {
			f.Looked = append(f.Looked, l.Path+": "+l.Result)
		}
		return f
	}
	return MPIFacts{Path: found.Path, From: found.From}
}

// overRanks checks that a target runs over the processes of a job.
func overRanks(t *Target) error {
	if t.Ranks {
		return nil
	}
	return usagef(CodeValue, "--target "+nativeTarget, "the target %s does not run over processes", t.Name)
}

// DevicesOfRanks says that another number of devices was asked for than there are ranks.
func DevicesOfRanks(devices, ranks int) error {
	return usagef(CodeValue, fmt.Sprintf("no --devices, or mpirun -n %d", devices), "--devices %d with %d ranks, each of which is a device", devices, ranks)
}

package mpi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/runtime/dist"
	"vitc/runtime/dist/disttest"
)

// envRole tells a test binary that mpirun has started which part it plays.
const envRole = "VITC_TEST_MPI_ROLE"

// TestMain lets the binary play a rank of the tests below.
func TestMain(m *testing.M) {
	role := roles[os.Getenv(envRole)]
	if role == nil {
		os.Exit(m.Run())
	}
	w, err := Open()
	if err == nil {
		err = role(w)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		fmt.Printf("rank %s: %v\n", os.Getenv(envRank), err)
		time.Sleep(500 * time.Millisecond) // mpirun ends all ranks when the first fails
		os.Exit(1)
	}
}

var roles = map[string]func(*World) error{
	"collectives": collectives,
	"flights":     flights,
	"large":       large,
	"sizes":       sizes,
	"abort": func(w *World) error {
		if w.Rank() == 1 {
			w.Abort(errors.New("the disk is full"))
		}
		return dist.Barrier(context.Background(), w)
	},
	"abort aside": func(w *World) error {
		f, err := aside(w)
		if err == nil && w.Rank() == 1 {
			w.Abort(errors.New("the disk is full"))
		}
		return errors.Join(err, f.Wait())
	},
	"die aside": func(w *World) error {
		f, err := aside(w)
		if w.Rank() == 2 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return errors.Join(err, f.Wait())
	},
	"die": func(w *World) error {
		if w.Rank() == 2 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return dist.Barrier(context.Background(), w)
	},
}

// collectives checks drawn collectives on meshes of all ranks.
func collectives(w *World) error {
	meshes := []ir.Mesh{{{Name: "x", Size: 4}}, {{Name: "x", Size: 2}, {Name: "y", Size: 2}}}
	gen := rapid.Custom(func(t *rapid.T) disttest.Sample {
		return disttest.Draw(t, rapid.SampledFrom(meshes).Draw(t, "mesh"))
	})
	for seed := range 150 {
		if err := gen.Example(seed).Check(context.Background(), w); err != nil {
			return err
		}
	}
	return nil
}

// flights checks drawn collectives that are under way together.
func flights(w *World) error {
	gen := rapid.Custom(func(t *rapid.T) []disttest.Sample {
		mesh := ir.Mesh{{Name: "x", Size: 2}, {Name: "y", Size: 2}}
		return []disttest.Sample{disttest.Draw(t, mesh), disttest.Draw(t, mesh), disttest.Draw(t, mesh), disttest.Draw(t, mesh)}
	})
	for seed := range 40 {
		if err := disttest.CheckTogether(context.Background(), w, gen.Example(seed), uint64(seed)); err != nil {
			return err
		}
	}
	return nil
}

// aside starts a sum that rank 2 or 1 never comes to the end of: it is in two rounds, and ranks 1 and 2
// start it over other axes than the rest.
func aside(w *World) (*dist.Flight, error) {
	over := []string{"x"}
	if w.Rank() == 1 || w.Rank() == 2 {
		over = []string{"y"}
	}
	c, err := dist.New(ir.Mesh{{Name: "x", Size: 2}, {Name: "y", Size: 2}}, w)
	if err != nil {
		return nil, err
	}
	ty := ir.T(ir.F32, ir.Dim{Label: "a", Size: 1 << 20})
	k, err := c.Prepare(dist.Spec{Row: "all_reduce", Attrs: &ir.ReduceOverAttrs{Over: over, Kind: "sum"}, In: []ir.Type{ty}, Out: ty, Ticket: 3})
	if err != nil {
		return nil, err
	}
	return k.Start(context.Background(), [][]byte{make([]byte, ty.Bytes())}, make([]byte, ty.Bytes())), nil
}

// large sends what MPI does not buffer, in both directions at once.
func large(w *World) error {
	x := make([]byte, 8<<20)
	for i := range x {
		x[i] = byte(w.Rank() + i)
	}
	var sends, recvs []dist.Message
	for p := range w.Size() {
		sends = append(sends, dist.Message{Peer: p, Data: x})
		recvs = append(recvs, dist.Message{Peer: p, Data: make([]byte, len(x))})
	}
	if err := w.Exchange(context.Background(), sends, recvs); err != nil {
		return err
	}
	for p, m := range recvs {
		for i, b := range m.Data {
			if b != byte(p+i) {
				return fmt.Errorf("byte %d from rank %d is %d", i, p, b)
			}
		}
	}
	return nil
}

// sizes demands that a message shorter than its buffer is an error.
func sizes(w *World) error {
	if w.Rank() > 1 {
		return nil
	}
	mine := dist.Message{Peer: 1 - w.Rank(), Data: make([]byte, 4)}
	err := w.Exchange(context.Background(), []dist.Message{mine}, []dist.Message{{Peer: mine.Peer, Data: make([]byte, 4+w.Rank())}})
	if want := "a message of 4 bytes meets a buffer of 5"; w.Rank() == 1 && (err == nil || err.Error() != want) {
		return fmt.Errorf("got %v, want %s", err, want)
	}
	if w.Rank() == 1 {
		w.broken = nil // for Close
	}
	return nil
}

// mpirun runs a role on four ranks and gives what they print.
func mpirun(t *testing.T, role string) (string, error) {
	t.Helper()
	if _, err := Find(); err != nil {
		t.Skip(err)
	}
	run, err := exec.LookPath("mpirun")
	if err != nil {
		t.Skip("there is no mpirun")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, run, "--allow-run-as-root", "--oversubscribe", "-n", "4", os.Args[0])
	c.Env = append(os.Environ(), envRole+"="+role)
	out, err := c.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s hangs:\n%s", role, out)
	}
	return string(out), err
}

// Over MPI every collective gives the interpreter's bits, and what is larger than its buffers
// arrives.
func TestExchange(t *testing.T) {
	for _, role := range []string{"collectives", "flights", "large", "sizes"} {
		if out, err := mpirun(t, role); err != nil {
			t.Errorf("%s: %v\n%s", role, err, out)
		}
	}
}

// A rank that aborts or dies ends the waiting of all others, who know which it was.
func TestFailures(t *testing.T) {
	for role, want := range map[string]string{
		"abort":       "rank 1 has failed: the disk is full",
		"abort aside": "rank 1 has failed: the disk is full",
		"die":         "rank 2 has failed: process ",
		"die aside":   "rank 2 has failed: process ",
	} {
		out, err := mpirun(t, role)
		if err == nil || !strings.Contains(out, "rank 0: "+want) || !strings.Contains(out, "rank 3: "+want) {
			t.Errorf("%s: %v\n%s", role, err, out)
		}
	}
}

// What is missing is said, with a way to get it.
func TestMissing(t *testing.T) {
	if _, err := Open(); !errors.Is(err, ErrNotStarted) {
		t.Errorf("without mpirun: %v", err)
	}
	t.Setenv(envRank, "0")
	t.Setenv(envSize, "1")
	t.Setenv(EnvLibrary, "/nowhere/libmpi.so.40")
	var none *NotFoundError
	if _, err := Open(); !errors.As(err, &none) || !strings.Contains(err.Error(), "apt-get install openmpi-bin") || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("without the library: %v", err)
	}
	t.Setenv(EnvLibrary, os.Args[0]) // no shared library
	if _, err := Open(); err == nil || !strings.Contains(err.Error(), "loading") {
		t.Errorf("another file: %v", err)
	}
}

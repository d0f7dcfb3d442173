package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/ir/diag"
	"vitc/runtime/dist"
	"vitc/runtime/metrics"
	"vitc/runtime/train"
)

// runOptions are the flags of `vitc run`.
type runOptions struct {
	source  driver.Source
	train   train.Options
	machine driver.MachineOptions
	target  string
	metrics string // file for JSON lines, "" for none
	quiet   bool
	json    bool
	dist    string                  // how processes work together, "" for one process
	saved   *atomic.Pointer[string] // the last checkpoint, for those who watch; nil for nobody
}

// The bounds of --threads, and how often a checkpoint is written unless told otherwise.
const (
	maxThreads             = 1024
	defaultCheckpointEvery = 500
)

// run makes `vitc run`.
func (a *app) run() *cobra.Command {
	o := runOptions{}
	o.train.CheckpointEvery = defaultCheckpointEvery
	c := &cobra.Command{
		Use:   "run FILE [TRAIN]",
		Short: "Train, then evaluate",
		Long: `Run compiles a program, trains its train block and runs the evaluations of it. FILE is a
program (.vit) or what vitc build made of one (.vitb). TRAIN names the block where there are
several.

Checkpoints go to --out, runs/TRAIN unless given. Ctrl-C finishes the step and saves; --resume
continues from the last checkpoint as if nothing had happened, to the bit.`,
		Example: `  vitc run examples/fashion.vit
  vitc run model.vit --steps 200 --seed 1 --metrics metrics.jsonl
  vitc run model.vit --out runs/big --resume
  vitc run fashion.vitb --threads 4
  mpirun -n 4 vitc run model.vit --dist mpi --plan fsdp`,
		Args:              between(1, 2, "a file and, where it has several, the name of a train block"),
		ValidArgsFunction: vitFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.source.File, o.source.Block, o.source.Stdin = args[0], append(args, "")[1], a.in
			if o.dist == driver.DistMPI {
				return a.runRank(commandContext(c), &o)
			}
			return a.runHere(commandContext(c), &o)
		},
	}
	a.runFlags(c, &o)
	return c
}

func (a *app) runFlags(c *cobra.Command, o *runOptions) {
	numberFlag(c, &o.train.Steps, "steps", 1, math.MaxInt32, "steps to train, instead of what the program says")
	c.Flags().Var(seed{&o.train.Seed}, "seed", "seed of everything random, instead of the program's")
	numberFlag(c, &o.machine.Threads, "threads", 1, maxThreads, "threads that compute (default one a core)")
	c.Flags().StringVar(&o.train.Out, "out", "", "folder for checkpoints (default runs/TRAIN)")
	numberFlag(c, &o.train.CheckpointEvery, "checkpoint-every", 1, math.MaxInt32, "steps between checkpoints; the last step always writes one")
	c.Flags().BoolVar(&o.train.Resume, "resume", false, "continue from the last checkpoint of the folder")
	c.Flags().StringVar(&o.metrics, "metrics", "", "write what is measured to this file, a JSON object a line")
	c.Flags().BoolVar(&o.quiet, "quiet", false, "show no progress, only results and errors")
	targetFlag(c, &o.target)
	setFlag(c, &o.source.Params)
	planFlag(c, &o.source)
	virtualFlag(c, &o.source)
	choiceFlag(c, &o.dist, "dist", []string{driver.DistMPI}, "run as one of the processes that mpirun (Open MPI) starts, each a device: mpirun -n 4 vitc run FILE --dist mpi")
	jsonFlag(c, &o.json)
}

// runHere opens the data before it compiles: what can be wrong without computing is said
// first.
func (a *app) runHere(ctx context.Context, o *runOptions) error {
	job, err := a.prepare(o)
	if err != nil {
		return err
	}
	if err := o.settleFolder(ctx, job.Program.Name); err != nil {
		return err
	}
	if err := writable(o.metrics); err != nil {
		return err
	}
	w := &watch{a: a, o: o, name: job.Program.Name}
	o.train.Workers, o.train.Observer = o.machine.Threads, w
	r, err := train.Open(job.Program, o.train)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := o.eachOnce(ctx, func() error { return a.compile(ctx, o, job) }); err != nil {
		return err
	}
	m, err := job.Built.Open(o.machine)
	if err != nil {
		return err
	}
	defer m.Close()
	a.interrupt.training.Store(true)
	summary, err := r.Train(ctx, m)
	if closeErr := w.finish(summary, err); err == nil {
		err = closeErr
	}
	return a.conclude(o, job.Target, summary, err)
}

// settleFolder finds the folder for checkpoints, which is one for all ranks of a job.
func (o *runOptions) settleFolder(ctx context.Context, name string) error {
	if o.train.Out != "" {
		return nil
	}
	o.train.Out = driver.RunFolder(name, o.train.Resume)
	if o.train.Ranks == nil {
		return nil
	}
	out, err := dist.Broadcast(ctx, o.train.Ranks, []byte(o.train.Out))
	o.train.Out = string(out)
	return err
}

// eachOnce does something; the ranks of a job take turns, so that it is done once a machine.
func (o *runOptions) eachOnce(ctx context.Context, do func() error) error {
	if o.train.Ranks == nil {
		return do()
	}
	return driver.EachOnce(ctx, o.train.Ranks, do)
}

// compile builds the program unless it comes built.
func (a *app) compile(ctx context.Context, o *runOptions, job *driver.Job) error {
	if job.Built != nil {
		return nil
	}
	start := time.Now()
	job.Program.DropPredictions()
	var err error
	job.Built, err = driver.Build(ctx, job.Program, job.Target, o.machine)
	if err == nil && job.Built.Bundle != nil && !o.quiet {
		a.note("%s: compiled for %s, %s, in %.2g s", job.Program.Name, job.Target.Name, job.Built.Bundle.ISA, time.Since(start).Seconds())
	}
	return err
}

// prepare reads the file that is to run.
func (a *app) prepare(o *runOptions) (*driver.Job, error) {
	job, err := driver.OpenJob(a.sources, o.source, o.target)
	if err != nil {
		return nil, err
	}
	a.printDiagnostics(job.Warnings)
	if job.Passed != "" {
		a.note("%s", job.Passed)
	}
	return job, nil
}

// writable proves that the file of metrics can be written before anything is computed. A
// pipe is left alone: whoever reads it would take the first close for the end.
func writable(path string) error {
	if path == "" || metrics.IsStream(path) {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err == nil {
		return f.Close()
	}
	var cause *os.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return &diag.Diagnostic{Code: train.CodeWrite, Msg: "cannot write metrics: " + err.Error(), Pos: diag.Pos{File: path},
		Fix: "choose a file in a folder that exists and that you may write to"}
}

// conclude prints what the run came to.
func (a *app) conclude(o *runOptions, t *driver.Target, s *train.Summary, err error) error {
	if errors.Is(err, driver.ErrInterrupted) {
		a.note("stopped after step %d of %d; to go on:\n  %s", s.Step, s.Steps, o.resumeCommand())
	}
	if err != nil {
		return err
	}
	if o.json {
		return a.printJSON(newSummary(s, t.Name))
	}
	switch {
	case o.quiet:
	case s.Step == s.From:
		a.note("%s: nothing was left to train; checkpoint %s", s.Program, s.Checkpoint)
	default:
		a.note("%s: %d steps in %.3g s, %.4g images/s; checkpoint %s", s.Program, s.Step-s.From, s.Seconds, s.PerSecond, s.Checkpoint)
	}
	for _, m := range s.Results {
		a.printf("%-20s %.6g\n", m.Name, m.Value)
	}
	return nil
}

// resumeCommand is the command line that continues the run.
func (o *runOptions) resumeCommand() string {
	words := []string{"vitc", "run", o.source.File}
	if o.source.Block != "" {
		words = append(words, o.source.Block)
	}
	for _, name := range slices.Sorted(maps.Keys(o.source.Params)) {
		words = append(words, "--set", name+"="+o.source.Params[name])
	}
	if o.train.Steps > 0 {
		words = append(words, "--steps", fmt.Sprint(o.train.Steps))
	}
	if o.target != driver.Auto {
		words = append(words, "--target", o.target)
	}
	if o.source.Plan != "" {
		words = append(words, "--plan", o.source.Plan)
	}
	switch {
	case o.dist != "":
		words = append([]string{"mpirun", "-n", fmt.Sprint(o.source.Devices)}, append(words, "--dist", o.dist)...)
	case o.source.Devices > 0:
		words = append(words, "--devices", fmt.Sprint(o.source.Devices))
	}
	if o.metrics != "" {
		words = append(words, "--metrics", o.metrics)
	}
	words = append(words, "--out", filepath.Clean(o.train.Out), "--resume")
	for i, w := range words {
		words[i] = shellWord(w)
	}
	return strings.Join(words, " ")
}

// shellWord quotes a word that a shell would take apart.
func shellWord(w string) string {
	if w != "" && !strings.ContainsAny(w, " \t\n'\"\\$`*?[]{}()<>|&;#~!") {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

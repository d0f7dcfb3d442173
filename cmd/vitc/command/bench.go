package command

import (
	"math"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"vitc/bench"
	"vitc/driver"
)

// bench makes `vitc bench`.
func (a *app) bench() *cobra.Command {
	o := bench.Args{Peer: "vitc", Model: "tiny-mnist", Mode: "train", Dtype: "f32", Batch: 1, Iters: 10, Threads: runtime.NumCPU()}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure a plain ViT as other frameworks are measured",
		Long: `Bench compiles a plain pre-norm ViT, steps it, and prints one JSON line: images a second,
milliseconds of a step, GFLOP/s of the matrix products, memory, and the first losses or
logits, to compare with those of other frameworks. The flags are those of the harness that
measures such frameworks side by side; with --lockstep it is told when to step.

Weights and batch are random unless --weights names a folder that holds MODEL.safetensors
(timm's names) and MODEL-BATCH.safetensors (images, labels).`,
		Example: `  vitc bench --model tiny-mnist --mode train --batch 128 --threads 1
  vitc bench --model b16 --mode infer --batch 8 --iters 5`,
		Args: between(0, 0, "none"),
		RunE: func(c *cobra.Command, _ []string) error {
			return driver.Bench(commandContext(c), o, os.Stdin, a.out)
		},
	}
	models := make([]string, len(bench.Models))
	for i, m := range bench.Models {
		models[i] = m.Name
	}
	f := c.Flags()
	f.StringVar(&o.Peer, "peer", o.Peer, "name to report under")
	f.Var(&choice{&o.Model, models}, "model", "size of the model")
	f.Var(&choice{&o.Mode, []string{"train", "infer"}}, "mode", "what a step is")
	f.Var(&choice{&o.Dtype, []string{"f32", "bf16"}}, "dtype", "working precision")
	numberFlag(c, &o.Batch, "batch", 1, math.MaxInt32, "images a step")
	numberFlag(c, &o.Threads, "threads", 1, maxThreads, "threads that compute, each held to a processor")
	numberFlag(c, &o.Iters, "iters", 1, math.MaxInt32, "steps to time at most")
	f.Float64Var(&o.Seconds, "seconds", 0, "stop timing after so long, given 2 steps (0: never)")
	f.BoolVar(&o.Lockstep, "lockstep", false, "time as many steps as each line of the standard input says")
	f.StringVar(&o.Cpus, "cpus", "", "processors to run on, as 0,1 (default the last allowed)")
	f.StringVar(&o.Scratch, "scratch", "", "accepted for the harness; nothing is written")
	f.StringVar(&o.Weights, "weights", "", "folder of weights and batches")
	return c
}

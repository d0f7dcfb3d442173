package command

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vitc/driver"
)

// buildOptions are the flags of `vitc build`.
type buildOptions struct {
	source               driver.Source
	output, emit, target string
	partitioner          string // of a program for the devices of a topology
	machine              driver.MachineOptions
	json                 bool
}

// emits is what --emit takes: the bundle, or stages of a dump.
var emits = []string{"bundle", "ir", "llvm", "asm", "object", emitStableHLO}

// build makes `vitc build`.
func (a *app) build() *cobra.Command {
	o := buildOptions{emit: emits[0], partitioner: driver.PartitionerVitc}
	c := &cobra.Command{
		Use:   "build FILE.vit [TRAIN]",
		Short: "Compile a program into one file",
		Long: `Build compiles a program and writes one file (.vitb) with everything that running it needs but
data: settings, IR and native code. vitc run runs it on machines that have no LLVM. Paths of
data in it start at the folder that it lies in.

For devices such as tpu:v4:8x8x16 the TPU compiler makes the file, with no TPU attached. It then
holds one training step and nothing else: StableHLO, options, the devices' order, the executable
and its schedule, which vitc report reads. vitc drives no TPU and does not run it.`,
		Example: `  vitc build model.vit
  vitc build model.vit --isa avx2 -o model-avx2.vitb
  vitc build --emit ir examples/vit22b.vit
  vitc build examples/zoo/e14.vit --target tpu:v4:8x8x16 --plan v4`,
		Args:              between(1, 2, "a program and, where it has several, the name of a train block"),
		ValidArgsFunction: vitFiles,
		RunE: func(c *cobra.Command, args []string) error {
			o.source.File, o.source.Block, o.source.Stdin = args[0], append(args, "")[1], a.in
			return a.buildFile(commandContext(c), o)
		},
	}
	outputFlag(c, &o.output, "write to this file (default FILE.vitb; for --emit, the standard output)")
	choiceFlag(c, &o.emit, "emit", emits, "what to write: "+strings.Join(emits, ", "))
	devicesFlag(c, &o.target)
	choiceFlag(c, &o.partitioner, "partitioner", driver.Partitioners(), "who divides a program over the devices of a topology: vitc (this compiler), xla (XLA's Shardy)")
	isaFlag(c, &o.machine.ISA)
	setFlag(c, &o.source.Params)
	planFlag(c, &o.source)
	virtualFlag(c, &o.source)
	jsonFlag(c, &o.json)
	return c
}

func (a *app) buildFile(ctx context.Context, o buildOptions) error {
	file := o.source.File
	if driver.IsPod(o.target) {
		return a.buildPod(ctx, o)
	}
	if o.emit != emits[0] {
		return a.dumpStage(ctx, driver.DumpRequest{Source: o.source, Stage: o.emit, Target: o.target, Machine: o.machine}, o.output)
	}
	start := time.Now()
	job, err := driver.OpenJob(a.sources, o.source, o.target)
	if err != nil {
		return err
	}
	a.printDiagnostics(job.Warnings)
	if job.Passed != "" {
		a.note("%s", job.Passed)
	}
	if file == driver.Stdin && o.output == "" {
		return usage(driver.CodeArgs, "a program from the standard input has no name for its bundle", "-o FILE.vitb", "vitc build - -o program.vitb")
	}
	if job.Built != nil {
		return usage(driver.CodeArgs, file+" is built already", "a program (.vit)", "vitc run "+file)
	}
	built, err := driver.Build(ctx, job.Program, job.Target, o.machine)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := built.File().Encode(&b); err != nil {
		return err
	}
	if o.output == "" {
		o.output = strings.TrimSuffix(file, ".vit") + ".vitb"
	}
	if err := a.emit(o.output, b.Bytes()); err != nil {
		return err
	}
	return a.reportBuild(built.Report(o.output, b.Len(), time.Since(start)), o)
}

func (a *app) reportBuild(r driver.BuildReport, o buildOptions) error {
	if o.json {
		return a.printJSON(r)
	}
	if o.output != driver.Stdin {
		a.printf("%s: %s, %s, %s parameters, %d kernels\n", r.File, r.Target, size(int64(r.Bytes)), thousands(r.Parameters), r.Kernels)
	}
	return nil
}

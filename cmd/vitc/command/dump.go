package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
)

// stageAll stands for all of the IR's stages, a file each.
const stageAll = "all"

// dump makes `vitc dump`.
func (a *app) dump() *cobra.Command {
	q := driver.DumpRequest{Stage: "ir"}
	var output string
	c := &cobra.Command{
		Use:   "dump FILE.vit [TRAIN]",
		Short: "Show a program at any stage of its compilation",
		Long: "Dump compiles a program up to a stage and prints what it has become.\n\nStages:\n" + stageDocs() + `
A pass that runs several times is shown after its last; simplify:1 is the first.`,
		Example: `  vitc dump model.vit
  vitc dump model.vit --stage autodiff --locs
  vitc dump model.vit --stage all -o stages
  vitc dump model.vit --stage asm --isa avx2`,
		Args:              between(1, 2, "a program and, where it has several, the name of a train block"),
		ValidArgsFunction: vitFiles,
		RunE: func(c *cobra.Command, args []string) error {
			q.File, q.Block, q.Stdin = args[0], append(args, "")[1], a.in
			return a.dumpStage(commandContext(c), q, output)
		},
	}
	c.Flags().StringVar(&q.Stage, "stage", q.Stage, "what to show: "+strings.Join(stageNames(), ", "))
	if err := c.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions(stageNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added one line above
	}
	c.Flags().BoolVar(&q.Locs, "locs", false, "show which line of the program each op came from")
	outputFlag(c, &output, "write to this file; for all, to this folder")
	targetFlag(c, &q.Target)
	isaFlag(c, &q.Machine.ISA)
	setFlag(c, &q.Params)
	planFlag(c, &q.Source)
	return c
}

func stageNames() []string {
	var names []string
	for _, s := range driver.Stages() {
		names = append(names, s.Name)
	}
	return append(names, stageAll)
}

func stageDocs() string {
	var b strings.Builder
	for _, s := range driver.Stages() {
		fmt.Fprintf(&b, "  %-13s%s\n", s.Name, s.Doc)
	}
	fmt.Fprintf(&b, "  %-13sthe IR as built and after every pass, numbered files in the folder of -o\n", stageAll)
	return b.String()
}

func (a *app) dumpStage(ctx context.Context, q driver.DumpRequest, output string) error {
	if q.Stage == stageAll {
		return a.dumpAll(q, output)
	}
	text, err := driver.Dump(ctx, a.sources, q)
	if err != nil {
		return err
	}
	return a.emit(output, text)
}

func (a *app) dumpAll(q driver.DumpRequest, dir string) error {
	if dir == "" {
		return usage(driver.CodeArgs, "--stage all writes many files and needs a folder for them", "", "vitc dump "+q.File+" --stage all -o stages")
	}
	files, err := driver.DumpAll(a.sources, q)
	if err != nil {
		return err
	}
	return a.writeFolder(dir, files)
}

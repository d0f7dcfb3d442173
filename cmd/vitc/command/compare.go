package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/runtime/table"
)

// compare makes `vitc compare`.
func (a *app) compare() *cobra.Command {
	q := driver.CompareRequest{PodRequest: driver.PodRequest{Partitioner: driver.PartitionerVitc}}
	var asJSON, again bool
	c := &cobra.Command{
		Use:   "compare FILE.vit [TRAIN] --target DEVICES --vary NAME=VALUE...",
		Short: "Show what changes of a program do to the time of a step on TPUs",
		Long: `Compare compiles a program for the devices of a topology as it stands, and once more for each
--vary: with another value of a parameter of its train block, or, as plan=NAME, by another plan.
It estimates a step of each as vitc report does, and says by how much it is longer or shorter than
the first. No device is needed, and no hardware stands behind the figures.

A large program takes the TPU compiler minutes; an estimate that was made before is kept, by the
program's text, its options and the compiler's version.`,
		Example: `  vitc compare examples/effects.vit --target tpu:v4:8x8x16 --plan tp4 --vary parallel=false --vary plan=tp4_plain
  vitc compare net.vit --target tpu:v4:2x2x1 --set width=256 --vary width=512 --json`,
		Args:              between(1, 2, "a program and, where it has several, the name of a train block"),
		ValidArgsFunction: vitFiles,
		RunE: func(c *cobra.Command, args []string) error {
			q.File, q.Block, q.Stdin = args[0], append(args, "")[1], a.in
			q.Cache = estimatesKept(again)
			q.Begin = func(variant string, k, of int) func() {
				return a.waiting(fmt.Sprintf("compiling %d of %d, %s", k, of, variant))
			}
			if !driver.IsPod(q.Target) {
				return usage(driver.CodeFlag, "vitc compare is of programs for TPUs", "--target tpu:v4:8x8x16, or other devices", "--target tpu:v4:2x2x1")
			}
			if len(q.Vary) == 0 {
				return usage(driver.CodeFlag, "there is nothing to compare with", "--vary NAME=VALUE, once or more", "--vary plan=NAME")
			}
			rows, warnings, err := driver.Compare(commandContext(c), a.sources, q)
			a.printDiagnostics(warnings)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(rows)
			}
			a.printCompared(rows)
			return nil
		},
	}
	c.Flags().StringVar(&q.Target, "target", "", "the devices to compile for, such as tpu:v4:8x8x16")
	c.Flags().Var(&variations{&q.Vary}, "vary", "compare with the program that has this value of a train block's parameter, or, as plan=NAME, this plan (repeatable)")
	choiceFlag(c, &q.Partitioner, "partitioner", driver.Partitioners(), "who divides the program over the devices: vitc (this compiler), xla (XLA's Shardy)")
	c.Flags().BoolVar(&again, "again", false, "compile what was compiled before, too")
	setFlag(c, &q.Params)
	planFlag(c, &q.Source)
	jsonFlag(c, &asJSON)
	return c
}

// estimatesKept is the folder of estimates that were made before, "" where there is none.
func estimatesKept(again bool) string {
	dir, err := os.UserCacheDir()
	if err != nil || again {
		return ""
	}
	return filepath.Join(dir, "vitc", "estimates")
}

func (a *app) printCompared(rows []driver.Compared) {
	t := table.Table{Right: []bool{false, true, true, true, true, true, true, true}}
	t.Add("variant", "step", "MFU", "by HBM", "MFU", "exposed", "memory", "longer by")
	for k, r := range rows {
		if r.Failed != "" {
			t.Add(r.Variant, "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		effect := ""
		if k > 0 {
			effect = fmt.Sprintf("%+.1f %%", 100*r.Effect)
		}
		t.Add(r.Variant, stepTime(r.Step), percent(r.MFU), stepTime(r.ByHBM), percent(r.MFUByHBM), stepTime(r.Exposed), size(r.Peak), effect)
	}
	a.printf("%s", t.String())
	for _, r := range rows {
		if r.Failed != "" {
			a.printf("%s: %s\n", r.Variant, r.Failed)
		}
	}
	a.printf("%s\n", driver.EstimateNotice)
}

// stepTime prints seconds as large as steps take: of a small program, milliseconds.
func stepTime(s float64) string {
	if s < 0.1 {
		return fmt.Sprintf("%.3f ms", 1000*s)
	}
	return fmt.Sprintf("%.2f s", s)
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// variations is the value of --vary.
type variations struct{ to *[]driver.Variation }

func (v *variations) String() string { return "" }

func (v *variations) Type() string { return "name=value" }

func (v *variations) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" || value == "" {
		return &valueError{expected: "NAME=VALUE"}
	}
	*v.to = append(*v.to, driver.Variation{Name: name, Value: value})
	return nil
}

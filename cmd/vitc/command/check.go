package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/ir/diag"
)

// check makes `vitc check`.
func (a *app) check() *cobra.Command {
	var asJSON bool
	var q driver.CheckRequest
	c := &cobra.Command{
		Use:   "check FILE.vit...",
		Short: "Check programs completely, run nothing",
		Long: `Check reads programs, checks every train block and evaluation with the sizes they have, and
prints everything that is wrong, with the place, what was expected and what to write instead.
No data is needed and nothing is allocated. Exit status 1 if any program is wrong.

With --target tpu:v4:8x8x16 a plan of the program is held against these devices: what each one
holds and computes at one time, in bytes, and whether its memory suffices. No plugin and no
device is needed.`,
		Example: `  vitc check model.vit
  vitc check --json examples/*.vit | jq '.[] | select(.ok | not)'
  vitc check examples/vit22b.vit --target tpu:v4:8x8x16 --plan fsdp`,
		Args:              between(1, -1, "programs"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, files []string) error {
			return a.checkAll(files, q, asJSON)
		},
	}
	jsonFlag(c, &asJSON)
	c.Flags().StringVar(&q.Target, "target", "", "devices that a plan must fit, such as tpu:v4:8x8x16 or tpu:v5e:16x16")
	planFlag(c, &q.Source)
	return c
}

// checkAll checks every file, whatever is wrong with those before it.
func (a *app) checkAll(files []string, q driver.CheckRequest, asJSON bool) error {
	var reports []driver.Report
	var all diag.List
	for _, file := range files {
		q.File, q.Stdin = file, a.in
		report, err := driver.Check(a.sources, q)
		if err != nil {
			return err
		}
		reports = append(reports, report)
		all = append(all, report.Diagnostics...)
	}
	if asJSON {
		if err := a.printJSON(reports); err != nil {
			return err
		}
	} else {
		a.printDiagnostics(all)
		a.printReports(reports)
	}
	if all.Errors() > 0 {
		return driver.ErrReported
	}
	return nil
}

// printReports prints a line for each program that is right.
func (a *app) printReports(reports []driver.Report) {
	for _, r := range reports {
		if !r.OK {
			continue
		}
		var parts []string
		for _, t := range r.Trains {
			part := fmt.Sprintf("train %s (%s parameters)", t.Name, thousands(t.Parameters))
			if len(t.Evals) > 0 {
				part += ", eval " + strings.Join(t.Evals, ", ")
			}
			if len(t.Plans) > 0 {
				part += ", plan " + strings.Join(t.Plans, ", ")
			}
			parts = append(parts, part)
		}
		line := r.File + ": ok"
		if len(parts) > 0 {
			line += ": " + strings.Join(parts, "; ")
		}
		a.printf("%s\n", line)
		for _, f := range r.Plans {
			a.printFootprint(f, "  ")
		}
	}
}

// printFootprint prints what a device of a plan holds.
func (a *app) printFootprint(f *driver.Footprint, indent string) {
	room := ""
	if f.Capacity > 0 {
		room = fmt.Sprintf(" of %s, %s to stay free", size(f.Capacity), size(f.Reserve))
	}
	a.printf("%splan %s on %s, each of %s devices: %s%s\n", indent, f.Plan, f.Target, thousands(f.Devices), size(f.Peak), room)
	for _, p := range f.Parts() {
		a.printf("%s  %-36s %s\n", indent, p.Name, size(p.Bytes))
	}
}

// thousands prints a number in groups of three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

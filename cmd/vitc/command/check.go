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
	c := &cobra.Command{
		Use:   "check FILE.vit...",
		Short: "Check programs completely, run nothing",
		Long: `Check reads programs, checks every train block and evaluation with the sizes they have, and
prints everything that is wrong, with the place, what was expected and what to write instead.
No data is needed and nothing is allocated. Exit status 1 if any program is wrong.`,
		Example: `  vitc check model.vit
  vitc check --json examples/*.vit | jq '.[] | select(.ok | not)'`,
		Args:              between(1, -1, "programs"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, files []string) error {
			return a.checkAll(files, asJSON)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// checkAll checks every file, whatever is wrong with those before it.
func (a *app) checkAll(files []string, asJSON bool) error {
	var reports []driver.Report
	var all diag.List
	for _, file := range files {
		report, err := driver.Check(a.sources, driver.Source{File: file, Stdin: a.in})
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
			parts = append(parts, part)
		}
		line := r.File + ": ok"
		if len(parts) > 0 {
			line += ": " + strings.Join(parts, "; ")
		}
		a.printf("%s\n", line)
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

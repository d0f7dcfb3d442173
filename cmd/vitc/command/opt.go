package command

import (
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/passes"
)

// opt makes `vitc opt`.
func (a *app) opt() *cobra.Command {
	var names []string
	var output, target string
	var list bool
	c := &cobra.Command{
		Use:   "opt [FILE.ir]",
		Short: "Take IR text through passes",
		Long: `Opt reads IR text from a file or the standard input, verifies it, takes it through the passes
named, in that order, verifying after each, and prints the result. Without --passes it only
verifies. The file that a crash of a pass leaves behind is run again with it.`,
		Example: `  vitc dump --stage ir fashion.vit | vitc opt --passes simplify,autodiff
  vitc opt --passes fuse --target cpu /tmp/vitc-pass-fuse-4711.ir
  vitc opt --list`,
		Args: between(0, 1, "one file of IR, or none to read the standard input"),
		RunE: func(_ *cobra.Command, args []string) error {
			if list {
				a.printPasses()
				return nil
			}
			return a.optimize(append(args, driver.Stdin)[0], names, target, output)
		},
	}
	c.Flags().Var(&passList{&names}, "passes", "names of passes, with commas between them")
	c.Flags().BoolVar(&list, "list", false, "list the passes and the targets' pipelines")
	outputFlag(c, &output, "write to this file")
	targetFlag(c, &target)
	return c
}

func (a *app) optimize(file string, names []string, target, output string) error {
	text, err := a.sources.Read(file, a.in)
	if err != nil {
		return err
	}
	t, _, err := driver.ChooseTarget(target)
	if err != nil {
		return err
	}
	m, err := driver.Optimize(file, text, names, t.Name)
	if err != nil {
		return err
	}
	return a.emit(output, []byte(m.String()))
}

func (a *app) printPasses() {
	for _, p := range passes.Table() {
		a.printf("%-12s%s\n", p.Name, p.Doc)
		for _, before := range passes.Names() {
			if why, ok := p.After[before]; ok {
				a.printf("%-12safter %s: %s\n", "", before, why)
			}
		}
	}
	for _, t := range driver.Targets() {
		a.printf("\n%s: %s\n", t.Name, strings.Join(passes.Pipeline(t.Name), " "))
	}
}

// passList is the value of --passes.
type passList struct{ to *[]string }

func (v *passList) String() string {
	if v.to == nil {
		return ""
	}
	return strings.Join(*v.to, ",")
}

func (v *passList) Type() string { return "names" }

func (v *passList) Set(s string) error {
	for _, name := range strings.Split(s, ",") {
		name = strings.TrimSpace(name)
		if err := oneOf(name, passes.Names()); err != nil {
			return err
		}
		*v.to = append(*v.to, name)
	}
	return nil
}

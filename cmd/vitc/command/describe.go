package command

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/runtime/table"
)

// describe makes `vitc describe`.
func (a *app) describe() *cobra.Command {
	var asJSON, tensors bool
	var q driver.Source
	c := &cobra.Command{
		Use:   "describe FILE.vit [TRAIN | MODEL]",
		Short: "Show a model's parts, sizes and costs",
		Long: `Describe shows what a train block or a model is made of: for each part what it makes of one
example, its parameters, how many of them products multiply by, and its FLOPs; then what a
training step computes and keeps in memory. Nothing runs and no data is needed.

FLOPs are those of products alone, a multiply-add counts as two: the field's convention. They are
counted in the program itself, after differentiation for a step.`,
		Example: `  vitc describe examples/fashion.vit
  vitc describe examples/zoo/b16.vit b16 --set classes=1000
  vitc describe examples/vit22b.vit --plan fsdp
  vitc describe --json examples/vit22b.vit | jq .parameters`,
		Args:              between(1, 2, "a program and, where it has several, the name of a train block or model"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			q.File, q.Block, q.Stdin = args[0], append(args, "")[1], a.in
			s, err := driver.Describe(a.sources, q)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(s)
			}
			a.printSummary(s, tensors)
			return nil
		},
	}
	c.Flags().BoolVarP(&tensors, "tensors", "t", false, "show each part's parameters and state with their axes")
	jsonFlag(c, &asJSON)
	setFlag(c, &q.Params)
	planFlag(c, &q)
	return c
}

func (a *app) printSummary(s *driver.Summary, tensors bool) {
	a.printf("%s\n\n", headline(s))
	t := table.Table{Right: []bool{false, false, true, true, true, true, true}}
	t.Add("part", "result", "parameters", "in products", "bytes", "share", "FLOPs")
	for _, p := range s.Parts {
		indent := strings.Repeat("  ", p.Depth())
		name := p.Name()
		if p.Repeat > 1 {
			name += fmt.Sprintf(" x %d", p.Repeat)
		}
		t.Add(indent+name, p.Result, count(p.Parameters), count(p.InProducts), size(int64(p.Bytes)),
			fmt.Sprintf("%.2f %%", 100*p.Share), metric(p.Flops))
		if !tensors {
			continue
		}
		for _, x := range p.Tensors {
			t.Add(indent+"  ."+x.Name, x.Type, count(x.Size), "", size(int64(x.Bytes)))
		}
	}
	a.printf("%s\n", t.String())
	a.printTotals(s)
}

// headline says what is described and how it is trained.
func headline(s *driver.Summary) string {
	parts := []string{s.Kind + " " + s.Name + " of " + s.File}
	if s.Kind == "train" {
		parts = append(parts, s.Precision, "batches of "+thousands(s.Batch))
	}
	switch {
	case s.Steps > 0:
		parts = append(parts, thousands(s.Steps)+" steps")
	case s.Epochs > 0:
		parts = append(parts, strconv.FormatFloat(s.Epochs, 'f', -1, 64)+" epochs")
	}
	if s.Tokens > 0 {
		parts = append(parts, thousands(s.Tokens)+" tokens")
	}
	return strings.Join(parts, ", ")
}

func (a *app) printTotals(s *driver.Summary) {
	row := func(name, format string, args ...any) { a.printf("%-13s%s\n", name, fmt.Sprintf(format, args...)) }
	trained := ""
	if s.Kind == "train" && s.Trained != s.Parameters {
		trained = fmt.Sprintf(", %s of them trained", thousands(s.Trained))
	}
	row("parameters", "%s = %s%s, %s", count(s.Parameters), thousands(s.Parameters), trained, size(int64(s.ParameterBytes)))
	row("forward", "%sFLOP an example", metric(s.FlopsForward))
	if s.BufferBytes > 0 {
		row("state", "%s of the model's own", size(int64(s.BufferBytes)))
	}
	if s.Kind != "train" {
		return
	}
	forward := s.FlopsForward * float64(s.Batch)
	row("step", "%sFLOP a batch, %.2f times the forward pass", metric(s.FlopsStep), s.FlopsStep/max(forward, 1))
	row("gradients", "%s", size(int64(s.GradientBytes)))
	row("optimizer", "%s, %.2f of the parameters", size(int64(s.OptimizerBytes)), float64(s.OptimizerBytes)/float64(max(s.ParameterBytes, 1)))
	if s.AverageBytes > 0 {
		row("averages", "%s", size(int64(s.AverageBytes)))
	}
	row("activations", "%s kept from the forward to the backward pass, %s an example: an estimate", size(int64(s.KeptBytes)), size(int64(s.KeptBytes/s.Batch)))
	if s.ArenaBytes > 0 {
		row("arena", "%s planned for all that a step computes", size(int64(s.ArenaBytes)))
	}
	if s.Device != nil {
		a.printf("\n")
		a.printFootprint(s.Device, "")
	}
}

// count prints a number of things with four digits and the unit of thousands: 205.8 K, 21.74 B.
func count(n int) string { return scaled(float64(n), []string{"", " K", " M", " B", " T"}) }

// metric prints a number with four digits and the prefix of its unit: 11.25 T.
func metric(x float64) string {
	return scaled(x, []string{"", " K", " M", " G", " T", " P", " E", " Z", " Y"})
}

// scaled divides by thousands as often as there are units for, and as the number is large.
func scaled(x float64, units []string) string {
	unit := 0
	for x >= 999.95 && unit < len(units)-1 {
		x, unit = x/1000, unit+1
	}
	if unit == 0 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	digits := 3
	for y := x; y >= 9.9995 && digits > 1; y /= 10 {
		digits--
	}
	return strconv.FormatFloat(x, 'f', digits, 64) + units[unit]
}

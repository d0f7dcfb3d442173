package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
)

// why makes `vitc why`.
func (a *app) why() *cobra.Command {
	var q driver.WhyRequest
	var asJSON bool
	c := &cobra.Command{
		Use:   "why FILE.vit TENSOR",
		Short: "Say why a tensor lies as it does under a plan",
		Long: `Why derives a tensor of a train block's step under a plan: for each of its dims the line of the
plan that cuts it, or the way by which it follows from one, op by op with the factor of the
index rule; why it has its dtype; whether the backward pass keeps it; and every collective that
moves it, with what for, its bytes, and by the cost model its time on the links and how long the
core waits for it; a wait for several in a row counts at the last of them. It says what the passes
for the plan's devices have made of each collective, and which kernels hide it.

TENSOR is the path of a leaf of the state, an input's name, or an instance's path, with or without
a line of the program behind it.`,
		Example: `  vitc why examples/vit22b.vit net.encoder.block.mlp.up.w --plan fsdp
  vitc why examples/vit22b.vit image --plan fsdp
  vitc why examples/vit22b.vit net.encoder.block.attn:212 --plan tp4
  vitc why --json examples/vit22b.vit net.head.w --plan fsdp | jq '.values[].moves'`,
		Args:              between(2, 2, "a program and a tensor"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			q.File, q.Tensor, q.Stdin = args[0], args[1], a.in
			w, err := driver.Explain(a.sources, q)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(w)
			}
			a.printWhy(w)
			return nil
		},
	}
	jsonFlag(c, &asJSON)
	setFlag(c, &q.Params)
	planFlag(c, &q.Source)
	return c
}

func (a *app) printWhy(w *driver.Why) {
	a.printf("%s of train %s under the plan %s, %s devices of %s\n", w.Tensor, w.Train, w.Plan, thousands(w.Devices), w.Target)
	total, exposed := 0.0, 0.0
	for _, v := range w.Values {
		a.printValue(v)
		for _, m := range v.Moves {
			total += float64(m.Times) * m.Seconds
			exposed += float64(m.Times) * m.Exposed
		}
	}
	if w.More > 0 {
		a.printf("\n%s more values stand there: a line or a name tells them apart\n", thousands(w.More))
	}
	if total > 0 {
		a.printf("\nall its collectives: %s a step on the links, of which the core waits for %s by the model's schedule\n", seconds(total), seconds(exposed))
	}
}

// printValue prints one value's derivation.
func (a *app) printValue(v *driver.WhyValue) {
	a.printf("\n%s\n", v.What)
	often := ""
	if v.Times > 1 {
		often = fmt.Sprintf(", %s times a step", thousands(v.Times))
	}
	if v.Alike > 1 {
		often += fmt.Sprintf(", %d values alike", v.Alike)
	}
	a.printf("  type    %s, %s%s\n", v.Type, size(v.Bytes), often)
	a.printf("  device  %s, %s\n", v.Device, size(v.Each))
	a.printf("  dtype   %s\n", v.DType)
	if v.Remat != "" {
		a.printf("  remat   %s\n", v.Remat)
	}
	for _, d := range v.Dims {
		cut := d.Label
		if len(d.Over) > 0 {
			cut += "@" + strings.Join(d.Over, ", ")
		}
		a.printf("  %s: %s\n", cut, d.Because[0])
		a.printWay(d.Because[1:])
	}
	for _, l := range v.Lost {
		a.printf("  not cut: %s\n", l)
	}
	for _, m := range v.Moves {
		along := ""
		if m.Dim != "" {
			along = " along " + m.Dim
		}
		a.printf("  %s%s over %s, from %s to %s, for %s\n", m.Collective, along, strings.Join(m.Over, ", "), m.From, m.To, m.For)
		if m.Pos != "" {
			a.printf("      at %s\n", m.Pos)
		}
		a.printf("      %s\n", howOften(m))
		if m.As != "" {
			a.printf("      as %s\n", m.As)
		}
		a.printHidden(m)
	}
}

// howOften is how often a collective is done, and what that takes.
func howOften(m driver.WhyMove) string {
	each := fmt.Sprintf("%s in %s, %s exposed", size(int64(m.Bytes)), seconds(m.Seconds), seconds(m.Exposed))
	if m.Times == 1 {
		return "once a step, " + each
	}
	return fmt.Sprintf("%s times a step, each %s; together %s", thousands(m.Times), each, seconds(float64(m.Times)*m.Seconds))
}

// shownBehind is how many kernels are listed that hide a collective; --json has all.
const shownBehind = 3

// printHidden lists what a collective is hidden behind.
func (a *app) printHidden(m driver.WhyMove) {
	hidden := max(0, m.Seconds-m.Exposed)
	if len(m.Behind) == 0 || hidden == 0 {
		return
	}
	list := m.Behind
	more := ""
	if n := len(list) - shownBehind; n > 0 {
		list, more = list[:shownBehind], fmt.Sprintf(" and %d more", n)
	}
	a.printf("      %s hidden behind %s%s\n", seconds(hidden), strings.Join(list, "; "), more)
}

// shownWay is how many steps of a long way are printed before its end; --json has all.
const shownWay = 3

func (a *app) printWay(steps []string) {
	for i, s := range steps {
		switch last := len(steps) - 1; {
		case i < shownWay || i == last:
			a.printf("      %s\n", s)
		case i == shownWay:
			a.printf("      ... %d more steps ...\n", last-shownWay)
		}
	}
}

// seconds prints a duration in the unit that suits it.
func seconds(s float64) string {
	switch {
	case s >= 1:
		return fmt.Sprintf("%.2f s", s)
	case s >= 1e-3:
		return fmt.Sprintf("%.2f ms", s*1e3)
	}
	return fmt.Sprintf("%.1f us", s*1e6)
}

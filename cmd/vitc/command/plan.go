package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/runtime/table"
)

// plan makes `vitc plan`.
func (a *app) plan() *cobra.Command {
	var q driver.SearchRequest
	var asJSON bool
	c := &cobra.Command{
		Use:   "plan FILE.vit [TRAIN]",
		Short: "Say what plans cost on some devices, and search for a better one",
		Long: `Plan prices the plan blocks of a train block that are made for the target's devices: a step's
time, how much of its communication the core waits for, the part of the chips' peak that it
reaches, and what each device holds.

With --search it proposes a plan: the torus itself and meshes whose axes run along whole
dimensions of it, with data parallel, fully sharded and tensor parallel layouts, slices of the
batch, and policies of recomputation. The best one that fits the memory is printed as a block for
the program. Some dozens of plans are priced, which takes about ten seconds of processor time.

Times are those of the compiler's cost model: they compare plans and promise nothing. What a
target's own compiler makes of one, vitc build and vitc report say.`,
		Example: `  vitc plan examples/vit22b.vit --target tpu:v4:8x8x16
  vitc plan examples/vit22b.vit --target tpu:v4:8x8x16 --search
  vitc plan examples/zoo/b16.vit --target tpu:v5e:4x4 --search --json | jq -r .block`,
		Args:              between(1, 2, "a program and, where it has several, the name of a train block"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			q.File, q.Block, q.Stdin = args[0], append(args, "")[1], a.in
			s, err := driver.SearchPlans(a.sources, q)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(s)
			}
			a.printSearch(s)
			return nil
		},
	}
	c.Flags().StringVar(&q.Target, "target", "", "the devices, such as tpu:v4:8x8x16 or tpu:v5e:16x16")
	c.Flags().BoolVar(&q.Propose, "search", false, "search for the best plan")
	jsonFlag(c, &asJSON)
	setFlag(c, &q.Params)
	return c
}

func (a *app) printSearch(s *driver.Search) {
	a.printf("train %s on %s, %s devices, batches of %s: %sFLOP a step, %s plans priced\n\n", s.Train, s.Target, thousands(s.Devices),
		thousands(s.Batch), metric(s.Flops), thousands(s.Tried))
	t := table.Table{Right: []bool{false, false, false, true, false, true, true, true, true, false}}
	t.Add("plan", "layout", "mesh", "micro", "remat", "step", "MFU", "exposed", "memory", "")
	for _, r := range s.Rows {
		t.Add(searchRow(r)...)
	}
	a.printf("%s", t.String())
	if s.Block != "" {
		a.printf("\n%s", s.Block)
	}
}

// searchRow is a plan's line of the table.
func searchRow(r driver.PlanRow) []string {
	row := []string{r.Plan, r.Layout, r.Mesh.String(), "", string(r.Remat), "", "", "", "", r.Reason}
	if r.Plan != "" && r.Remat == "" {
		row[4] = "by path"
	}
	if r.Micro > 0 {
		row[3] = fmt.Sprint(r.Micro)
	}
	if r.Reason != "" {
		return row
	}
	row[5], row[6], row[7] = seconds(r.Step), fmt.Sprintf("%.1f %%", 100*r.MFU), seconds(r.Exposed)
	switch {
	case r.Bound:
		row[9] = "at least; not tried further"
	case r.Unplanned:
		row[9] = "slower than one that fits"
	case r.Fits:
		row[8] = size(r.Peak)
	default:
		row[8], row[9] = size(r.Peak), "does not fit"
	}
	return row
}

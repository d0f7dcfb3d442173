package command

import (
	"github.com/spf13/cobra"

	"vitc/driver"
)

// draw makes `vitc draw`.
func (a *app) draw() *cobra.Command {
	var q driver.DrawRequest
	var output string
	c := &cobra.Command{
		Use:   "draw FILE.vit PATH",
		Short: "Draw how devices hold what a part of a model multiplies and exchanges",
		Long: `Draw makes a picture, in SVG, of each product and each exchange of an instance in one training
step under a plan: what every operand is cut into, which devices hold which block, and what comes
of it. Blocks of one color are the same block; sheets behind a block are summands on other devices.`,
		Example: `  vitc draw examples/vit22b.vit net.encoder.block.mlp.up --plan tp4 -o up.svg
  vitc draw net.vit net.head --plan fsdp > head.svg`,
		Args:              between(2, 2, "a program and the path of an instance in it"),
		ValidArgsFunction: vitFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			q.File, q.Path, q.Stdin = args[0], args[1], a.in
			picture, err := driver.Draw(a.sources, q)
			if err != nil {
				return err
			}
			return a.emit(output, picture)
		},
	}
	outputFlag(c, &output, "write to this file")
	c.Flags().StringVar(&q.Stage, "stage", "partition", "the pass to draw the program after")
	setFlag(c, &q.Params)
	planFlag(c, &q.Source)
	return c
}

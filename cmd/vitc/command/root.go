package command

import (
	"github.com/spf13/cobra"
)

// root makes the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "vitc",
		Short: "A compiler for Vision Transformers",
		Long: `vitc compiles Vision Transformers described in .vit files to native code and
trains them. It checks a program completely before anything runs.

Exit status: 0 success; 1 the program or its data is bad; 2 the command line is
wrong; 70 an error of vitc itself; 130 interrupted.`,
		Example: `  vitc run examples/fashion.vit          train, then evaluate
  vitc check examples/*.vit              say what is wrong, run nothing
  vitc build examples/fashion.vit        compile into one file
  vitc doctor                            what this machine offers`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(&cobra.Group{ID: "train", Title: "Programs:"}, &cobra.Group{ID: "look", Title: "Looking inside:"},
		&cobra.Group{ID: "this", Title: "This machine:"})
	for _, group := range []struct {
		id       string
		commands []*cobra.Command
	}{
		{"train", []*cobra.Command{a.run(), a.predict(), a.check(), a.fmt(), a.build(), a.onnx(), a.importWeights(), a.exportWeights()}},
		{"look", []*cobra.Command{a.describe(), a.why(), a.plan(), a.report(), a.compare(), a.doc(), a.dump(), a.draw(), a.opt(), a.bench()}},
		{"this", []*cobra.Command{a.doctor(), a.version(), a.completion()}},
	} {
		for _, c := range group.commands {
			c.GroupID = group.id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("this")
	return root
}

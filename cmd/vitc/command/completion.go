package command

import (
	"io"

	"github.com/spf13/cobra"

	"vitc/driver"
)

// shells lists the shells that completion scripts exist for.
var shells = []struct {
	name     string
	generate func(*cobra.Command, io.Writer) error
}{
	{"bash", func(c *cobra.Command, w io.Writer) error { return c.GenBashCompletionV2(w, true) }},
	{"zsh", (*cobra.Command).GenZshCompletion},
	{"fish", func(c *cobra.Command, w io.Writer) error { return c.GenFishCompletion(w, true) }},
	{"powershell", (*cobra.Command).GenPowerShellCompletionWithDesc},
}

// completion makes `vitc completion`.
func (a *app) completion() *cobra.Command {
	var names []string
	for _, s := range shells {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a shell's completion script",
		Long:  "Completion prints a script that teaches a shell (bash, zsh, fish or powershell) to complete vitc's commands, flags and files.",
		Example: `  source <(vitc completion bash)
  vitc completion zsh > "${fpath[1]}/_vitc"
  vitc completion fish > ~/.config/fish/completions/vitc.fish`,
		Args:      between(1, 1, "a shell: bash, zsh, fish or powershell"),
		ValidArgs: names,
		RunE: func(c *cobra.Command, args []string) error {
			for _, s := range shells {
				if s.name == args[0] {
					return s.generate(c.Root(), a.out)
				}
			}
			err := oneOf(args[0], names)
			return usage(driver.CodeArgs, "there is no completion for "+args[0], err.expected, err.fix)
		},
	}
}

package command

import (
	"github.com/spf13/cobra"

	"vitc/driver"
)

// version makes `vitc version`.
func (a *app) version() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Version prints the version of vitc, of the language and of its file formats.",
		Example: `  vitc version
  vitc version --json`,
		Args: between(0, 0, "none"),
		RunE: func(*cobra.Command, []string) error {
			v := driver.ReadVersion()
			if asJSON {
				return a.printJSON(v)
			}
			a.printf("vitc %s, edition %d, %s, %s\n", v.Version, v.Edition, v.Go, v.Platform)
			if v.Revision != "" {
				a.printf("revision %s%s\n", v.Revision, map[bool]string{true: " and changes"}[v.Modified])
			}
			return nil
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

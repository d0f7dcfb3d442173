package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vitc/driver"
	"vitc/ir/diag"
)

// usage makes a mistake on the command line: what is wrong, what was expected, and what to
// write instead; expected and fix may be empty.
func usage(code, msg, expected, fix string) error {
	return &driver.UsageError{Diagnostic: &diag.Diagnostic{Code: code, Msg: msg, Expected: expected, Fix: fix}}
}

// flagError makes a usage error of what the flag parser complains about.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(c, unknown)
	case errors.As(err, &missing):
		return usage(driver.CodeValue, "--"+missing.GetFlag().Name+" needs a value", missing.GetFlag().Usage, "")
	case errors.As(err, &invalid):
		return invalidValue(invalid)
	}
	return usage(driver.CodeFlag, err.Error(), "", c.CommandPath()+" --help")
}

func unknownFlag(c *cobra.Command, err *pflag.NotExistError) error {
	name := err.GetSpecifiedName()
	if err.GetSpecifiedShortnames() != "" {
		return usage(driver.CodeFlag, fmt.Sprintf("`%s` has no flag -%.1s", c.CommandPath(), name), "", c.CommandPath()+" --help lists them")
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	fix := c.CommandPath() + " --help lists them"
	if near := diag.Nearest(name, names); near != "" {
		fix = "--" + near
	}
	return usage(driver.CodeFlag, fmt.Sprintf("`%s` has no flag --%s", c.CommandPath(), name), "", fix)
}

// invalidValue uses the parts of a *valueError, which the flags of this package give.
func invalidValue(err *pflag.InvalidValueError) error {
	name, found := "--"+err.GetFlag().Name, err.GetValue()
	var v *valueError
	if errors.As(err, &v) {
		return usage(driver.CodeValue, "bad value for "+name, fmt.Sprintf("%s; found %q", v.expected, found), v.fix)
	}
	return usage(driver.CodeValue, fmt.Sprintf("bad value for %s: %v", name, err.Unwrap()), err.GetFlag().Usage, "")
}

// unknownCommand reports the first argument of vitc where it is no command.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	fix := diag.Nearest(args[0], names)
	if fix == "" && strings.HasSuffix(args[0], ".vit") {
		fix = "vitc run " + args[0]
	}
	return usage(driver.CodeCommand, fmt.Sprintf("there is no command %q", args[0]), "one of "+strings.Join(names, ", "), fix)
}

// between demands a number of positional arguments; what names them in messages.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		found := "none"
		if len(args) > 0 {
			found = strings.Join(args, " ")
		}
		use := strings.TrimPrefix(c.UseLine(), "vitc ")
		return usage(driver.CodeArgs, fmt.Sprintf("wrong arguments for `%s`", c.CommandPath()),
			fmt.Sprintf("%s; found %s", what, found), "vitc "+use)
	}
}

// oneOf demands a value of a list.
func oneOf(value string, list []string) *valueError {
	if slices.Contains(list, value) {
		return nil
	}
	return &valueError{expected: "one of " + strings.Join(list, ", "), fix: diag.Nearest(value, list)}
}

// exclusive refuses two of the flags at once.
func exclusive(c *cobra.Command, names ...string) error {
	var given []string
	for _, name := range names {
		if c.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) < 2 {
		return nil
	}
	return usage(driver.CodeFlag, strings.Join(given, " and ")+" exclude one another", "", "leave out all but one")
}

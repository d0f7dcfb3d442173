package command

import (
	"bytes"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/ir/diag"
	"vitc/lang"
)

// fmtOptions are the flags of `vitc fmt`.
type fmtOptions struct{ write, diff, check bool }

// fmt makes `vitc fmt`.
func (a *app) fmt() *cobra.Command {
	var o fmtOptions
	c := &cobra.Command{
		Use:   "fmt [FILE.vit]...",
		Short: "Print programs in their canonical form",
		Long: `Fmt prints each program as it should be laid out: one form for every program, so that nobody
discusses blanks. Comments and the breaks between lines stay. Without files it formats the
standard input.`,
		Example: `  vitc fmt -w examples/*.vit      rewrite the files
  vitc fmt -d model.vit           show what would change
  vitc fmt --check *.vit          exit 1 if anything would`,
		ValidArgsFunction: vitFiles,
		RunE: func(c *cobra.Command, files []string) error {
			if err := exclusive(c, "write", "diff", "check"); err != nil {
				return err
			}
			if len(files) == 0 {
				files = []string{driver.Stdin}
			}
			return a.formatAll(files, o)
		},
	}
	c.Flags().BoolVarP(&o.write, "write", "w", false, "write the result back to the file")
	c.Flags().BoolVarP(&o.diff, "diff", "d", false, "print what changes instead of the result")
	c.Flags().BoolVar(&o.check, "check", false, "print the names of files that would change; exit 1 if there are any")
	return c
}

// formatAll formats every file, whatever is wrong with those before it.
func (a *app) formatAll(files []string, o fmtOptions) error {
	var errs diag.List
	for _, file := range files {
		text, err := a.sources.Read(file, a.in)
		if err != nil {
			return err
		}
		formatted, list := lang.Format(file, text)
		if list.Errors() > 0 {
			errs = append(errs, list...)
			continue
		}
		if err := a.showFormatted(file, text, formatted, o); err != nil {
			return err
		}
		if o.check && !bytes.Equal(text, formatted) {
			errs.Add(&diag.Diagnostic{Code: driver.CodeFormat, Msg: "not in canonical form", Pos: diag.Pos{File: file}, Fix: "vitc fmt -w " + file})
		}
	}
	return errs.Err()
}

// showFormatted prints or writes one result as the flags say.
func (a *app) showFormatted(file string, text, formatted []byte, o fmtOptions) error {
	switch {
	case o.check:
		return nil
	case o.diff:
		_, err := a.out.Write(diff.Diff(file, text, file+" (formatted)", formatted))
		return err
	case !o.write || file == driver.Stdin:
		_, err := a.out.Write(formatted)
		return err
	case bytes.Equal(text, formatted):
		return nil
	}
	return writeFile(file, formatted)
}

package command

import (
	"strings"

	"github.com/spf13/cobra"

	"vitc/driver"
	"vitc/lang"
	"vitc/runtime/table"
	"vitc/stdlib"
)

// doc makes `vitc doc`.
func (a *app) doc() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doc [NAME]",
		Short: "Print the documentation of the library, or of a file",
		Long: `Doc prints documentation comments. Without a name it lists the files of the library and what
they declare; with the name of a file, what that one declares; with a declaration's, its
signature, its comment and its members.

Lines of a comment that are indented are examples. Those of the library are checked by its tests.`,
		Example: `  vitc doc
  vitc doc optim
  vitc doc vit.ParallelBlock
  vitc doc my.vit`,
		Args:              between(0, 1, "a file or declaration"),
		ValidArgsFunction: docTopics,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.docLibrary(asJSON)
			}
			return a.docTopic(args[0], asJSON)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// docTopics completes the names of the library, and files.
func docTopics(_ *cobra.Command, _ []string, start string) ([]string, cobra.ShellCompDirective) {
	file, _, dotted := strings.Cut(start, ".")
	if !dotted {
		return stdlib.Names(), cobra.ShellCompDirectiveDefault
	}
	d, _, err := driver.Document(driver.NewSources(), file)
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	for _, x := range d.Declarations {
		names = append(names, file+"."+x.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) docLibrary(asJSON bool) error {
	files, err := driver.Library()
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(files)
	}
	for i, f := range files {
		if i > 0 {
			a.printf("\n")
		}
		a.printf("%s: %s\n", f.Name, orNothing(synopsis(f.Doc)))
		a.printIndex(f)
	}
	return nil
}

func (a *app) docTopic(topic string, asJSON bool) error {
	f, x, err := driver.Document(a.sources, topic)
	switch {
	case err != nil:
		return err
	case asJSON && x != nil:
		return a.printJSON(x)
	case asJSON:
		return a.printJSON(f)
	case x != nil:
		a.printDocumented(x, "")
		return nil
	}
	if f.Doc != "" {
		a.printf("%s\n\n", f.Doc)
	}
	a.printIndex(f)
	return nil
}

// printIndex lists a file's declarations with one line each.
func (a *app) printIndex(f *lang.Documentation) {
	t := table.Table{Right: []bool{false, false, false}}
	for _, x := range f.Declarations {
		t.Add("  "+x.Kind, x.Name, synopsis(x.Doc))
	}
	a.printf("%s", t.String())
}

// printDocumented prints a signature, its comment below it, and its members' in turn.
func (a *app) printDocumented(x *lang.Documented, indent string) {
	a.printf("%s\n", indented(x.Signature, indent))
	if x.Doc != "" {
		a.printf("%s\n", indented(x.Doc, indent+"    "))
	}
	documented := true
	for i := range x.Members {
		m := &x.Members[i]
		if documented || m.Doc != "" {
			a.printf("\n")
		}
		a.printDocumented(m, indent+"  ")
		documented = m.Doc != ""
	}
}

// indented puts blanks before every line that is not empty.
func indented(text, indent string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = indent + l
		}
	}
	return strings.Join(lines, "\n")
}

// maxSynopsis is how many bytes of a comment an index shows.
const maxSynopsis = 84

// synopsis is a comment's first sentence, or its first paragraph where it has none, or as many
// of its words as fit an index.
func synopsis(doc string) string {
	paragraph, _, _ := strings.Cut(doc, "\n\n")
	text := strings.Join(strings.Fields(paragraph), " ")
	if i := strings.Index(text, ". "); i >= 0 {
		text = text[:i]
	}
	if len(text) > maxSynopsis {
		end := max(strings.LastIndexByte(text[:maxSynopsis-len("...")], ' '), 0)
		return strings.TrimRight(text[:end], ",:;") + "..."
	}
	return strings.TrimRight(text, ".:")
}

func orNothing(s string) string {
	if s == "" {
		return "not documented"
	}
	return s
}

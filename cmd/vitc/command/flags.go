package command

import (
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vitc/codegen/llvm/cpu"
	"vitc/driver"
)

// Every flag that more than one command has is declared here, once.

// jsonFlag adds --json.
func jsonFlag(c *cobra.Command, to *bool) {
	c.Flags().BoolVar(to, "json", false, "print the report as JSON")
}

// targetFlag adds --target, which names what the program is compiled for.
func targetFlag(c *cobra.Command, to *string) {
	names := []string{driver.Auto}
	for _, t := range driver.Targets() {
		names = append(names, t.Name)
	}
	*to = driver.Auto
	choiceFlag(c, to, "target", names, "what to compile for: "+targetDocs())
}

// devicesFlag is targetFlag for a command that takes the devices of a topology too.
func devicesFlag(c *cobra.Command, to *string) {
	*to = driver.Auto
	c.Flags().StringVar(to, "target", *to, "what to compile for: "+targetDocs()+", or devices such as tpu:v4:8x8x16")
}

func targetDocs() string {
	docs := []string{driver.Auto + " (the fastest that this machine has)"}
	for _, t := range driver.Targets() {
		docs = append(docs, t.Name+" ("+t.Doc+")")
	}
	return strings.Join(docs, ", ")
}

// planFlag adds --plan, which names the plan block that a program is compiled for.
func planFlag(c *cobra.Command, q *driver.Source) {
	c.Flags().StringVar(&q.Plan, "plan", "", "the plan block to lay the program out by (default: none, or for devices such as tpu:v4:8x8x16 the only one)")
}

// virtualFlag adds --devices, the number of virtual devices.
func virtualFlag(c *cobra.Command, q *driver.Source) {
	numberFlag(c, &q.Devices, "devices", 1, driver.MaxDevices, "virtual devices of this machine that share the work: those of --plan, or, without one, each a part of every batch")
}

// isaFlag adds --isa, the instruction set of native code.
func isaFlag(c *cobra.Command, to *string) {
	names := []string{driver.HostISA}
	for _, l := range cpu.Levels() {
		names = append(names, l.String())
	}
	*to = driver.HostISA
	choiceFlag(c, to, "isa", names, "instruction set of native code: "+strings.Join(names, ", "))
}

// outputFlag adds -o.
func outputFlag(c *cobra.Command, to *string, doc string) {
	c.Flags().StringVarP(to, "output", "o", "", doc)
}

// choiceFlag adds a flag whose value is one of a list, with completion.
func choiceFlag(c *cobra.Command, to *string, name string, list []string, doc string) {
	c.Flags().Var(&choice{to, list}, name, doc)
	err := c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag was added one line above
	}
}

// numberFlag adds a flag whose value is a whole number from least to most.
func numberFlag(c *cobra.Command, to *int, name string, least, most int, doc string) {
	c.Flags().Var(&number{to, least, most}, name, doc)
}

// valueError says what a flag's value must be.
type valueError struct{ expected, fix string }

func (e *valueError) Error() string { return "expected " + e.expected }

// choice is the value of a flag that takes one of a list.
type choice struct {
	to   *string
	list []string
}

func (v *choice) String() string {
	if v.to == nil {
		return ""
	}
	return *v.to
}

func (v *choice) Type() string { return "name" }

func (v *choice) Set(s string) error {
	if err := oneOf(s, v.list); err != nil {
		return err
	}
	*v.to = s
	return nil
}

// number is the value of a flag that takes a whole number of [least, most].
type number struct {
	to          *int
	least, most int
}

func (v *number) String() string {
	if v.to == nil {
		return "0"
	}
	return strconv.Itoa(*v.to)
}

func (v *number) Type() string { return "n" }

func (v *number) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err == nil && n >= v.least && n <= v.most {
		*v.to = n
		return nil
	}
	expected := "a whole number from " + strconv.Itoa(v.least)
	if v.most < math.MaxInt {
		expected += " to " + strconv.Itoa(v.most)
	}
	return &valueError{expected: expected}
}

// seed is the value of --seed: absent, or any number of 64 bits.
type seed struct{ to **uint64 }

func (v seed) String() string {
	if v.to == nil || *v.to == nil {
		return ""
	}
	return strconv.FormatUint(**v.to, 10)
}

func (v seed) Type() string { return "n" }

func (v seed) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return &valueError{expected: "a whole number from 0 to 18446744073709551615"}
	}
	*v.to = &n
	return nil
}

// vitFiles completes the names of programs.
func vitFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"vit", "vitb"}, cobra.ShellCompDirectiveFilterFileExt
}

// setFlag adds --set, which gives a train block's parameters their values.
func setFlag(c *cobra.Command, to *map[string]string) {
	c.Flags().Var(&settings{to}, "set", "give the train block's parameter a value, as the language writes it: --set width=64 (repeatable)")
}

// settings is the value of --set.
type settings struct{ to *map[string]string }

func (v *settings) String() string { return "" }

func (v *settings) Type() string { return "name=value" }

func (v *settings) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" || value == "" {
		return &valueError{expected: "NAME=VALUE"}
	}
	if *v.to == nil {
		*v.to = map[string]string{}
	}
	if _, twice := (*v.to)[name]; twice {
		return &valueError{expected: name + " once"}
	}
	(*v.to)[name] = value
	return nil
}

package interp_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
)

// opCase is one statement of the text form over arguments %a, %b, ..; each argument is a type
// and, after a colon, its elements: "f32[n:2]: 1 2".
type opCase struct {
	args []string
	line string // %y: TYPE = op ..
	want []string
}

var outType = regexp.MustCompile(`%(\w+): (\w+\[[^\]]*\])`)

// text is a function of the arguments that computes the line.
func (c opCase) text(phase ir.Phase) string {
	var args, types, yields []string
	for i, a := range c.args {
		ty, _, _ := strings.Cut(a, "]")
		args = append(args, fmt.Sprintf("%%%c: %s] input=%q", 'a'+i, ty, string(rune('a'+i))))
	}
	outs, _, _ := strings.Cut(c.line, " = ")
	for _, m := range outType.FindAllStringSubmatch(outs, -1) {
		yields = append(yields, "%"+m[1])
		types = append(types, fmt.Sprintf("%s output=%q", m[2], m[1]))
	}
	return fmt.Sprintf("ir %s\nfunc @f(%s) -> (%s) {\n%s\nyield %s }", phase,
		strings.Join(args, ", "), strings.Join(types, ", "), c.line, strings.Join(yields, ", "))
}

// numbersOf reads the elements after a type.
func numbersOf(t *testing.T, s string) []float64 {
	t.Helper()
	if _, after, ok := strings.Cut(s, "]:"); ok {
		s = after
	}
	var xs []float64
	for _, w := range strings.Fields(s) {
		x, err := strconv.ParseFloat(w, 64)
		if err != nil {
			t.Fatal(err)
		}
		xs = append(xs, x)
	}
	return xs
}

func (c opCase) run(t *testing.T, o interp.Options) []*interp.Tensor {
	t.Helper()
	f := module(t, c.text(ir.Differentiated)).Funcs[0]
	args := make([]*interp.Tensor, len(c.args))
	for i, a := range c.args {
		args[i] = tensor(f.Body.Params[i].Type, numbersOf(t, a)...)
	}
	out, err := interp.Run(f, args, o)
	if err != nil {
		t.Fatalf("%s: %v", c.line, err)
	}
	return out
}

func (c opCase) check(t *testing.T) {
	t.Helper()
	for i, got := range c.run(t, interp.Options{}) {
		same(t, fmt.Sprintf("%v\n%s", c.args, c.line), got, numbersOf(t, c.want[i])...)
	}
}

package passes

import (
	"errors"
	"strings"
	"testing"

	"vitc/ir"
)

func TestMisplacedPasses(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"simplify autodiff precision fuse memory", ""},
		{"memory", ""}, // of a pipeline that has both
		{"simplify memory fuse", "memory stands before fuse: values inside kernels live in registers"},
		{"precision autodiff", "precision stands before autodiff"},
		{"simplify magic", `no pass "magic"`},
	} {
		err := misplaced(strings.Fields(c.names))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.names, err, c.want)
		}
	}
}

// TestTooEarly: a pass that lacks another's work says so; that is nobody's bug.
func TestTooEarly(t *testing.T) {
	const body = "func @f() -> () {\n  %a: f32[n:2] = broadcast 1 [->n]\n  %b: real[n:2] = cast %a\n  yield\n}"
	for _, c := range []struct{ phase, pass, want string }{
		{"built", "fuse", "pass fuse: the module is as built, autodiff comes first"},
		{"built", "memory", "pass memory: the module is as built, autodiff comes first"},
		{"differentiated", "memory", "pass memory: the module has values of dtype real, precision comes first"},
		{"differentiated", "fuse", ""},
		{"built", "precision", ""},
	} {
		m, err := ir.Parse("ir " + c.phase + "\n" + body)
		if err != nil {
			t.Fatal(err)
		}
		err = Run(m, []string{c.pass}, Options{})
		var early *TooEarly
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &early) || err.Error() != c.want) {
			t.Errorf("%s of a %s module: got %v, want %q", c.pass, c.phase, err, c.want)
		}
	}
}

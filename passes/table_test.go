package passes

import (
	"strings"
	"testing"
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

package lang

import (
	"strings"
	"testing"
)

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"net.w", "net.w", true},
		{"net.w", "net.b", false},
		{"net.*", "net.block.w", false},
		{"net.*.w", "net.block.w", true},
		{"**", "net.block.w", true},
		{"**.w", "w", true},
		{"**.w", "net.w.b", false},
		{"net.**", "net", true},
		{"**.**.w.**", "net.w", true},
		{"**.a.*.b", "a.a.x.b", true},
		{"**.a.b.**.c", "a.a.b.a.c", true},
		{"**.a.b.**.c", "a.c.b.a.c", false},
		{"n*t.*_w*", "net.up_weight", true},
	} {
		if got := matchPath(c.pattern, c.path); got != c.want {
			t.Errorf("matchPath(%q, %q) = %t", c.pattern, c.path, got)
		}
	}
}

// A search that let every `**` try again would take longer than there is time.
func TestMatchPathIsNotExponential(t *testing.T) {
	pattern := strings.Repeat("**.a.", 50) + "b"
	path := strings.Repeat("a.", 99) + "a"
	if matchPath(pattern, path) {
		t.Errorf("%s matches %s", pattern, path)
	}
}

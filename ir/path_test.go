package ir

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
		if got := MatchPath(c.pattern, c.path); got != c.want {
			t.Errorf("MatchPath(%q, %q) = %t", c.pattern, c.path, got)
		}
	}
}

// A search that let every `**` try again would take longer than there is time.
func TestMatchPathIsNotExponential(t *testing.T) {
	pattern := strings.Repeat("**.a.", 50) + "b"
	path := strings.Repeat("a.", 99) + "a"
	if MatchPath(pattern, path) {
		t.Errorf("%s matches %s", pattern, path)
	}
}

func TestUnder(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"net.head", "net.head", true},
		{"net.head", "net.head.w", true},
		{"net.head", "net.header.w", false},
		{"net.head", "net", false},
		{"net.encoder.*.mlp", "net.encoder.block.mlp.up.w", true},
		{"**.block", "net.encoder.block.attn", true},
	} {
		if got := Under(c.pattern, c.path); got != c.want {
			t.Errorf("Under(%q, %q) = %t", c.pattern, c.path, got)
		}
	}
}

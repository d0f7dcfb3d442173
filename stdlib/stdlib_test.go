package stdlib

import (
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	want := []string{"augment", "loss", "metrics", "nn", "optim", "vit", "weights"}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
	for _, name := range want {
		if text, ok := Source(name); !ok || len(text) == 0 {
			t.Errorf("no source of %s", name)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, name := range []string{"", "torch", "nn.vit", "../stdlib/nn"} {
		if text, ok := Source(name); ok {
			t.Errorf("%q has source %q", name, text)
		}
	}
}

package hlo

import (
	"compress/gzip"
	"io"
	"os"
	"testing"
)

// step is a training step of a ViT of width 256 with two layers on four chips, as libtpu 0.0.52
// compiled it for v4:2x2x1.
func step(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/step.hlo.pb.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

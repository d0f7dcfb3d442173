package data

import (
	"path/filepath"
	"testing"

	"vitc/runtime/safetensors"
)

// TestJPEGEqualsPillow: decoders may round differently, a few levels here and there; colour that
// is repeated instead of interpolated is off by dozens.
func TestJPEGEqualsPillow(t *testing.T) {
	f, err := safetensors.Open("testdata/jpeg.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Tensors()) != 3 {
		t.Fatalf("%d pictures", len(f.Tensors()))
	}
	for _, info := range f.Tensors() {
		got, err := readPicture(filepath.Join("testdata", info.Name), 3)
		if err != nil {
			t.Fatal(err)
		}
		want := tensorImage(t, f, info.Name)
		if got.sizes() != want.sizes() {
			t.Fatalf("%s: %s, want %s", info.Name, got.sizes(), want.sizes())
		}
		most, sum := 0, 0
		for i := range got.Pix {
			d := int(got.Pix[i]) - int(want.Pix[i])
			most, sum = max(most, d, -d), sum+max(d, -d)
		}
		if mean := float64(sum) / float64(len(got.Pix)); most > 4 || mean > 0.5 {
			t.Errorf("%s: off by up to %d levels, %.2f on average", info.Name, most, mean)
		}
	}
}

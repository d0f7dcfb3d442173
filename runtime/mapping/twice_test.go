package mapping_test

import (
	"path/filepath"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/runtime/mapping"
	"vitc/runtime/weights"
)

// TestDividedWrongly reads positions without a class token as if the first were the class token's:
// every size fits, and yet it must not pass.
func TestDividedWrongly(t *testing.T) {
	u := load(t, family)
	tensors, err := mapping.Inverse(apply(t, u, "tok", "timm(embed_class: false)").Fills, func(f ir.Fill) ([]float32, error) {
		return random(1, f.Type.Size()), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := weights.WriteFile(path, nil, tensors); err != nil {
		t.Fatal(err)
	}
	_, list := mapping.Find(apply(t, u, "tok", "timm").Fills, files(t, path))
	if list.Errors() != 1 || !strings.Contains(list.Error(), `both read some numbers of "pos_embed"`) {
		t.Errorf("found %v", list)
	}
}

// TestReadInPart reads a head over the class token and the mean into a model whose head sees the token
// alone: every tensor is read, and yet it must not pass.
func TestReadInPart(t *testing.T) {
	u := load(t, family)
	const as = `dinov2(root: "dinov2.")`
	tensors, err := mapping.Inverse(apply(t, u, "mean", as).Fills, func(f ir.Fill) ([]float32, error) {
		return random(1, f.Type.Size()), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := weights.WriteFile(path, nil, tensors); err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]int{"mean": 0, "tok": 1} {
		all := files(t, path)
		found, list := mapping.Find(apply(t, u, model, as).Fills, all)
		if list.Errors() > 0 {
			t.Fatal(list)
		}
		f, err := all.Get("")
		if err != nil {
			t.Fatal(err)
		}
		left := mapping.Unread(f, found, nil, nil)
		if len(left) != want || want > 0 && left[0].Name != "classifier.weight" {
			t.Errorf("%s leaves %v", model, left)
		}
		if left := mapping.Unread(f, found, []string{"classifier.weight"}, nil); len(left) > 0 {
			t.Errorf("%s leaves %v that other lines would read", model, left)
		}
	}
}

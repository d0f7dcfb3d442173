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

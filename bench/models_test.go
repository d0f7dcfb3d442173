package bench

import (
	"slices"
	"testing"
)

// Leaves and timm's tensors are two layouts of the same numbers: there and back is identity.
func TestTimmRoundTrip(t *testing.T) {
	c := Config{"t", 4, 3, 2, 6, 2, 2, 8, 5}
	shapes := map[string]int{
		"patch_embed.proj.weight": 6 * 3 * 4, "patch_embed.proj.bias": 6, "cls_token": 6, "pos_embed": 5 * 6,
		"norm.weight": 6, "norm.bias": 6, "head.weight": 30, "head.bias": 5,
	}
	for _, b := range []string{"blocks.0.", "blocks.1."} {
		for n, size := range map[string]int{"norm1.weight": 6, "norm1.bias": 6, "attn.qkv.weight": 108, "attn.qkv.bias": 18,
			"attn.proj.weight": 36, "attn.proj.bias": 6, "norm2.weight": 6, "norm2.bias": 6,
			"mlp.fc1.weight": 48, "mlp.fc1.bias": 8, "mlp.fc2.weight": 48, "mlp.fc2.bias": 6} {
			shapes[b+n] = size
		}
	}
	tensors := map[string][]float32{}
	for name, n := range shapes {
		for i := range n {
			tensors[name] = append(tensors[name], float32(len(name)*1000+i))
		}
	}
	leaves, err := FromTimm(c, func(name string) (Tensor, error) { return Tensor{Data: tensors[name]}, nil })
	if err != nil {
		t.Fatal(err)
	}
	back := ToTimm(c, leaves)
	if len(back) != len(tensors) {
		t.Errorf("%d tensors came back of %d", len(back), len(tensors))
	}
	for name, want := range tensors {
		if !slices.Equal(back[name], want) {
			t.Errorf("%s: got %v, want %v", name, back[name], want)
		}
	}
	// wq[width, heads, head] is the transpose of the first third of qkv.weight[out, in].
	if got, want := leaves["net.encoder.block.attn.wq"][1], tensors["blocks.0.attn.qkv.weight"][6]; got != want {
		t.Errorf("wq[0, 1] is %v, want qkv[1, 0] = %v", got, want)
	}
}

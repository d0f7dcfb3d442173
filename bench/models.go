// Package bench measures vitc the way its peers are measured: the same plain ViT, the same
// weights and batch, the same training step, one JSON line.
package bench

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Source is the program that is measured; its train block is named peer, its eval infer.
//
//go:embed peer.vit
var Source []byte

// Config is one size of the plain pre-norm ViT with a class token.
type Config struct {
	Name                                                      string
	Image, Channels, Patch, Width, Depth, Heads, Mlp, Classes int
}

// Models lists the sizes by the names that the peers' harness gives them.
var Models = []Config{
	{"ti16", 224, 3, 16, 192, 12, 3, 768, 1000},
	{"s16", 224, 3, 16, 384, 12, 6, 1536, 1000},
	{"b16", 224, 3, 16, 768, 12, 12, 3072, 1000},
	{"b32", 224, 3, 32, 768, 12, 12, 3072, 1000},
	{"l16", 224, 3, 16, 1024, 24, 16, 4096, 1000},
	{"tiny-mnist", 28, 1, 7, 64, 6, 4, 128, 10},
	{"oracle-2layer", 32, 3, 8, 48, 2, 3, 96, 10},
}

// Find looks a size up by name.
func Find(name string) (Config, error) {
	names := make([]string, len(Models))
	for i, c := range Models {
		names[i] = c.Name
		if c.Name == name {
			return c, nil
		}
	}
	return Config{}, fmt.Errorf("there is no model %q; models: %s", name, strings.Join(names, ", "))
}

// Params are the train block's parameters for this size, as source text.
func (c Config) Params(batch int) map[string]string {
	out := map[string]string{}
	for name, n := range map[string]int{"image": c.Image, "channels": c.Channels, "patch": c.Patch, "width": c.Width, "depth": c.Depth,
		"heads": c.Heads, "mlp": c.Mlp, "classes": c.Classes, "batch": batch} {
		out[name] = strconv.Itoa(n)
	}
	return out
}

// Tokens is the length of the sequence, class token included.
func (c Config) Tokens() int { return c.patches() + 1 }

func (c Config) patches() int { return (c.Image / c.Patch) * (c.Image / c.Patch) }

// Flops counts an image's products alone, 2 a multiply-add; a training step is three forwards.
// LayerNorm, softmax, GELU, residuals and the optimizer count nothing.
func (c Config) Flops(train bool) float64 {
	t, d, m := float64(c.Tokens()), float64(c.Width), float64(c.Mlp)
	block := t*d*3*d + 2*t*t*d + t*d*d + 2*t*d*m
	macs := float64(c.patches()*c.Channels*c.Patch*c.Patch)*d + float64(c.Depth)*block + d*float64(c.Classes)
	if train {
		return 6 * macs
	}
	return 2 * macs
}

// Tensor is a float tensor in row-major order.
type Tensor struct {
	Shape []int
	Data  []float32
}

// entry says where a leaf's values lie in timm's names and layouts: the tensor, which third of
// it (of q, k and v; -1: all), and the order in which its axes, split as Split, become ours.
type entry struct {
	leaf, name string
	third      int
	split      func(c Config) []int
	order      []int
}

func whole(c Config) []int { return nil }

var entries = []entry{
	{"net.stem.w", "patch_embed.proj.weight", -1, func(c Config) []int { return []int{c.Width, c.Channels, c.Patch, c.Patch} }, []int{2, 3, 1, 0}},
	{"net.stem.b", "patch_embed.proj.bias", -1, whole, nil},
	{"net.token", "cls_token", -1, whole, nil},
	{"net.pos", "pos_embed", -1, whole, nil},
	{"net.encoder.block.norm1.gain", "blocks.%d.norm1.weight", -1, whole, nil},
	{"net.encoder.block.norm1.shift", "blocks.%d.norm1.bias", -1, whole, nil},
	{"net.encoder.block.attn.wq", "blocks.%d.attn.qkv.weight", 0, square, []int{1, 0}},
	{"net.encoder.block.attn.wk", "blocks.%d.attn.qkv.weight", 1, square, []int{1, 0}},
	{"net.encoder.block.attn.wv", "blocks.%d.attn.qkv.weight", 2, square, []int{1, 0}},
	{"net.encoder.block.attn.bq", "blocks.%d.attn.qkv.bias", 0, whole, nil},
	{"net.encoder.block.attn.bk", "blocks.%d.attn.qkv.bias", 1, whole, nil},
	{"net.encoder.block.attn.bv", "blocks.%d.attn.qkv.bias", 2, whole, nil},
	{"net.encoder.block.attn.wo", "blocks.%d.attn.proj.weight", -1, square, []int{1, 0}},
	{"net.encoder.block.attn.bo", "blocks.%d.attn.proj.bias", -1, whole, nil},
	{"net.encoder.block.norm2.gain", "blocks.%d.norm2.weight", -1, whole, nil},
	{"net.encoder.block.norm2.shift", "blocks.%d.norm2.bias", -1, whole, nil},
	{"net.encoder.block.mlp.up.w", "blocks.%d.mlp.fc1.weight", -1, func(c Config) []int { return []int{c.Mlp, c.Width} }, []int{1, 0}},
	{"net.encoder.block.mlp.up.b", "blocks.%d.mlp.fc1.bias", -1, whole, nil},
	{"net.encoder.block.mlp.down.w", "blocks.%d.mlp.fc2.weight", -1, func(c Config) []int { return []int{c.Width, c.Mlp} }, []int{1, 0}},
	{"net.encoder.block.mlp.down.b", "blocks.%d.mlp.fc2.bias", -1, whole, nil},
	{"net.encoder.norm.gain", "norm.weight", -1, whole, nil},
	{"net.encoder.norm.shift", "norm.bias", -1, whole, nil},
	{"net.head.w", "head.weight", -1, func(c Config) []int { return []int{c.Classes, c.Width} }, []int{1, 0}},
	{"net.head.b", "head.bias", -1, whole, nil},
}

func square(c Config) []int { return []int{c.Width, c.Width} }

// FromTimm lays tensors of timm's names and layouts out as our state leaves: parameters,
// gradients and updates alike. Layers are stacked.
func FromTimm(c Config, get func(name string) (Tensor, error)) (map[string][]float32, error) {
	out := map[string][]float32{}
	for _, e := range entries {
		names := []string{e.name}
		if strings.Contains(e.name, "%d") {
			names = nil
			for i := range c.Depth {
				names = append(names, fmt.Sprintf(e.name, i))
			}
		}
		for _, name := range names {
			t, err := get(name)
			if err != nil {
				return nil, err
			}
			data, err := e.arrange(c, t.Data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out[e.leaf] = append(out[e.leaf], data...)
		}
	}
	return out, nil
}

func (e entry) arrange(c Config, data []float32) ([]float32, error) {
	if e.third >= 0 {
		n := len(data) / 3
		data = data[e.third*n : (e.third+1)*n]
	}
	shape := e.split(c)
	if shape == nil {
		return slices.Clone(data), nil
	}
	n := 1
	for _, s := range shape {
		n *= s
	}
	if n != len(data) {
		return nil, fmt.Errorf("expected %v, found %d values", shape, len(data))
	}
	return permute(data, shape, e.order), nil
}

// permute reorders axes: axis i of the result is axis order[i] of the operand.
func permute(data []float32, shape, order []int) []float32 {
	stride := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		stride[i] = n
		n *= shape[i]
	}
	out := make([]float32, 0, n)
	at := make([]int, len(shape))
	for len(out) < n {
		from := 0
		for i, a := range order {
			from += at[i] * stride[a]
		}
		out = append(out, data[from])
		for i := len(order) - 1; i >= 0; i-- {
			if at[i]++; at[i] < shape[order[i]] {
				break
			}
			at[i] = 0
		}
	}
	return out
}

// Leaves lists the parameters' leaves in a fixed order.
func Leaves() []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.leaf
	}
	return names
}

// ToTimm is the inverse of FromTimm: it names and lays our leaves out as timm does.
func ToTimm(c Config, leaves map[string][]float32) map[string][]float32 {
	out := map[string][]float32{}
	for _, e := range entries {
		data := leaves[e.leaf]
		if !strings.Contains(e.name, "%d") {
			out[e.name] = e.restore(c, data)
			continue
		}
		n := len(data) / c.Depth
		for i := range c.Depth {
			name := fmt.Sprintf(e.name, i)
			out[name] = append(out[name], e.restore(c, data[i*n:(i+1)*n])...)
		}
	}
	return out
}

func (e entry) restore(c Config, data []float32) []float32 {
	shape := e.split(c)
	if shape == nil {
		return data
	}
	ours, back := make([]int, len(shape)), make([]int, len(shape))
	for i, a := range e.order {
		ours[i], back[a] = shape[a], i
	}
	return permute(data, ours, back)
}

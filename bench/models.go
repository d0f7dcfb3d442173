// Package bench measures vitc the way its peers are measured: the same plain ViT, the same
// weights and batch, the same training step, one JSON line.
package bench

import (
	_ "embed"
	"fmt"
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

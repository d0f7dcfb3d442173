package testsuite

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// hybrid is a ViT behind a ResNet stem. published counts millions of parameters with a head of
// 1,000 classes, as timm's tables print them for the same architectures.
type hybrid struct {
	file      string
	vit       string // the row of the zoo with the same encoder
	stages    []int
	patch     int
	published float64
}

var hybrids = []hybrid{
	{"r_ti16", "ti16", nil, 8, 6.34},
	{"r26_s32", "s16", []int{2, 2, 2, 2}, 1, 36.43},
	{"r26_b32", "b16", []int{2, 2, 2, 2}, 1, 101.38},
	{"r50_b16", "b16", []int{3, 4, 9}, 1, 98.66},
	{"r50_l32", "l16", []int{3, 4, 6, 3}, 1, 328.99},
}

// resnet counts the stem's convolutions without biases and the gain and shift of each norm, and
// gives the channels and the side of what it hands on.
func (h hybrid) resnet() (count, channels, side int) {
	conv := func(kernel, from, to int) int { return kernel*kernel*from*to + 2*to }
	count, channels, side = conv(7, 3, 64), 64, 224/4
	for i, blocks := range h.stages {
		mid, out := 64<<i, 256<<i
		for b := range blocks {
			count += conv(1, channels, mid) + conv(3, mid, mid) + conv(1, mid, out)
			if b == 0 {
				count += conv(1, channels, out)
			}
			channels = out
		}
		if i > 0 {
			side /= 2
		}
	}
	return count, channels, side
}

func (h hybrid) parameters(a architecture, classes int) int {
	stem, channels, side := h.resnet()
	grid := side / h.patch
	embed := h.patch*h.patch*channels*a.width + a.width + grid*grid*a.width
	plain := a.patch*a.patch*3*a.width + a.width + a.tokens()*a.width
	return stem + embed + a.body() - plain + a.poolSize() + a.width*classes + classes
}

func TestHybrids(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples", "zoo", "r*_*.vit"))
	if err != nil || len(files) != len(hybrids) {
		t.Errorf("the table has %d hybrids, the zoo %s", len(hybrids), strings.Join(files, ", "))
	}
	for _, h := range hybrids {
		for _, a := range zoo {
			if a.file != h.vit {
				continue
			}
			if got, want := describeZoo(t, h.file).Parameters, h.parameters(a, a.classes); got != want {
				t.Errorf("%s has %d parameters, want %d", h.file, got, want)
			}
			// The class token's own position is not a parameter here: one width less.
			if got := float64(h.parameters(a, 1000)+a.width) / 1e6; math.Abs(got-h.published) > 0.005 {
				t.Errorf("%s has %.3f M with 1,000 classes, published %.2f M", h.file, got, h.published)
			}
		}
	}
}

package mapping_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/lang"
	"vitc/runtime/mapping"
	"vitc/runtime/weights"
)

// family are small models that together have every part that the library's import blocks know.
const family = `edition 1
use vit, nn
let small = (width: 12, depth: 2, mlp: 20, heads: 3, image: 16, channels: 3, patch: 4, classes: 5)
model tok = vit.ViT(...small, pool: vit.Tok)
model one = vit.ViT(...small, depth: 1, pool: vit.Tok)
model gap = vit.ViT(...small, pool: vit.Gap)
model map = vit.ViT(...small, pool: vit.Map)
model rep = vit.ViT(...small, pool: vit.Tok, representation: 7)
model average = vit.ViT(...small, pool: vit.Gap(class_token: true), pooled_norm: true)
model batch = vit.ViT(...small, image: 64, patch: 1, pool: vit.Tok, stem: vit.ResNet(stages: [2], norm: nn.BatchNorm, conv: nn.Conv))
model mean = vit.ViT(...small, pool: vit.Tok, head_mean: true)
model dino = vit.ViT(...small, pool: vit.Tok, block: vit.Block(layer_scale: 0.1, qk_norm: true, qk_norm_bias: true))
model scaled = vit.ViT(...small, pool: vit.Tok, block: vit.Block(layer_scale: 0.1))
model parallel = vit.ViT(...small, pool: vit.Map, block: vit.ParallelBlock(norm_bias: true, qk_norm_bias: true, qkv_bias: true))
model hybrid = vit.ViT(...small, image: 64, patch: 1, pool: vit.Tok, stem: vit.ResNet(stages: [2, 3]))
model root = vit.ViT(...small, image: 64, pool: vit.Tok, stem: vit.ResNet(stages: []))
`

func load(t testing.TB, text string) *lang.Unit {
	t.Helper()
	u, list := lang.Load("family.vit", []byte(text), func(string) ([]byte, error) { return nil, fmt.Errorf("no files") })
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	return u
}

func apply(t testing.TB, u *lang.Unit, model, as string) *ir.Import {
	t.Helper()
	im, list := lang.ImportBlock(u, model, as, "", lang.Options{})
	if list.Errors() > 0 {
		t.Fatalf("%s as %s: %v", model, as, list)
	}
	return im
}

// random draws numbers of any bits but NaN, negative zeros and subnormals among them.
func random(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]float32, n)
	for i := range out {
		switch x := math.Float32frombits(r.Uint32()); {
		case x != x:
			out[i] = float32(math.Copysign(0, -1))
		default:
			out[i] = x
		}
	}
	return out
}

// files opens one file for every name.
func files(t testing.TB, path string) *mapping.Files {
	f := mapping.NewFiles(func(string) string { return path })
	t.Cleanup(func() { f.Close() })
	return f
}

// TestRoundTrip writes models as each library has them, and reads them back: the same bits, and
// nothing left over.
func TestRoundTrip(t *testing.T) {
	u := load(t, family)
	for _, c := range []struct{ as, models, ext string }{
		{"big_vision", "tok one gap map rep", "npz"},
		{`big_vision(position: "Transformer/pos_embedding", embed_class: true, map_head: "")`, "tok rep", "npz"},
		{`big_vision(map_head: "")`, "map", "npz"},
		{`dinov2(root: "dinov2.")`, "mean", "safetensors"},
		{`big_vision(root: "params/")`, "map", "safetensors"},
		{"vision_transformer", "tok one gap rep hybrid root", "npz"},
		{"timm", "tok one gap map rep dino parallel hybrid root average batch", "safetensors"},
		{"timm(embed_class: false)", "tok", "safetensors"},
		{"transformers", "tok one rep", "safetensors"},
		{`transformers(root: "")`, "rep", "safetensors"},
	} {
		for _, model := range strings.Fields(c.models) {
			t.Run(c.as+" "+model, func(t *testing.T) { roundTrip(t, apply(t, u, model, c.as), filepath.Join(t.TempDir(), "w."+c.ext)) })
		}
	}
}

func roundTrip(t *testing.T, im *ir.Import, path string) {
	values := map[string][]float32{}
	tensors, err := mapping.Inverse(im.Fills, func(f ir.Fill) ([]float32, error) {
		values[f.Leaf] = random(uint64(len(values)), f.Type.Size())
		return values[f.Leaf], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := weights.WriteFile(path, nil, tensors); err != nil {
		t.Fatal(err)
	}
	all := files(t, path)
	found, list := mapping.Find(im.Fills, all)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	for _, f := range found {
		got, err := f.Value()
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range got {
			if math.Float32bits(x) != math.Float32bits(values[f.Leaf][i]) {
				t.Fatalf("%s: number %d is %v, was %v", f.Leaf, i, x, values[f.Leaf][i])
			}
		}
		if f.Resized || !f.Exact {
			t.Errorf("%s: resized %v, exact %v", f.Leaf, f.Resized, f.Exact)
		}
	}
	file, err := all.Get("")
	if err != nil {
		t.Fatal(err)
	}
	if left := mapping.Unread(file, found, nil, im.Unused); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// write makes a file of tensors whose numbers count up.
func write(t testing.TB, shapes map[string][]int) string {
	t.Helper()
	var list []weights.Tensor
	for name, shape := range shapes {
		n := 1
		for _, s := range shape {
			n *= s
		}
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(i)
		}
		list = append(list, weights.Tensor{Name: name, Shape: shape, Data: data})
	}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := weights.WriteFile(path, nil, list); err != nil {
		t.Fatal(err)
	}
	return path
}

// program is a module with two leaves, and an import block with the lines given.
func program(lines string) string {
	return "edition 1\nuse nn\nmodule M(layer: axis, width: axis, heads: axis, head: axis) {\n" +
		"  let block = repeat layer { B(width, heads, head) }\n" +
		"  param grid: f32[heads, head] = nn.zeros\n}\n" +
		"module B(width: axis, heads: axis, head: axis) {\n  param w: f32[width, heads, head] = nn.zeros\n" +
		"  fn (x: [..., width]) -> [..., width] { x + 0 * sum(w) }\n}\n" +
		"model m = M(2, 3, 2, 2)\nimport lib for M {\n" + lines + "\n}\n"
}

func importOf(t testing.TB, lines string) (*ir.Import, diag.List) {
	return lang.ImportBlock(load(t, program(lines)), "m", "lib", "", lang.Options{})
}

const blockLine = `"block.w": load("{layer}.w", [width, (heads, head)])` + "\n"

// TestExpressions computes what lines say by hand, over tensors that count up.
func TestExpressions(t *testing.T) {
	path := write(t, map[string][]int{"0.w": {3, 4}, "1.w": {3, 4}, "s": {2, 3, 4}, "q": {3, 2, 2}, "g": {2, 2}, "p": {1, 5}, "big": {4, 4}, "v": {2}})
	for _, c := range []struct {
		line string
		want []float32
	}{
		{`load("g", [heads, head])`, []float32{0, 1, 2, 3}},
		{`load("g", [head, heads])`, []float32{0, 2, 1, 3}},
		{`load("q", [qkv, heads, head])[qkv: 2]`, []float32{8, 9, 10, 11}},
		{`load("p", [1, seq])[seq: 1..] with seq as (heads, head)`, []float32{1, 2, 3, 4}},
		{`load("p", [1, seq])[seq: 0..4] with seq as (head, heads)`, []float32{0, 2, 1, 3}},
		{`load("g", [a, b]) with a as heads with b as head`, []float32{0, 1, 2, 3}},
		{`load("q", [n, heads, head])[n: 0] + load("g", [heads, head])`, []float32{0, 2, 4, 6}},
		{`load("g", [heads, head]) + load("v", [head])`, []float32{0, 2, 2, 4}},
		{`2 * load("g", [heads, head]) - 1`, []float32{-1, 1, 3, 5}},
		{`f32(load("g", [heads, head])) / 2`, []float32{0, 0.5, 1, 1.5}},
		{`sum(load("q", [n, heads, head]), over: n)`, []float32{12, 15, 18, 21}},
		{`mean(load("q", [n, heads, head]), over: n)`, []float32{4, 5, 6, 7}},
		{`(load("g", [heads, head]) with (head, heads) as flat) with flat as (heads, head)`, []float32{0, 2, 1, 3}},
		// 4 to 2 by bilinear interpolation: centres at 0.5 and 2.5, the mean of two neighbours a side
		{`resize(load("big", [heads, head]), over: (heads, head))`, []float32{2.5, 4.5, 10.5, 12.5}},
		// by cubics of a = -3/4: -3/32, 19/32, 19/32 and -3/32 of four neighbours, the ends repeated
		{`resize(load("big", [heads, head]), over: (heads, head), filter: "bicubic")`, []float32{2.03125, 4.21875, 10.78125, 12.96875}},
		{`resize(load("big", [heads, head]), over: (heads, head), corners: true)`, []float32{0, 3, 12, 15}},
		{`load("none", [heads, head])` + "\n" + `"grid": load("g", [heads, head])`, []float32{0, 1, 2, 3}},
		{`load("big", [heads, head])` + "\n" + `"grid": load("g", [head, heads])`, []float32{0, 2, 1, 3}},
	} {
		im, list := importOf(t, blockLine+`"grid": `+c.line)
		if list.Errors() > 0 {
			t.Errorf("%s: %v", c.line, list)
			continue
		}
		found, list := mapping.Find(im.Fills, files(t, path))
		if list.Errors() > 0 {
			t.Errorf("%s: %v", c.line, list)
			continue
		}
		i := slices.IndexFunc(found, func(f *mapping.Filled) bool { return f.Leaf == "m.grid" })
		if got, err := found[i].Value(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.line, got, err, c.want)
		}
	}
}

// TestStackedAndApart reads layers that lie in one tensor, and in one each.
func TestStackedAndApart(t *testing.T) {
	path := write(t, map[string][]int{"0.w": {3, 4}, "1.w": {3, 4}, "s": {2, 3, 4}, "1": {3, 4}, "2": {3, 4}, "g": {2, 2}})
	once := make([]float32, 24)
	twice := make([]float32, 24)
	for i := range once {
		once[i], twice[i] = float32(i), float32(i%12)
	}
	for line, want := range map[string][]float32{
		`load("s", [layer, width, (heads, head)])`:          once,
		`load("{layer}.w", [width, (heads, head)])`:         twice,
		`load("{n}", [width, (heads, head)], n: layer + 1)`: twice,
	} {
		im, list := importOf(t, `"block.w": `+line+"\n"+`"grid": load("g", [heads, head])`)
		if list.Errors() > 0 {
			t.Fatal(line, list)
		}
		found, list := mapping.Find(im.Fills, files(t, path))
		if list.Errors() > 0 {
			t.Fatal(line, list)
		}
		if got, err := found[0].Value(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", line, got, err, want)
		}
	}
}

// TestMisfits holds each message to what a person needs of it.
func TestMisfits(t *testing.T) {
	path := write(t, map[string][]int{"0.w": {3, 4}, "1.w": {3, 4}, "wide": {2, 3}, "g": {2, 2}, "grid": {3, 3}, "lib.h": {2, 2}, "seven": {7}})
	for line, want := range map[string]string{
		`load("wide", [heads, head])`:                                             `tensor "wide" | expected [heads:2, head:2]; found F32[2 3]`,
		`load("wide", [heads, head, 1])`:                                          `expected [heads:2, head:2, 1]; found F32[2 3]`,
		`load("grod", [heads, head])`:                                             "nothing for `m.grid`, f32[heads:2, head:2]: the file has no tensor \"grod\" | 7 others, the nearest \"grid\", F32[3 3]",
		`load("h", [heads, head])`:                                                `names in the file begin with "lib."`,
		`load("seven", [s]) with s as (heads, head)`:                              `s:7 does not split into [heads:2, head:2]`,
		`resize(load("seven", [s]) with s as (heads, head), over: (heads, head))`: `s:7 does not split into [heads, head] | with s as (heads: 14, head: 28)`,
		`load("grid", [a, b]) with a as heads with b as head`:                     "`m.grid` does not fit the loaded value | expected f32[heads:2, head:2]; found f32[heads:3, head:3] | resize(..., over: (heads, head))",
		`load("seven", [s])[s: 9] + load("g", [heads, head])`:                     `s has no positions from 9 to 9`,
	} {
		im, list := importOf(t, blockLine+`"grid": `+line)
		if list.Errors() > 0 {
			t.Errorf("%s: %v", line, list)
			continue
		}
		_, list = mapping.Find(im.Fills, files(t, path))
		var b strings.Builder
		if err := list.Render(&b, func(string) []byte { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(want, " | ") {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s: no %q in\n%s", line, part, b.String())
			}
		}
	}
}

// TestLinesThatCannotBeTurnedRound are refused, never written wrongly.
func TestLinesThatCannotBeTurnedRound(t *testing.T) {
	for line, want := range map[string]string{
		`2 * load("g", [heads, head])`:                       "a line with `mul` cannot be turned round",
		`sum(load("q", [n, heads, head]), over: n)`:          "a line with `sum` cannot be turned round",
		`load("q", [(qkv: 3), heads, head])[qkv: 1]`:         "no line gives number 0 of tensor \"q\"",
		`load("q", [qkv, heads, head])[qkv: 1]`:              `no line says the size of dimension 0 of tensor "q"`,
		`load("0.w", [3, heads, head])`:                      "a dimension of a tensor holds axes",
		`load("0.w", [(three: 3), (heads, head)])[three: 0]`: "two lines fill the same numbers",
	} {
		im, list := importOf(t, blockLine+`"grid": `+line)
		err := list.Err()
		if err == nil {
			_, err = mapping.Inverse(im.Fills, func(f ir.Fill) ([]float32, error) { return make([]float32, f.Type.Size()), nil })
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func TestUnread(t *testing.T) {
	path := write(t, map[string][]int{"a": {1}, "b.c": {1}, "b.d": {1}, "mask_token": {1}})
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	left := mapping.Unread(f, []*mapping.Filled{{Read: []string{"a"}}}, []string{"b.c"}, []string{"*_token"})
	d := mapping.Leftover(f, left, diag.Pos{})
	if len(left) != 1 || d == nil || !strings.Contains(d.Msg, "nothing reads 1 of the 4 tensors") || d.Notes[0].Text != `"b.d" is F32[1]` {
		t.Errorf("%v, %v", left, d)
	}
	if d := mapping.Leftover(f, nil, diag.Pos{}); d != nil {
		t.Error(d)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{{"a", "a", true}, {"a", "ab", false}, {"a*", "a.b/c", true}, {"*a", "ba", true}, {"*a", "ab", false}, {"a*b*c", "axbyc", true}, {"a*b*c", "acb", false}, {"*", "", true}} {
		if ir.MatchName(c.pattern, c.name) != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.name, !c.want)
		}
	}
}

// TestBytes rounds to bf16 as the nearest of both neighbours, ties to even.
func TestBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := math.Float32frombits(rapid.Uint32Range(0, 0x7f7fffff).Draw(t, "bits"))
		b, err := mapping.Bytes(ir.BF16, []float32{x})
		if err != nil {
			t.Fatal(err)
		}
		got := uint32(b[0]) | uint32(b[1])<<8
		lo := math.Float32bits(x) >> 16
		under, over := float64(math.Float32frombits(lo<<16)), float64(math.Float32frombits((lo+1)<<16))
		want := lo
		if up, down := over-float64(x), float64(x)-under; up < down || up == down && lo&1 == 1 {
			want = lo + 1
		}
		if lo+1 < 0x7f80 && got != want {
			t.Fatalf("%v: %#x, want %#x", x, got, want)
		}
		if back, err := mapping.Bytes(ir.F32, []float32{x}); err != nil || mapping.FromBytes(back)[0] != x {
			t.Fatalf("%v: %v, %v", x, back, err)
		}
	})
}

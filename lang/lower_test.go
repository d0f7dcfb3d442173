package lang

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/stdlib"
)

// loadStudy loads a program of testdata/studies.
func loadStudy(t testing.TB, name string) *Unit {
	t.Helper()
	path := filepath.ToSlash(filepath.Join("testdata/studies", name))
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u, list := Load(path, src, os.ReadFile)
	if len(list) > 0 {
		t.Fatal(rendered(t, u, list))
	}
	return u
}

func rendered(t testing.TB, u *Unit, list diag.List) string {
	t.Helper()
	var b strings.Builder
	if err := list.Render(&b, u.Source); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// lowerProgram lowers a train block without errors, and verifies the module.
func lowerProgram(t testing.TB, u *Unit, train string, o Options) *ir.Program {
	t.Helper()
	p, list := Lower(u, train, o)
	if list.Errors() > 0 {
		t.Fatal(rendered(t, u, list))
	}
	if err := ir.Verify(p.Module); err != nil {
		t.Fatal(err)
	}
	return p
}

// Every study checks, as far as the compiler goes.
func TestStudies(t *testing.T) {
	for file, want := range map[string]string{
		"augreg-b16.vit": "", "distill.vit": "", "fashion.vit": "", "lit.vit": "", "probe.vit": "",
		"sweep.vit": "sweeps come later", "vit22b.vit": "", "weights.vit": "",
	} {
		var found []string
		for _, d := range Check(loadStudy(t, file)) {
			found = append(found, d.Msg)
		}
		if got := strings.Join(found, "; "); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// Every train of the studies lowers to a module that the verifier accepts.
func TestLowerStudies(t *testing.T) {
	for _, c := range []struct {
		file, train string
		starts      int // leaves that begin with values from files
	}{
		{"augreg-b16.vit", "pretrain", 0}, {"augreg-b16.vit", "finetune", 22}, {"distill.vit", "distill", 69}, {"fashion.vit", "fashion", 0},
		{"lit.vit", "lit", 38}, {"sweep.vit", "base", 0}, {"vit22b.vit", "pretrain", 0}, {"probe.vit", "probe", 24},
	} {
		u := loadStudy(t, c.file)
		p := lowerProgram(t, u, c.train, Options{})
		starts := 0
		if p.Start != nil {
			starts = len(p.Start.Fills)
		}
		if starts != c.starts {
			t.Errorf("%s %s: %d leaves begin with values from files, want %d", c.file, c.train, starts, c.starts)
		}
	}
}

// What distillation, the probe and LiT compute verifies once their `start` is left out.
func TestLowerWithoutStart(t *testing.T) {
	for _, c := range []struct{ file, train string }{{"distill.vit", "distill"}, {"lit.vit", "lit"}, {"augreg-b16.vit", "finetune"}, {"probe.vit", "probe"}} {
		u := loadStudy(t, c.file)
		decl := u.root.decls[c.train].(*Config)
		var body []Member
		for _, m := range decl.Body {
			if s, ok := m.(*Setting); !ok || s.Key.Name != "start" {
				body = append(body, m)
			}
		}
		decl.Body = body
		p := lowerProgram(t, u, c.train, Options{})
		for _, leaf := range p.State {
			frozen := strings.HasPrefix(leaf.Name, "opt.teacher") || strings.HasPrefix(leaf.Name, "opt.body") || strings.HasPrefix(leaf.Name, "opt.image_tower")
			if frozen {
				t.Errorf("%s: a frozen parameter has optimizer state %s", c.file, leaf.Name)
			}
		}
	}
}

func parameters(p *ir.Program, keep func(name string) bool) int {
	n := 0
	for _, leaf := range p.State {
		if leaf.Kind == ir.LeafParam && keep(leaf.Name) {
			n += leaf.Type.Size()
		}
	}
	return n
}

// Parameter counts of published models.
func TestParameterCounts(t *testing.T) {
	body := func(name string) bool { return !strings.HasPrefix(name, "net.head.") }
	b16 := lowerProgram(t, loadStudy(t, "augreg-b16.vit"), "pretrain", Options{})
	if n := parameters(b16, body); n != 85_798_656-768 { // the class token's position is in the token
		t.Errorf("ViT-B/16 has %d parameters without its head", n)
	}
	big := lowerProgram(t, loadStudy(t, "vit22b.vit"), "pretrain", Options{})
	products := func(name string) bool {
		last := name[strings.LastIndexByte(name, '.')+1:]
		return strings.HasPrefix(name, "net.encoder.block.") && last[0] == 'w'
	}
	if n := parameters(big, products); n/1_000_000 != 21_743 {
		t.Errorf("the blocks of ViT-22B multiply by %d parameters", n)
	}
	for _, leaf := range big.State {
		if leaf.Name == "opt.net.head.w.m" && leaf.Type.DType != ir.BF16 {
			t.Errorf("Adafactor's momentum is %s", leaf.Type)
		}
		if leaf.Name == "net.encoder.block.attn.wq" && leaf.Type.String() != "f32[layer:48, width:6144, heads:48, head:128]" {
			t.Errorf("wq is %s", leaf.Type)
		}
	}
}

// A program's size does not depend on its depth.
func TestDepthCostsNothing(t *testing.T) {
	const src = `edition 1
use vit, loss, optim, augment
data d -> (image: u8[row: 28, col: 28, channel: 1], label: i32[]) { source: idx(images: "i", labels: "l") }
train t(depth = 2) {
  let net = vit.ViT(image: 28, channels: 1, patch: 7, width: 16, depth: depth, heads: 2, mlp: 32, classes: 10, drop: 0.1, drop_path: 0.2)
  data: d
  batch: 4
  epochs: 1
  optimizer: optim.Adafactor
  rate: optim.cosine(peak: 1e-3)
  fn (image: u8[batch, row, col, channel], label: i32[batch]) {
    let m = augment.mixup(augment.pixels(image), real(one_hot(label, net.classes)), alpha: 0.2)
    mean(loss.softmax_xent(net(m.image), m.target, over: classes))
  }
}`
	u, list := Load("t.vit", []byte(src), nil)
	if len(list) > 0 {
		t.Fatal(rendered(t, u, list))
	}
	two := lowerProgram(t, u, "t", Options{}).Module.CountOps()
	many := lowerProgram(t, u, "t", Options{Params: map[string]string{"depth": "48"}}).Module.CountOps()
	if two != many || two == 0 {
		t.Errorf("%d ops at depth 2, %d at depth 48", two, many)
	}
}

// Every module of the library is instantiated, with every fn of it called.
func TestLibrary(t *testing.T) {
	const src = `edition 1
use nn, vit, optim, metrics
model linear = nn.Linear(8, 4)
model no_bias = nn.Linear(8, 4, bias: false)
model norm = nn.LayerNorm(8)
model attention = nn.Attention(8, 2, qk_norm: true, qkv_bias: false, out_bias: false)
model mlp = nn.Mlp(8, 16, act: nn.gelu_erf, drop: 0.1)
model batch_norm = nn.BatchNorm(8)
model group_norm = Pictures()
model patches = vit.Patches(row: 8, col: 8, channel: 3, width: 8, patch: 4)
model learned = vit.Learned(gy: 2, gx: 2, width: 8)
model fixed = vit.SinCos2d(gy: 2, gx: 2, width: 8)
model block = vit.Block(8, 2, 16, drop_path: 0.1, drop: 0.1)
model parallel = vit.ParallelBlock(8, 2, 16, drop_path: 0.1, drop: 0.1)
model encoder = vit.Encoder(3, 8, 2, 16, block: vit.ParallelBlock(act: nn.relu), drop_path: 0.3)
model gap = vit.Gap(8, 2, 16)
model tok = vit.Tok(8, 2, 16)
model map = vit.Map(8, 2, 16)
model whole = vit.ViT(image: 8, patch: 4, width: 8, depth: 2, heads: 2, mlp: 16, classes: 3, position: vit.SinCos2d, pool: vit.Map, representation: 4)
model conv = Filters()
model hybrid = vit.ViT(image: 32, patch: 1, width: 8, depth: 2, heads: 2, mlp: 16, classes: 3, stem: vit.ResNet(stages: [2, 1]))
model hybrid_bn = vit.ViT(image: 32, patch: 1, width: 8, depth: 2, heads: 2, mlp: 16, classes: 3, stem: vit.ResNet(stages: [1, 1, 2], norm: nn.BatchNorm))
model root_only = vit.ViT(image: 32, patch: 8, width: 8, depth: 2, heads: 2, mlp: 16, classes: 3, stem: vit.ResNet(stages: []))
model text = vit.TextTower(vocab: 100, length: 6, width: 8, depth: 2, heads: 2, mlp: 16, embed: 4)

module Filters() {
  axis channel = 2
  let down = nn.Conv(channel, 4, kernel: 5, stride: 2, pad: "valid", bias: true)
  fn (x: [batch, row: 9, col: 8, channel]) -> [batch, row: 3, col: 2, to: 4] { down(x) }
}

module Pictures() {
  axis row = 2
  axis col = 2
  axis channel = 8
  let norm = nn.GroupNorm(channel, groups: 2)
  fn (x: [batch, row, col, channel]) -> [batch, row, col, channel] { norm(x) }
}
`
	u, list := Load("library.vit", []byte(src), nil)
	if list = append(list, Check(u)...); len(list) > 0 {
		t.Error(rendered(t, u, list))
	}
}

// Every file of the library parses, and what its lets and models evaluate to is sound.
func TestLibraryFiles(t *testing.T) {
	for _, name := range stdlib.Names() {
		text, _ := stdlib.Source(name)
		u, list := Load(name+".vit", text, nil)
		if list = append(list, Check(u)...); len(list) > 0 {
			t.Error(rendered(t, u, list))
		}
	}
}

func TestOptions(t *testing.T) {
	u := loadStudy(t, "sweep.vit")
	seed := uint64(9)
	p := lowerProgram(t, u, "base", Options{Params: map[string]string{"variant": "vit.Ti", "steps": "1k"}, Seed: &seed, Precision: "f32", EvalBatches: map[string][]int{"heldout": {7, 4096}}})
	if p.Train.Steps != 1000 || p.Train.Seed != 9 || p.Train.Precision != "f32" || p.Module.Func("step").Precision != ir.F32 {
		t.Errorf("%+v", p.Train)
	}
	if got := fmt.Sprint(p.Evals[0].Funcs); got != "map[7:eval.heldout.b7 4096:eval.heldout]" || p.Module.Func("eval.heldout.b7") == nil {
		t.Error(got)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Params: map[string]string{"stesp": "1"}}, "`base` has no parameter `stesp`"},
		{Options{Params: map[string]string{"steps": "1 +"}}, "--set steps"},
		{Options{Params: map[string]string{"steps": "0.5"}}, "a whole number is wanted for `steps`"},
		{Options{Precision: "f8"}, `the precision cannot be "f8"`},
		{Options{EvalBatches: map[string][]int{"held_out": {1}}}, "there is no eval `held_out`"},
	} {
		p, list := Lower(u, "base", c.o)
		if p != nil || !strings.Contains(list.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, list, c.want)
		}
	}
	if _, list := Lower(u, "bse", Options{}); !strings.Contains(list.Error(), "fix: base") {
		t.Error(list)
	}
}

func BenchmarkLower22B(b *testing.B) {
	u := loadStudy(b, "vit22b.vit")
	for b.Loop() {
		if _, list := Lower(u, "pretrain", Options{}); list.Errors() > 0 {
			b.Fatal(rendered(b, u, list))
		}
	}
}

func BenchmarkCheck22B(b *testing.B) {
	for b.Loop() {
		u := loadStudy(b, "vit22b.vit")
		if list := Check(u); list.Errors() > 0 {
			b.Fatal(rendered(b, u, list))
		}
	}
}

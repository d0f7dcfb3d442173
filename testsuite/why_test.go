package testsuite

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitc/driver"
)

// Of ViT-22B's largest weight on 1,024 chips: fully sharded it is gathered for its products and its
// gradient is scattered, both over two whole dimensions of the torus in 1.66 ms, as JAX's schedule
// has it; and the pre-activation that its product makes is kept, all 18 GiB of it.
func TestWhyOfViT22B(t *testing.T) {
	q := driver.WhyRequest{Source: driver.Source{File: filepath.Join(root, "examples", "vit22b.vit"), Plan: "fsdp"}, Tensor: "net.encoder.block.mlp.up.w"}
	w, err := driver.Explain(driver.NewSources(), q)
	if err != nil {
		t.Fatal(err)
	}
	leaf := w.Values[0]
	if leaf.Device != "f32[layer:48, width:96, mlp:1536]" || !strings.Contains(leaf.Dims[1].Because[0], "`params.width: (x, y, z)`") {
		t.Errorf("the leaf: %+v", leaf)
	}
	found := map[string]int{}
	for _, v := range w.Values {
		for _, d := range v.Dims {
			if last := d.Because[len(d.Because)-1]; len(d.Over) > 0 && !strings.Contains(last, "the plan's line") {
				t.Errorf("%s: %s over %v ends at %q", v.What, d.Label, d.Over, last)
			}
		}
		for _, m := range v.Moves {
			if slices.Equal(m.Over, []string{"x", "y"}) && math.Abs(m.Seconds-1.66e-3) < 1e-5 && m.Times == 96 {
				found[m.Collective]++
			}
		}
	}
	if found["all_gather"] != 2 || found["reduce_scatter"] != 1 {
		t.Errorf("over x and y: %v, want two gathers and a scatter", found)
	}
	q.Tensor = "net.encoder.block.mlp.up"
	if w, err = driver.Explain(driver.NewSources(), q); err != nil {
		t.Fatal(err)
	}
	kept := func(v *driver.WhyValue) bool { return strings.HasSuffix(v.Remat, ": 18.00 GiB a device over 48 turns") }
	if !slices.ContainsFunc(w.Values, kept) {
		t.Error("no value of the MLP is kept")
	}
}

// On virtual devices a step is told of as their machines run it: the second weight is on its way while
// the first one's product is made, and that hides it.
func TestWhyOfWhatIsStarted(t *testing.T) {
	const program = `edition 1
use nn, loss, optim

module Net(width: axis, mlp: axis, classes: axis) {
  param up: f32[width, mlp] = nn.xavier_uniform(from: width)
  param out: f32[mlp, classes] = nn.zeros
  fn (x: [..., width]) -> [..., classes] { dot(tanh(dot(x, up, over: width)), out, over: mlp) }
}

model mlp = Net(width: 1024, mlp: 4096, classes: 1000)

data points -> (x: f32[width: 1024], label: i32[]) {
  source: idx(images: "x.idx", labels: "l.idx")
}

train large {
  let net = mlp()
  data: points
  batch: 2048
  steps: 10
  seed: 0
  precision: f32
  optimizer { "**": optim.Sgd }
  rate: optim.flat(peak: 1e-3)
  fn (x: f32[batch, width], label: i32[batch]) {
    mean(loss.softmax_xent(net(real(x)), real(one_hot(label, net.classes)), over: classes))
  }
}

plan sharded for large {
  devices: cpu(8)
  mesh: (data: 8)
  shard { batch: data, params.mlp: data }
}
`
	file := filepath.Join(t.TempDir(), "net.vit")
	if err := os.WriteFile(file, []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := driver.Explain(driver.NewSources(), driver.WhyRequest{Source: driver.Source{File: file, Plan: "sharded"}, Tensor: "net.out"})
	if err != nil {
		t.Fatal(err)
	}
	hidden := func(m driver.WhyMove) bool {
		return m.As == "started early" && m.Exposed < m.Seconds/2 && len(m.Behind) > 0 && strings.HasPrefix(m.Behind[0], "dot [")
	}
	for _, v := range w.Values {
		if slices.ContainsFunc(v.Moves, hidden) {
			return
		}
	}
	t.Errorf("no move of net.out is hidden behind a product: %+v", w.Values)
}

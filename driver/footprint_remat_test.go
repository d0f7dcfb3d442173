package driver

import (
	"strings"
	"testing"
)

// layered is a small ViT under a plan whose lines of remat meet in one loop.
const layered = `edition 1
use vit, loss, optim, augment
data d -> (image: u8[row: 8, col: 8, channel: 3], label: i32[]) { source: idx(images: "i", labels: "l") }
train t {
  let net = vit.ViT(image: 8, patch: 2, width: 32, depth: 6, heads: 4, mlp: 128, classes: 10)
  data: d
  batch: 64
  steps: 1
  optimizer: optim.AdamW
  rate: optim.flat(peak: 0.1)
  fn (image: u8[batch, row, col, channel], label: i32[batch]) {
    mean(loss.softmax_xent(net(augment.pixels(image)), real(one_hot(label, net.classes)), over: classes))
  }
}
plan p for t {
  devices: tpu.v4(2, 2, 1)
  mesh: (data: 4)
  shard { batch: data }
  remat { LINES }
}
`

// What a device is said to keep for the backward pass follows the policies of parts: whatever holds for
// the rest, the mlp's being computed again saves its hidden layer, f32[layer:6, batch:64/4, token:16, mlp:128].
func TestFootprintByParts(t *testing.T) {
	kept := func(lines string) int64 {
		src := strings.NewReader(strings.Replace(layered, "LINES", lines, 1))
		p, _, err := Load(NewSources(), Source{File: Stdin, Stdin: src, Plan: "p"})
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := footprint(p, p.Chosen())
		if err != nil {
			t.Fatal(err)
		}
		return f.Kept
	}
	const hidden = 6 * 64 / 4 * 16 * 128 * 4
	all, none := kept(`"**": all`), kept(`"**": none`)
	mlp := kept(`"net.encoder.block.mlp": none, "**": all`)
	attn := kept(`"net.encoder.block.mlp": all, "**": none`)
	if mlp-all != hidden || none-attn != hidden {
		t.Errorf("the mlp's hidden layer costs %d beside all, %d beside none; want %d", mlp-all, none-attn, hidden)
	}
	if attn <= all || none <= mlp {
		t.Errorf("attention kept costs nothing: all %d, but the mlp %d; none %d, but attention %d", all, attn, none, mlp)
	}
}

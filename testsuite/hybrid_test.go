package testsuite

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"vitc/bench"
	"vitc/codegen"
	"vitc/driver"
	"vitc/lang"
)

// hybrids are ViTs with a ResNet before them: convolutions, a pool, group or batch norm, and
// a stage with a loop of blocks.
const hybrids = `edition 1
use nn, vit, loss, optim, augment, metrics

data pictures -> (image: u8[row: 16, col: 16, channel: 3], label: i32[]) { source: idx(images: "i", labels: "l") }

train tiny {
  let net = vit.ViT(image: 16, patch: 1, width: 16, depth: 1, heads: 2, mlp: 32, classes: 3, stem: vit.ResNet(stages: STAGES, norm: NORM))
  data: pictures
  batch: 3
  steps: 10
  precision: PRECISION
  optimizer: optim.AdamW
  rate: optim.flat(peak: 1e-3)

  fn (image: u8[batch, row, col, channel], label: i32[batch]) {
    mean(loss.softmax_xent(net(augment.pixels(image)), real(one_hot(label, net.classes)), over: classes))
  }
}

eval test of tiny {
  data: pictures
  batch: 3
  let mean_loss = metrics.Mean()
  fn (image: u8[batch, row, col, channel], label: i32[batch]) {
    mean_loss(f32(loss.softmax_xent(net(augment.pixels(image)), real(one_hot(label, net.classes)), over: classes)))
  }
  fn result() { (loss: mean_loss.result()) }
}
`

// hybridRun is what some steps and an evaluation give.
type hybridRun struct {
	losses []float64
	avg    []float32 // the first norm's running average, where it has one
}

func runHybrid(t *testing.T, src, target string) hybridRun {
	t.Helper()
	unit, list := lang.Load("hybrid.vit", []byte(src), func(string) ([]byte, error) { return nil, os.ErrNotExist })
	if list.Err() != nil {
		t.Fatal(list)
	}
	p, list := lang.Lower(unit, "tiny", lang.Options{})
	if list.Err() != nil {
		t.Fatal(list)
	}
	tg, _, err := driver.ChooseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	built, err := driver.Build(context.Background(), p, tg, driver.MachineOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	m, err := built.Open(driver.MachineOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return stepHybrid(t, m)
}

func stepHybrid(t *testing.T, m codegen.Machine) (r hybridRun) {
	t.Helper()
	call := func(fn string, inputs map[string][]byte) []codegen.Result {
		out, err := m.Call(context.Background(), fn, inputs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	image, label := make([]byte, 3*16*16*3), make([]byte, 3*4)
	for i := range image {
		image[i] = byte(i * i % 251)
	}
	for i := range 3 {
		binary.LittleEndian.PutUint32(label[4*i:], uint32(i))
	}
	inputs := map[string][]byte{"image": image, "label": label}
	train := map[string][]byte{"image": image, "label": label, "steps": binary.LittleEndian.AppendUint32(nil, math.Float32bits(10))}
	call("init", map[string][]byte{"seed": make([]byte, 8)})
	for range 4 {
		for _, x := range call("step", train) {
			if x.Name == "loss" {
				r.losses = append(r.losses, float64(bench.Floats(x.Data)[0]))
			}
		}
	}
	call("eval.test.init", nil)
	call("eval.test", inputs)
	for _, x := range call("eval.test.result", nil) {
		r.losses = append(r.losses, float64(bench.Floats(x.Data)[0]))
	}
	if b, err := m.Leaf("net.stem.norm1.avg"); err == nil {
		r.avg = bench.Floats(b)
	}
	return r
}

// A hybrid trains and is evaluated natively as the interpreter says, with either norm. In bf16
// sums that are added in another order round to neighbours.
func TestHybrids(t *testing.T) {
	for _, c := range []struct {
		stages, norm, precision string
		within                  float64
	}{
		{"[1, 1]", "nn.GroupNorm", "f32", 1e-4},
		{"[2]", "nn.GroupNorm(groups: 16)", "f32", 1e-4},
		{"[1, 2]", "nn.BatchNorm", "f32", 1e-4},
		{"[1, 2]", "nn.BatchNorm", "bf16", 2e-3},
	} {
		t.Run(fmt.Sprint(c.stages, c.norm, c.precision), func(t *testing.T) {
			src := strings.NewReplacer("STAGES", c.stages, "NORM", c.norm, "PRECISION", c.precision).Replace(hybrids)
			want, got := runHybrid(t, src, "ref"), runHybrid(t, src, "cpu")
			if len(want.losses) != 5 || len(got.losses) != 5 || want.losses[0] == want.losses[3] {
				t.Fatalf("losses %v and %v", want.losses, got.losses)
			}
			for i, w := range want.losses {
				if !(math.Abs(got.losses[i]-w) <= c.within*max(1, w)) {
					t.Errorf("loss %d is %g, the interpreter's %g", i, got.losses[i], w)
				}
			}
			if batch := strings.Contains(c.norm, "Batch"); batch != (len(want.avg) > 0) || batch && want.avg[0] == 0 {
				t.Errorf("running averages %v", want.avg)
			}
			for i, w := range want.avg {
				if !(math.Abs(float64(got.avg[i]-w)) <= c.within) {
					t.Errorf("running average %d is %g, the interpreter's %g", i, got.avg[i], w)
				}
			}
		})
	}
}

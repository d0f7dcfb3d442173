package driver

import (
	"path/filepath"
	"testing"

	"vitc/ir/topology"
	"vitc/lang"
)

// ViT-22B's plans on 1,024 chips, as libtpu 0.0.52 schedules the programs of both and an estimator
// reads them back: 11.8 s fully sharded, of it 0.5 s exposed, and 14.5 s by tensor parallelism, 2.3 s
// exposed. The model knows nothing of the compiler's layouts and spills; it is to be right within a
// fifth, and about the order.
func TestPricesOfViT22B(t *testing.T) {
	file := filepath.Join("..", "examples", "vit22b.vit")
	text, err := NewSources().Read(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, list := lang.Load(file, text, readFile)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	top, err := topology.Parse("tpu:v4:8x8x16")
	if err != nil {
		t.Fatal(err)
	}
	const off = 0.2
	last := 0.0
	for _, c := range []struct {
		plan string
		step float64
	}{{"fsdp", 11.83}, {"tp4", 14.49}} {
		p, _, err := lower(u, "pretrain", lang.Options{Plan: c.plan})
		if err != nil {
			t.Fatal(err)
		}
		x := newPricer(p, top)
		got, err := x.time(p.Chosen())
		if err != nil {
			t.Fatal(err)
		}
		if err := x.memory(got); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", c.plan, got.Price)
		if got.Step < c.step*(1-off) || got.Step > c.step*(1+off) || got.Step <= last || !got.Fits {
			t.Errorf("%s: %+v, want about %.2f s", c.plan, got.Price, c.step)
		}
		last = got.Step
	}
}

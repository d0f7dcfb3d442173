package driver

import (
	"math"
	"path/filepath"
	"testing"

	"vitc/ir"
	"vitc/ir/topology"
	"vitc/lang"
)

// pricedPlan is the price of a plan of an example, changed before.
func pricedPlan(t *testing.T, file, plan string, change func(*ir.Plan)) Price {
	t.Helper()
	file = filepath.Join("..", "examples", file)
	text, err := NewSources().Read(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, list := lang.Load(file, text, readFile)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	p, _, err := lower(u, "pretrain", lang.Options{Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	change(p.Chosen())
	top, err := topology.Of(p.Chosen().Devices)
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
	t.Logf("%s %s: %+v", file, plan, got.Price)
	return got.Price
}

// Plans as libtpu 0.0.52 schedules their programs and an estimator reads them back, in seconds a step,
// and of them waited for transfers. The model knows nothing of the compiler's layouts and spills: it is
// to be right within a tenth, and about the best of ViT-22B's plans.
func TestPricesOfPlans(t *testing.T) {
	same := func(*ir.Plan) {}
	best := 0.0
	for _, c := range []struct {
		file, plan    string
		change        func(*ir.Plan)
		step, exposed float64 // exposed 0: not looked at
	}{
		{"vit22b.vit", "fsdp", same, 11.52, 0.166},
		{"effects.vit", "fsdp_plain", same, 12.00, 0.81},
		{"vit22b.vit", "fsdp", func(p *ir.Plan) { p.Micro = 4 }, 11.81, 0.83},
		{"vit22b.vit", "tp4", same, 12.69, 0.27},
		{"zoo/e14.vit", "v4", same, 0.606, 0},
		{"zoo/gigantic14.vit", "v4", same, 0.616, 0},
		{"zoo/e14.vit", "v5e", same, 4.47, 0},
	} {
		const off, late = 0.1, 0.35
		got := pricedPlan(t, c.file, c.plan, c.change)
		if math.Abs(got.Step-c.step) > off*c.step || !got.Fits || c.exposed > 0 && math.Abs(got.Exposed-c.exposed) > late {
			t.Errorf("%s %s: %+v, want about %.3f s, %.2f of them exposed", c.file, c.plan, got, c.step, c.exposed)
		}
		if best == 0 {
			best = got.Step
		}
		if c.step > 10 && got.Step < best {
			t.Errorf("%s %s takes %g s, less than the best one by the compiler", c.file, c.plan, got.Step)
		}
	}
}

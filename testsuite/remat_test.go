package testsuite

import (
	"math"
	"path/filepath"
	"testing"

	"vitc/driver"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/passes"
)

// planned loads a program's step and one of its plans.
func planned(t *testing.T, file, name string) (*ir.Module, *ir.Plan) {
	t.Helper()
	p, _, err := driver.Load(driver.NewSources(), driver.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Plans {
		if p.Plans[i].Name == name {
			return &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{p.Module.Func("step")}}, &p.Plans[i]
		}
	}
	t.Fatalf("no plan %s", name)
	return nil, nil
}

// TestViT22BRemat is what each policy keeps of ViT-22B's 48 blocks on a chip of 1,024, of 65,536
// examples at once or in slices. By hand: of one example of 256 tokens in bf16 a block's input is
// 3 MiB, each of q, k, v and the attention's result as much, the scores 6, and the MLP's h 12;
// a chip has 64 examples. Statistics add 0.7 GiB. With 28.8 GiB less what else is there, fit has
// room for one of the projections, or, in two slices, for h, which saves most.
func TestViT22BRemat(t *testing.T) {
	for _, c := range []struct {
		micro   int
		policy  ir.RematPolicy
		gib     float64
		largest string // what is kept beside the block's input and statistics
	}{
		{1, ir.RematNone, 9 + 0.7 + 9*4 + 18 + 36, "dot dot dot dot dot add"},
		{1, ir.RematDots, 9 + 0.7 + 9*4 + 18 + 36, "dot dot dot dot dot add"},
		{1, ir.RematAll, 9 + 0.7, ""},
		{1, ir.RematFit, 9 + 0.7 + 9, "dot"},
		{2, ir.RematAll, 4.5 + 0.35, ""},
		{2, ir.RematFit, 4.5 + 0.35 + 18, "add"},
	} {
		m, plan := planned(t, filepath.Join("..", "examples", "vit22b.vit"), "fsdp")
		plan.Micro = c.micro
		plan.Remat = []ir.RematLine{{Path: "net.encoder.block", Policy: c.policy}}
		var said []passes.Remat
		runPasses(t, m, onePasses, passes.Config{Plan: plan, Remat: func(r passes.Remat) { said = append(said, r) }})
		if len(said) != 1 || said[0].Turns != 48 || said[0].Path != "net.encoder" {
			t.Fatalf("%s: got %v", c.policy, said)
		}
		r, large := said[0], ""
		for _, k := range r.Kept {
			if k.Bytes > 1<<30 && k.Value.Def != nil {
				large += " " + k.Value.Def.Row.Name
			}
		}
		got := float64(r.Bytes) / (1 << 30)
		t.Logf("micro %d, %s: %.2f GiB kept, %.3f s of products done again in each slice, room for %.2f GiB", c.micro, c.policy, got, r.Seconds, float64(r.Free)/(1<<30))
		if math.Abs(got-c.gib) > 0.05 || len(large) > 0 && large[1:] != c.largest || large == "" && c.largest != "" {
			t.Errorf("micro %d, %s: %.2f GiB with%s, want %.2f with %s", c.micro, c.policy, got, large, c.gib, c.largest)
		}
	}
}

// TestViT22BInSlices: slices of the batch lie on the devices as the batch does, and gradients add
// up as their parameters lie. Nothing is gathered for them.
func TestViT22BInSlices(t *testing.T) {
	m, plan := planned(t, filepath.Join("..", "examples", "vit22b.vit"), "fsdp")
	o := passes.Options{Config: passes.Config{Plan: plan}, Note: func(_ string, d *diag.Diagnostic) { t.Errorf("%v", d) }}
	if err := passes.Run(m, append(append([]string(nil), onePasses...), meshPasses...), o); err != nil {
		t.Fatal(err)
	}
	for _, op := range m.Func("step").Body.Ops {
		a, ok := op.Attrs.(*ir.ScanAttrs)
		if !ok {
			continue
		}
		held := 0
		for _, v := range op.Out {
			held += v.Type.Bytes()
		}
		// 21.7 G parameters in f32 over 1,024 devices, and the head of 6,144 x 29,593, which the
		// classes leave cut by 64 alone, as they do other leaves in part.
		if a.Length != plan.Micro || held > 120<<20 {
			t.Errorf("a scan of %d slices adds up %d bytes on a device", a.Length, held)
		}
		return
	}
	t.Error("no scan over slices")
}

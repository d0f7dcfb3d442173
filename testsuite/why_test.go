package testsuite

import (
	"math"
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

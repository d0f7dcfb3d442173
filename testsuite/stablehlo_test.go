package testsuite

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vitc/codegen/stablehlo"
	"vitc/driver"
	"vitc/passes"
)

// The text of ViT-22B's step, 48 blocks on 1,024 chips, is small and made quickly, and the same
// each time, whoever divides it.
func TestStableHLOOfViT22B(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  stablehlo.Mode
		until string // the last pass
	}{{"single", stablehlo.Single, "order"}, {"annotated", stablehlo.Annotated, "propagate"}, {"manual", stablehlo.Manual, "partition"}} {
		p, _, err := driver.Load(driver.NewSources(), driver.Source{File: filepath.Join(root, "examples", "vit22b.vit"), Plan: "fsdp"})
		if err != nil {
			t.Fatal(err)
		}
		names := passes.Pipeline("xla")
		names = names[:slices.Index(names, c.until)+1]
		if err := passes.Run(p.Module, names, passes.Options{Config: passes.Config{Plan: &p.Plans[0]}}); err != nil {
			t.Fatal(err)
		}
		emit := func() []byte {
			text, err := stablehlo.Emit(p.Module.Func("step"), stablehlo.Options{Mode: c.mode, Mesh: p.Plans[0].Mesh})
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		start := time.Now()
		text := emit()
		took := time.Since(start)
		t.Logf("%s: %d bytes in %v", c.name, len(text), took)
		if took > time.Second || len(text) > 1<<20 {
			t.Errorf("%s: %d bytes in %v: wants a MiB and a second at most", c.name, len(text), took)
		}
		if !bytes.Equal(text, emit()) {
			t.Errorf("%s: two texts differ", c.name)
		}
	}
}

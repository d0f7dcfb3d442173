package driver

import (
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vitc/ir"
	"vitc/lang"
	"vitc/passes"
)

// What the passes may allocate for ViT-22B on 1,024 chips, all together: the memory that they hold at
// one time is less. A run on two quiet cores takes a quarter of a second.
const passesBudget = 500 << 20

// compiled takes ViT-22B's step, with some text replaced, through a target's passes, and gives the
// number of its ops and the bytes that the passes have allocated.
func compiled(t *testing.T, target, plan string, replace ...string) (ops int, bytes uint64) {
	t.Helper()
	file := filepath.Join("..", "examples", "vit22b.vit")
	text, err := NewSources().Read(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, list := lang.Load(file, []byte(strings.NewReplacer(replace...).Replace(string(text))), readFile)
	if list.Errors() > 0 {
		t.Fatal(list)
	}
	p, _, err := lower(u, "pretrain", lang.Options{Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	step, _ := described(p.Module)
	m := &ir.Module{Phase: p.Module.Phase, Funcs: []*ir.Func{step}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := runPasses(m, passes.Pipeline(target), passOptions(target, p.Chosen())); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	ops, bytes = m.CountOps(), after.TotalAlloc-before.TotalAlloc
	t.Logf("%s, %s, %v: %d ops, %d MiB, %v", target, plan, replace, ops, bytes>>20, time.Since(start).Round(time.Millisecond))
	return ops, bytes
}

// All passes for ViT-22B on 1,024 chips stay within their budget, and neither a deeper model nor more
// chips cost more: what memory holds decides what is kept, and that by some ops alone.
func TestPassesGrowWithNeitherDepthNorChips(t *testing.T) {
	deeper := []string{"...vit.W22B,", "...vit.W22B, depth: 96,"}
	fewer := []string{"tpu.v4(8, 8, 16)", "tpu.v4(8, 8, 8)", "z: 16", "z: 8", "data: 256, model: 4", "data: 128, model: 4", "batch: 65536", "batch: 32768"}
	const off = 0.1
	for _, plan := range []string{"fsdp", "tp4"} {
		for _, target := range []string{xlaTarget, nativeTarget} {
			ops, bytes := compiled(t, target, plan)
			if bytes > passesBudget {
				t.Errorf("%s, %s: %d MiB", target, plan, bytes>>20)
			}
			for _, replace := range [][]string{deeper, fewer} {
				n, b := compiled(t, target, plan, replace...)
				if math.Abs(float64(n)-float64(ops)) > off*float64(ops) || math.Abs(float64(b)-float64(bytes)) > off*float64(bytes) {
					t.Errorf("%s, %s, %v: %d ops and %d MiB, as it stands %d and %d", target, plan, replace, n, b>>20, ops, bytes>>20)
				}
			}
		}
	}
}

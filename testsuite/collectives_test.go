package testsuite

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"vitc/ir"
	"vitc/passes"
)

// TestLargeCollectivesStayInLoops: of the golden case's layers, made wide, the gain's gather and sum
// leave the loop, 48 KiB of three layers; a weight's 192 MiB stay, one layer at a time.
func TestLargeCollectivesStayInLoops(t *testing.T) {
	a, err := txtar.ParseFile(filepath.Join("testdata", "passes", "collectives", "layers.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	wide := strings.NewReplacer("width:8", "width:4096", "mlp:16", "mlp:4096", "batch:8", "batch:65536").Replace(string(a.Files[0].Data))
	m := parsed(t, wide)
	runPasses(t, m, []string{"propagate", "partition", "collectives"}, passes.Config{Plan: planOf(t, a)})
	front, rest, _ := strings.Cut(m.String(), " = scan ")
	turn, behind, _ := strings.Cut(rest, "\n  }\n")
	for _, c := range []struct{ where, text, what, of string }{
		{"in front of the loop", front, "all_gather", "%g "},
		{"in the loop", turn, "all_gather", "%w1 "},
		{"in the loop", turn, "all_gather", "%v1 "},
		{"in the loop", turn, "reduce_scatter", "%gw "},
		{"in the loop", turn, "reduce_scatter", "%gv "},
		{"behind the loop", behind, "reduce_scatter", "%dg "},
		{"behind the loop", behind, "all_reduce", "%t "},
	} {
		if !strings.Contains(c.text, " = "+c.what+" "+c.of) {
			t.Errorf("expected %s a %s of %s, found\n%s", c.where, c.what, c.of, m)
		}
	}
	if n := strings.Count(m.String(), "all_gather") + strings.Count(m.String(), "reduce_scatter") + strings.Count(m.String(), "all_reduce"); n != 7 {
		t.Errorf("%d collectives, expected 7:\n%s", n, m)
	}
}

// TestPrefetchedIsWhatIsWaitedFor: of the golden case's layers, made wide, a turn reads one weight
// behind a norm's gain and another behind a product. The first is gathered by the turn before where
// the gain takes less time than the gather; the second is on its way while the product is computed.
// Where memory is full both stay.
func TestPrefetchedIsWhatIsWaitedFor(t *testing.T) {
	a, err := txtar.ParseFile(filepath.Join("testdata", "passes", "collectives", "layers.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		batch   string
		reserve float64
		want    []string
	}{
		{"65536", 0, nil}, // the gain 0.57 ms, a gather 0.56
		{"32768", 0, []string{"w"}},
		{"32768", 0.9, nil},
	} {
		wide := strings.NewReplacer("width:8", "width:4096", "mlp:16", "mlp:4096", "batch:8", "batch:"+c.batch, "layer:3", "layer:48", "length=3", "length=48").Replace(string(a.Files[0].Data))
		m, plan := parsed(t, wide), planOf(t, a)
		plan.Devices.Chip, plan.Reserve = "v4", c.reserve
		runPasses(t, m, []string{"propagate", "partition", "collectives", "prefetch"}, passes.Config{Plan: plan})
		for _, weight := range []string{"w", "v"} {
			ahead := strings.Contains(m.String(), " = roll %"+weight+" ")
			if ahead != slices.Contains(c.want, weight) {
				t.Errorf("batch %s, %g in reserve: %s ahead is %v, expected those of %v\n%s", c.batch, c.reserve, weight, ahead, c.want, m)
			}
		}
	}
}

// TestSplitWhereItPays: the gradient of a weight that every device has is summed by all, and so is the
// step, unless work on blocks saves more than it takes to gather what comes of it: the new weight, and
// the average of a step that keeps one. What is small is not worth a kernel more.
func TestSplitWhereItPays(t *testing.T) {
	const step = `ir differentiated
func @step(%w: f32[width:8192, mlp:8192] state="w", %m: f32[width:8192, mlp:8192] state="m", %x: f32[batch:65536, width:8192] input="x") -> (f32[width:8192, mlp:8192] state="w", f32[width:8192, mlp:8192] state="m") {
  %y: f32[batch:65536, mlp:8192] = dot %x, %w [bw,wm->bm]
  %dw: f32[width:8192, mlp:8192] = dot %x, %y [bw,bm->wm]
  MEAN
  %s: f32[width:8192, mlp:8192] = mul %STEP, 0.125
  %w2: f32[width:8192, mlp:8192] = sub %w, %s
  yield %w2, %NEW
}`
	plain := strings.NewReplacer("MEAN", "", "STEP", "dw", "NEW", "m").Replace(step)
	mean := strings.NewReplacer("MEAN", "%a: f32[width:8192, mlp:8192] = mul %m, 0.5\n  %m2: f32[width:8192, mlp:8192] = add %a, %dw", "STEP", "m2", "NEW", "m2").Replace(step)
	for name, c := range map[string]struct {
		text, want string
	}{
		"plain": {plain, "reduce_scatter"},
		"small": {strings.ReplaceAll(plain, "8192", "64"), "all_reduce"},
		"mean":  {mean, "all_reduce"},
	} {
		m := parsed(t, c.text)
		plan := &ir.Plan{Mesh: ir.Mesh{{Name: "data", Size: 8}}, Shard: []ir.ShardLine{{Axis: "batch", Over: []string{"data"}}}}
		runPasses(t, m, []string{"propagate", "partition", "collectives"}, passes.Config{Plan: plan})
		if !strings.Contains(m.String(), " = "+c.want+" %dw ") {
			t.Errorf("%s: expected a %s of the gradient:\n%s", name, c.want, m)
		}
	}
}

// TestJoinedAreSmallAndApart: of gathers, those of gains are one, those of weights stay; a sum that
// waits for another is none with it.
func TestJoinedAreSmallAndApart(t *testing.T) {
	m := parsed(t, `ir partitioned mesh(data:8)
func @f(%a: f32[width:128]{width@data} input="a", %b: f32[width:128]{width@data} input="b", %v: f32[width:512, mlp:4096]{width@data} input="v", %w: f32[width:512, mlp:4096]{width@data} input="w", %x: f32[batch:8, width:1024]{batch@data} input="x") -> (f32[width:1024] output="p", f32[width:1024] output="q", f32[width:4096, mlp:4096] output="r", f32[width:4096, mlp:4096] output="s", f32[] output="t", f32[] output="u") {
  %p: f32[width:1024] = all_gather %a dim=0 over=data
  %q: f32[width:1024] = all_gather %b dim=0 over=data
  %r: f32[width:4096, mlp:4096] = all_gather %v dim=0 over=data
  %s: f32[width:4096, mlp:4096] = all_gather %w dim=0 over=data
  %l: f32[]{+data} = reduce %x [bw->] kind=sum
  %t: f32[] = all_reduce %l over=data kind=sum
  %y: f32[batch:8, width:1024]{batch@data} = mul %x, %t
  %k: f32[]{+data} = reduce %y [bw->] kind=sum
  %u: f32[] = all_reduce %k over=data kind=sum
  yield %p, %q, %r, %s, %t, %u
}`)
	plan := &ir.Plan{Mesh: m.Mesh}
	runPasses(t, m, []string{"collectives"}, passes.Config{Plan: plan})
	for row, want := range map[string]int{" = all_gather ": 3, " = all_reduce ": 2, " = concat ": 1} {
		if got := strings.Count(m.String(), row); got != want {
			t.Errorf("%d%s, expected %d:\n%s", got, row, want, m)
		}
	}
}

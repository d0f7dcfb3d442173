package testsuite

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

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

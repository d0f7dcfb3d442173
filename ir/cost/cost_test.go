package cost

import (
	"math"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/topology"
)

func model(t *testing.T, target string, mesh ir.Mesh) *Model {
	t.Helper()
	top, err := topology.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Of(top, mesh)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var vit22b = ir.Mesh{{Name: "data", Size: 64}, {Name: "model", Size: 16}}

// The figures are those of an estimator of its own that reads what libtpu 0.0.52 schedules for
// ViT-22B on 1,024 chips (its log of collectives): the reduce-scatter of an MLP gradient over the
// 64 devices of two whole dimensions, 1.66 ms, and the same gradient as a whole all-reduce, 3.3 ms.
func TestCollectivesAsTheEstimatorHasThem(t *testing.T) {
	m := model(t, "tpu:v4:8x8x16", vit22b)
	const gradient = 6144 * 24576 * 2
	for _, c := range []struct {
		row   string
		bytes float64
		over  []string
		want  float64
	}{
		{"reduce_scatter", gradient, []string{"data"}, 1.66e-3},
		{"all_reduce", gradient, []string{"data"}, 3.32e-3},
		{"all_gather", gradient / 64, []string{"data"}, 1.66e-3},
		{"reduce_scatter", gradient, []string{"model"}, 3.15e-3},            // a ring of 16: two links
		{"all_gather", gradient / 1024, []string{"data", "model"}, 1.13e-3}, // six links
		{"reduce_scatter", gradient, []string{"data", "model"}, 2.267e-3},   // as an all_reduce
		{"all_reduce", gradient, []string{"data", "model"}, 2.267e-3},
		{"all_to_all", gradient / 16, []string{"model"}, 0.873e-3},
	} {
		if got := m.Move(c.row, c.bytes, c.over); math.Abs(got-c.want) > 0.01*c.want {
			t.Errorf("%s of %.0f MB over %v: %.3f ms, want %.3f", c.row, c.bytes/1e6, c.over, got*1e3, c.want*1e3)
		}
	}
}

// A sum along two dimensions of different sizes goes around one ring of their 128 devices: 37.7 MB
// are scattered in 0.48 ms, as that estimator has it, where two of one size take 0.21 ms.
func TestSumsAlongUnevenDimensions(t *testing.T) {
	m := model(t, "tpu:v4:8x8x16", ir.Mesh{{Name: "x", Size: 8}, {Name: "y", Size: 8}, {Name: "z", Size: 16}})
	const bytes = 3072 * 6144 * 2
	for over, want := range map[string]float64{"xz": 0.480e-3, "yz": 0.480e-3, "xy": 0.214e-3, "x": 0.371e-3} {
		if got := m.Move("reduce_scatter", bytes, strings.Split(over, "")); math.Abs(got-want) > 0.03*want {
			t.Errorf("along %s: %.3f ms, want %.3f", over, got*1e3, want*1e3)
		}
	}
	if all, one := m.Sends(8*bytes, "x"), m.Permute(bytes, []string{"x"}, 1); math.Abs(all-8*one) > 0.02*all {
		t.Errorf("an exchange among eight: %.2f ms, a send to a neighbour %.2f", all*1e3, one*1e3)
	}
}

// A permute by one place of a ring takes one link; one by many places loads links many times.
func TestPermute(t *testing.T) {
	m := model(t, "tpu:v4:8x8x16", vit22b)
	const bytes, link = 45e6, 4.5e10
	for step, links := range map[int]float64{1: 1, 15: 1, 2: 2, 8: 4} { // by 8, half of the messages go each way
		want := links*bytes/link + math.Min(float64(step), float64(16-step))*topology.Hop
		if got := m.Permute(bytes, []string{"model"}, step); math.Abs(got-want) > 1e-9 {
			t.Errorf("by %d: %.4f ms, want %.4f", step, got*1e3, want*1e3)
		}
	}
}

// libtpu's estimates of products alone, as parts of the peak.
func TestEfficiency(t *testing.T) {
	for _, c := range []struct {
		target    string
		p         Product
		want, off float64
	}{
		{"tpu:v4:2x2x1", Product{1, 8192, 6144, 24576, ir.BF16}, 0.92, 0.05},
		{"tpu:v4:2x2x1", Product{1, 16448, 1664, 1664, ir.BF16}, 0.85, 0.1},
		{"tpu:v4:2x2x1", Product{1, 16448, 768, 3072, ir.BF16}, 0.83, 0.1},
		{"tpu:v4:2x2x1", Product{1, 16448, 6144, 384, ir.BF16}, 0.91, 0.05},
		{"tpu:v5e:2x2", Product{1, 16384, 6144, 6144, ir.BF16}, 0.97, 0.05},
		{"tpu:v5p:2x2x1", Product{1, 16448, 768, 3072, ir.BF16}, 0.93, 0.1},
		{"tpu:v6e:2x2", Product{1, 16384, 6144, 6144, ir.BF16}, 0.90, 0.1},
		{"tpu:v3:2x2", Product{1, 8192, 6144, 24576, ir.BF16}, 0.97, 0.05},
	} {
		var mesh ir.Mesh
		top, err := topology.Parse(c.target)
		if err != nil {
			t.Fatal(err)
		}
		mesh = ir.Mesh{{Name: "all", Size: top.Devices()}}
		if got := model(t, c.target, mesh).Efficiency(c.p); math.Abs(got-c.want) > c.off {
			t.Errorf("%s %+v: %.2f of the peak, want %.2f", c.target, c.p, got, c.want)
		}
	}
}

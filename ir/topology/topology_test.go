package topology

import (
	"errors"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/diag"
)

func parse(t *testing.T, name string) *Topology {
	t.Helper()
	top, err := Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, target string
		devices      int
	}{
		{"tpu:v4:8x8x16", "tpu:v4:8x8x16", 1024}, {"v5e:16x16", "tpu:v5e:16x16", 256}, {"v3:4x4", "tpu:v3:4x4", 32},
		{"v5p:16x20x28", "tpu:v5p:16x20x28", 8960}, {"v6e:1x1", "tpu:v6e:1x1", 1}, {"cpu:8", "cpu:8", 8},
		{"v4:16x8x8", "tpu:v4:16x8x8", 1024}, {"v4:2x2x1", "tpu:v4:2x2x1", 4}, {"v5e:2x1", "tpu:v5e:2x1", 2},
	} {
		top := parse(t, c.name)
		if got := top.Target(); got != c.target || top.Devices() != c.devices {
			t.Errorf("%s: %s with %d devices, want %s with %d", c.name, got, top.Devices(), c.target, c.devices)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"tpu:v4", "has no shape"}, {"v44:8x8x16", `no chip "v44"`}, {"gpu:8", `no chip "gpu"`}, {"v4", "has no shape"},
		{"v4:8x8", "2 sizes, but v4 chips form a torus of 3 dimensions"}, {"v5e:4x4x4", "3 sizes"}, {"v4:8x8x", `has "" for a size`},
		{"v4:8x-8x16", "below 1"}, {"v4:8x08x16", `has "08"`}, {"v4:0x8x8", "below 1"}, {"v4:16x16x20", "larger than a whole machine, 16x16x16"},
		{"v5p:20x20x28", "larger"}, {"v4:3x2x1", "whole hosts"}, {"v4:1x1x2", "whole hosts"}, {"cpu:8x8", "one row"}, {"cpu:0", "below 1"},
		{"cpu:9000", "larger"}, {"tpu:cpu:8", `no chip "cpu"`}, {"", `has no shape`}, {"v4:99999999999999999999x1x1", "for a size"},
	} {
		_, err := Parse(c.name)
		var d *diag.Diagnostic
		if !errors.As(err, &d) || !strings.Contains(d.Msg, c.want) || d.Code != CodeTopology || d.Expected == "" {
			t.Errorf("%q: %v, want %q with what was expected", c.name, err, c.want)
		}
	}
}

// The numbers come from libtpu 0.0.52's descriptions of these topologies.
func TestDevicesAsPluginsNumberThem(t *testing.T) {
	for _, c := range []struct {
		name   string
		id     int
		coords []int
		core   int
		listed int
	}{
		{"v3:4x4", 9, []int{0, 1}, 1, 5}, {"v3:4x4", 4, []int{2, 0}, 0, 8}, {"v4:4x4x8", 2, []int{2, 0, 0}, 0, 4},
		{"v4:4x4x8", 9, []int{1, 2, 0}, 0, 9}, {"v5e:2x4", 7, []int{1, 3}, 0, 7}, {"v4:16x16x16", 16, []int{0, 1, 0}, 0, 2},
		{"v5e:16x16", 19, []int{3, 1}, 0, 7}, {"v4:2x2x4", 5, []int{1, 0, 1}, 0, 5}, {"v6e:1x1", 0, []int{0, 0}, 0, 0},
	} {
		top := parse(t, c.name)
		coords, core := top.Coords(c.id)
		for d := range coords {
			if coords[d] != c.coords[d] || core != c.core {
				t.Errorf("%s: device %d stands at %v.%d, want %v.%d", c.name, c.id, coords, core, c.coords, c.core)
			}
		}
		if got := top.ID(c.coords, c.core); got != c.id {
			t.Errorf("%s: the device at %v is %d, want %d", c.name, c.coords, got, c.id)
		}
		if got := top.Listed(c.id); got != c.listed {
			t.Errorf("%s: device %d is listed %d, want %d", c.name, c.id, got, c.listed)
		}
	}
}

func TestWrapAndOptions(t *testing.T) {
	for _, c := range []struct {
		name   string
		wraps  string
		config string
		wrap   bool
	}{
		{"v4:8x8x16", "111", "megacore", true}, {"v4:2x2x4", "000", "megacore", false}, {"v5p:4x4x8", "111", "", true},
		{"v5e:8x16", "01", "", false}, {"v5e:16x16", "11", "", false}, {"v3:32x16", "10", "", false},
	} {
		top := parse(t, c.name)
		got := ""
		for d := range top.Shape {
			got += map[bool]string{true: "1", false: "0"}[top.Wraps(d)]
		}
		o := top.Options()
		if got != c.wraps || o.ChipConfig != c.config || (o.Wrap != nil) != c.wrap {
			t.Errorf("%s: wraps %s, options %+v", c.name, got, o)
		}
	}
}

func mesh(pairs ...any) ir.Mesh {
	var m ir.Mesh
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, ir.MeshAxis{Name: pairs[i].(string), Size: pairs[i+1].(int)})
	}
	return m
}

func TestAssign(t *testing.T) {
	const link = 4.5e10
	for _, c := range []struct {
		topology string
		mesh     ir.Mesh
		axis     int
		parts    string // dimension:size/stride
		links    float64
		ring     bool
		hops     int
	}{
		{"v4:8x8x16", mesh("data", 64, "model", 16), 0, "1:8/1 0:8/1", 4, false, 8},
		{"v4:8x8x16", mesh("data", 64, "model", 16), 1, "2:16/1", 2, true, 8},
		{"v4:8x8x16", mesh("data", 256, "model", 4), 1, "1:2/1 0:2/1", 2, false, 2}, // a square of neighbours
		{"v4:8x8x16", mesh("data", 256, "model", 4), 0, "2:16/1 1:4/2 0:4/2", 4, false, 16},
		{"v4:8x8x16", mesh("all", 1024), 0, "2:16/1 1:8/1 0:8/1", 6, false, 16},
		{"v4:4x4x4", mesh("x", 4, "y", 4, "z", 4), 0, "2:4/1", 2, true, 2},
		{"v4:2x2x1", mesh("data", 2, "model", 2), 1, "0:2/1", 1, true, 1},
		{"v4:8x8x16", mesh("one", 1, "data", 1024), 0, "", 0, true, 0},
	} {
		top := parse(t, c.topology)
		a, err := Assign(top, c.mesh)
		if err != nil {
			t.Fatal(err)
		}
		x := a.Axes[c.axis]
		if got := parts(x); got != c.parts || x.Bandwidth != c.links*link || x.Ring != c.ring || x.Hops != c.hops {
			t.Errorf("%s %s: axis %s over %q at %g links, ring %v, hops %d; want %+v", c.topology, c.mesh, x.Name, got, x.Bandwidth/link, x.Ring, x.Hops, c)
		}
	}
}

func parts(x Axis) string {
	var out []string
	for _, p := range x.Parts {
		out = append(out, Sizes([]int{p.Dim})+":"+Sizes([]int{p.Size})+"/"+Sizes([]int{p.Stride}))
	}
	return strings.Join(out, " ")
}

// Every assignment is a permutation of the devices, whatever is split.
func TestAssignUsesEveryDeviceOnce(t *testing.T) {
	for _, c := range []struct {
		topology string
		mesh     ir.Mesh
	}{
		{"v4:8x8x16", mesh("data", 256, "model", 4)}, {"v4:8x8x16", mesh("model", 4, "data", 256)}, {"v3:4x4", mesh("a", 2, "b", 8, "c", 2)},
		{"v5p:8x12x4", mesh("a", 6, "b", 64)}, {"cpu:8", mesh("a", 2, "b", 2, "c", 2)}, {"v5e:16x16", mesh("a", 2, "b", 2, "c", 4, "d", 4, "e", 4)},
	} {
		top := parse(t, c.topology)
		a, err := Assign(top, c.mesh)
		if err != nil {
			t.Fatal(err)
		}
		seen := make([]bool, top.Devices())
		for _, id := range a.Devices {
			if id < 0 || id >= len(seen) || seen[id] {
				t.Fatalf("%s %s: device %d twice or not there", c.topology, c.mesh, id)
			}
			seen[id] = true
		}
		for i, x := range a.Axes {
			if x.Size != c.mesh[i].Size || x.Name != c.mesh[i].Name {
				t.Errorf("%s %s: axis %d is %+v", c.topology, c.mesh, i, x)
			}
		}
	}
}

// One device needs no mesh.
func TestAssignNoMesh(t *testing.T) {
	a, err := Assign(parse(t, "cpu:1"), nil)
	if err != nil || len(a.Devices) != 1 || len(a.Axes) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAssignRefuses(t *testing.T) {
	top := parse(t, "v4:8x8x16")
	for _, m := range []ir.Mesh{mesh("data", 512), mesh("a", -32, "b", -32), nil} {
		_, err := Assign(top, m)
		var d *diag.Diagnostic
		if !errors.As(err, &d) || d.Code != CodeMesh || !strings.Contains(d.Expected, "1024") {
			t.Errorf("%s: %v", m, err)
		}
	}
}

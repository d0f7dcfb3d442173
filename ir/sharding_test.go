package ir_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vitc/ir"
)

// Every form that a sharding takes.
const shardSampler = `ir differentiated mesh(data:4, model:2, z:1)

func @f(
    %x: f32[batch:16, width:32]{batch@data, width@(model, z)} input="x",
    %t: f32[a:2, a:2, b:7/9]{#1@data, +model, ?z} input="t",
    %v: f32[]{?data} input="v") -> (
    f32[batch:16, width:32]{batch@data, width@(model, z)} output="y") {
  yield %x
}
`

func TestShardingText(t *testing.T) {
	m, err := ir.Parse(shardSampler)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(shardSampler, m.String()); d != "" {
		t.Errorf("read, printed:\n%s", d)
	}
	if n := m.Mesh.Devices(); n != 8 {
		t.Errorf("the mesh has %d devices", n)
	}
	s := m.Funcs[0].Body.Params[1].Type
	want := &ir.Sharding{Dims: [][]string{nil, {"data"}, nil}, Sum: []string{"model"}, Vary: []string{"z"}}
	if d := cmp.Diff(want, s.Shard); d != "" || s.Dims[2] != (ir.Dim{Label: "b", Size: 7, Global: 9}) {
		t.Errorf("%s: %s", s, d)
	}
}

func TestShardingTextRejects(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"batch@data, width", "batch@data, batch", "dim 0 of f32[batch:16, width:32] is sharded twice"},
		{"batch@data", "batch@model", "a mesh axis stands twice"},
		{"+model, ?z", "+model, ?model", "a mesh axis stands twice"},
		{"#1@data", "a@data", "has several dims a: name them by number, #0"},
		{"#1@data", "#3@data", "has no dim 3"},
		{"#1@data", "c@data", `has no dim "c"`},
		{"{?data}", "{}", "a sharding without axes"},
		{"data:4", "data:0", "a mesh axis of 0"},
		{"data:4", "data:16777216", "a mesh axis of 2"},
		{"z:1)", "data:1)", "two mesh axes data"},
		{"b:7/9", "b:7/0", "a dim of 0 in all"},
		{"width@(model, z)} output", "width@model} output", "result 1 of @f is f32[batch:16, width:32]{batch@data, width@(model, z)}, declared f32[batch:16, width:32]{batch@data, width@model}"},
	} {
		_, err := ir.Parse(strings.Replace(shardSampler, c.old, c.new, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.new, err, c.want)
		}
	}
}

// A type keeps its sharding in a manifest, and one without says nothing of it.
func TestShardingJSON(t *testing.T) {
	n := ir.Dim{Label: "n", Size: 4, Global: 7}
	for _, c := range []struct {
		t    ir.Type
		want string
	}{
		{ir.T(ir.F32, ir.Dim{Label: "n", Size: 4}), `{"dtype":"f32","dims":[{"label":"n","size":4}]}`},
		{ir.T(ir.F32, n).WithDim(0, "x"), `{"dtype":"f32","dims":[{"label":"n","size":4,"global":7}],"shard":{"dims":[["x"]]}}`},
	} {
		b, err := json.Marshal(c.t)
		if err != nil || string(b) != c.want {
			t.Errorf("%s is %s, %v", c.t, b, err)
		}
		var back ir.Type
		if err := json.Unmarshal(b, &back); err != nil || back.String() != c.t.String() {
			t.Errorf("%s comes back as %s, %v", c.t, back, err)
		}
	}
}

func TestShardingChanges(t *testing.T) {
	x := ir.T(ir.F32, ir.Dim{Label: "a", Size: 4}, ir.Dim{Label: "b", Size: 6})
	s := x.WithDim(1, "x", "y").WithSum("m", "d").WithVary("v")
	for _, c := range []struct {
		got  ir.Type
		want string
	}{
		{s, "f32[a:4, b:6]{b@(x, y), +d, +m, ?v}"},
		{s.Without("y", "d", "v"), "f32[a:4, b:6]{b@x, +m}"},
		{s.Without("x", "y", "m", "d", "v"), "f32[a:4, b:6]"},
		{ir.EachType(s.WithDim(1)), "f32[b:6]{+d, +m, ?v}"},
		{ir.StackType(ir.Dim{Label: "turn", Size: 3}, s), "f32[turn:3, a:4, b:6]{b@(x, y), +d, +m, ?v}"},
		{s.As(ir.BF16), "bf16[a:4, b:6]{b@(x, y), +d, +m, ?v}"},
	} {
		if c.got.String() != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	if !s.Shard.Equal(x.WithVary("v").WithSum("d", "m").WithDim(1, "x", "y").Shard) || s.Shard.Equal(nil) || s.Shard.Equal(x.WithDim(1, "y", "x").Shard) {
		t.Error("shardings compare by their order of sums, or not by that of axes")
	}
}

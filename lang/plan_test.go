package lang

import (
	"reflect"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/diag"
)

// The plans of ViT-22B, as the program's readers get them.
func TestLowerPlans(t *testing.T) {
	p := lowerProgram(t, loadStudy(t, "vit22b.vit"), "pretrain", Options{})
	want := []ir.Plan{
		{Name: "fsdp", Mesh: ir.Mesh{{Name: "data", Size: 64}, {Name: "model", Size: 16}}, Micro: 2, Overlap: ir.OverlapRing,
			Shard: []ir.ShardLine{{Axis: "batch", Over: []string{"data", "model"}}, {Axis: "mlp", Params: true, Over: []string{"model"}},
				{Axis: "heads", Params: true, Over: []string{"model"}}, {Axis: "rep", Params: true, Over: []string{"data"}}, {Axis: "width", Params: true, Over: []string{"data"}}}},
		{Name: "tp4", Mesh: ir.Mesh{{Name: "data", Size: 256}, {Name: "model", Size: 4}}, Micro: 1, Overlap: ir.OverlapRing,
			Shard: []ir.ShardLine{{Axis: "batch", Over: []string{"data"}}, {Axis: "mlp", Over: []string{"model"}}, {Axis: "heads", Over: []string{"model"}},
				{Axis: "rep", Params: true, Over: []string{"data"}}, {Axis: "width", Over: []string{"model"}}, {Axis: "width", Params: true, Over: []string{"data"}}}},
	}
	for i := range want {
		want[i].Devices = ir.Devices{Platform: "tpu", Chip: "v4", Shape: []int{8, 8, 16}}
		want[i].Reserve = ir.DefaultReserve
		want[i].Remat = []ir.RematLine{{Path: "net.encoder.block", Policy: ir.RematFit}}
	}
	for i := range p.Plans {
		withoutPlaces(&p.Plans[i])
	}
	if !reflect.DeepEqual(p.Plans, want) {
		t.Errorf("plans:\n%+v\nwant:\n%+v", p.Plans, want)
	}
}

// withoutPlaces clears the positions, all of which must be there.
func withoutPlaces(p *ir.Plan) {
	places := []*diag.Pos{&p.Pos, &p.Devices.Pos}
	for i := range p.Shard {
		places = append(places, &p.Shard[i].Pos)
	}
	for i := range p.Remat {
		places = append(places, &p.Remat[i].Pos)
	}
	for _, at := range places {
		if !at.Valid() {
			panic("a part of the plan has no place")
		}
		*at = diag.Pos{}
	}
}

// A line in quotes has a path and an axis, of parameters alone where it says so.
func TestShardLineKeys(t *testing.T) {
	src := loadStudy(t, "vit22b.vit").root.text
	text := strings.Replace(string(src), "params.mlp: model", "\"params.net.encoder.**.mlp\": model\n    \"net.head.classes\": data", 1)
	u, list := Load("vit22b.vit", []byte(text), nil)
	if list.Errors() > 0 {
		t.Fatal(rendered(t, u, list))
	}
	lines := lowerProgram(t, u, "pretrain", Options{Plan: "fsdp"}).Plans[0].Shard
	for i, want := range []ir.ShardLine{{Axis: "mlp", Params: true, Path: "net.encoder.**", Over: []string{"model"}}, {Axis: "classes", Path: "net.head", Over: []string{"data"}}} {
		lines[i+1].Pos = diag.Pos{}
		if !reflect.DeepEqual(lines[i+1], want) {
			t.Errorf("line %+v, want %+v", lines[i+1], want)
		}
	}
}

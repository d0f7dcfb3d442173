package stablehlo_test

import (
	"errors"
	"strings"
	"testing"

	"vitc/codegen/stablehlo"
	"vitc/ir"
)

// What cannot be written is told of with its place.
func TestErrors(t *testing.T) {
	mesh := ir.Mesh{{Name: "data", Size: 2}}
	for _, c := range []struct {
		name, text string
		o          stablehlo.Options
		want       string
	}{
		{"argument of real", `ir built func @f(%x: real[] input="x") -> (real[] output="y") { yield %x }`,
			stablehlo.Options{}, "argument x: dtype real has no StableHLO"},
		{"value of real", `ir built func @f(%x: f32[] input="x") -> (f32[] output="y") { %r: real[] = cast %x loc("a.vit":3:4; "")
			%y: f32[] = cast %r yield %y }`,
			stablehlo.Options{}, "a.vit:3:4: cast: a value of dtype real"},
		{"gradient", `ir built func @f(%x: f32[] input="x") -> (f32[] output="y") { %y: f32[] = grad %x, %x loc("a.vit":3:4; "") yield %y }`,
			stablehlo.Options{}, "a.vit:3:4: grad: there is no StableHLO for this op"},
		{"reshard left", `ir differentiated mesh(data:2) func @f(%x: f32[n:4]{n@data} input="x") -> (f32[n:4] output="y") { %y: f32[n:4] = reshard %x yield %y }`,
			stablehlo.Options{Mode: stablehlo.Manual, Mesh: mesh}, "reshard: the pass partition"},
		{"collective on one device", `ir partitioned mesh(data:2) func @f(%x: f32[n:2]{n@data} input="x") -> (f32[n:4] output="y") { %y: f32[n:4] = all_gather %x dim=0 over=data yield %y }`,
			stablehlo.Options{}, "all_gather: communication in a program that is not divided"},
		{"collective taken apart", `ir partitioned mesh(data:2) func @f(%x: f32[n:2]{n@data} input="x") -> (f32[n:4] output="y") {
			%t: ~f32[n:4] = all_gather_start %x dim=0 over=data loc("a.vit":3:4; "") %y: f32[n:4] = all_gather_done %t yield %y }`,
			stablehlo.Options{Mode: stablehlo.Manual, Mesh: mesh}, "a.vit:3:4: all_gather_start: an end of a collective"},
		{"another mesh's port", `ir partitioned mesh(model:2) func @f(%x: f32[n:2]{n@model} input="x") -> (f32[n:2]{n@model} output="y") { yield %x }`,
			stablehlo.Options{Mode: stablehlo.Manual, Mesh: mesh}, "argument x: f32[n:2]{n@model} is sharded over model, which the mesh (data: 2) lacks"},
		{"what differs goes out", `ir partitioned mesh(data:2) func @f() -> (i32[]{?data} output="y") { %y: i32[]{?data} = axis_index over=data yield %y }`,
			stablehlo.Options{Mode: stablehlo.Manual, Mesh: mesh}, "result y: i32[]{?data} has no meaning outside the mesh"},
	} {
		m := parsed(t, c.text)
		_, err := stablehlo.Emit(m.Funcs[0], c.o)
		var e *stablehlo.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

package interp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
)

// Collectives on the mesh (x:2, y:2): what devices 0 to 3, at (0,0), (0,1), (1,0) and (1,1), make
// of their own [d d+10; d+20 d+30].
func TestCollectives(t *testing.T) {
	for _, c := range []struct {
		line string
		want [4]string
	}{
		{"%y: i32[] = axis_index over=x", [4]string{"0", "0", "1", "1"}},
		{"%y: i32[] = axis_index over=(y, x)", [4]string{"0", "2", "1", "3"}},
		{"%y: f32[a:1, b:2] = block %v dim=0 over=y step=0", [4]string{"0 10", "21 31", "2 12", "23 33"}},
		{"%y: f32[a:2, b:1] = block %v dim=1 over=x step=1", [4]string{"10 30", "11 31", "2 22", "3 23"}},
		{"%y: f32[a:4, b:2] = all_gather %v dim=0 over=y", [4]string{"0 10 20 30 1 11 21 31", "0 10 20 30 1 11 21 31", "2 12 22 32 3 13 23 33", "2 12 22 32 3 13 23 33"}},
		{"%y: f32[a:2, b:8] = all_gather %v dim=1 over=(y, x)", [4]string{"0 10 2 12 1 11 3 13 20 30 22 32 21 31 23 33"}},
		{"%y: f32[a:2, b:2] = all_reduce %v over=x kind=sum", [4]string{"2 22 42 62", "4 24 44 64", "2 22 42 62", "4 24 44 64"}},
		{"%y: f32[a:2, b:2] = all_reduce %v over=(x, y) kind=max", [4]string{"3 13 23 33"}},
		{"%y: f32[a:2, b:2] = all_reduce %v over=y kind=min", [4]string{"0 10 20 30", "0 10 20 30", "2 12 22 32", "2 12 22 32"}},
		{"%y: f32[a:1, b:2] = reduce_scatter %v dim=0 over=y", [4]string{"1 21", "41 61", "5 25", "45 65"}},
		{"%y: f32[a:4, b:1] = all_to_all %v dim=0 to=1 over=x", [4]string{"0 20 2 22", "1 21 3 23", "10 30 12 32", "11 31 13 33"}},
		{"%y: f32[a:2, b:2] = permute %v over=y step=1", [4]string{"1 11 21 31", "0 10 20 30", "3 13 23 33", "2 12 22 32"}},
		{"%y: f32[a:2, b:2] = permute %v over=(x, y) step=1", [4]string{"3 13 23 33", "0 10 20 30", "1 11 21 31", "2 12 22 32"}},
		{"%b: f32[a:1, b:2] = block %v dim=0 over=y step=0\n%y: f32[a:2, b:2] = put %v, %b dim=0 over=y step=1", [4]string{"0 10 0 10", "21 31 21 31", "2 12 2 12", "23 33 23 33"}},
	} {
		if two := inTwo(c.line); two != c.line {
			if one, got := collect(t, c.line), collect(t, two); fmt.Sprint(elementsOf(one)) != fmt.Sprint(elementsOf(got)) {
				t.Errorf("%s\nin two: %v, in one %v", two, elementsOf(got), elementsOf(one))
			}
		}
		got := collect(t, c.line)
		for d, want := range c.want {
			if want == "" {
				want = c.want[0]
			}
			if s := strings.Trim(fmt.Sprint(got[d].F), "[]"); s != want {
				t.Errorf("%s\ndevice %d has %s, expected %s", c.line, d, s, want)
			}
		}
	}
}

// inTwo starts what a line does, and the same once more, before it waits for both the other way round.
func inTwo(line string) string {
	row, rest, _ := strings.Cut(line[strings.LastIndex(line, " = ")+3:], " ")
	if r := ir.Lookup(row); r.Ends == nil {
		return line
	}
	ty := strings.TrimSpace(line[strings.Index(line, ":")+1 : strings.Index(line, " = ")])
	return fmt.Sprintf("%%s: ~%[1]s = %[2]s_start %[3]s\n%%t: ~%[1]s = %[2]s_start %[3]s\n%%y: %[1]s = %[2]s_done %%t\n%%z: %[1]s = %[2]s_done %%s", ty, row, rest)
}

func elementsOf(list []*interp.Tensor) (all [][]float64) {
	for _, x := range list {
		all = append(all, x.F)
	}
	return all
}

func collect(t *testing.T, line string) []*interp.Tensor {
	t.Helper()
	ty := line[strings.LastIndex(line, "%y: ")+4:]
	ty = ty[:strings.Index(ty, " = ")]
	m := module(t, "ir partitioned mesh(x:2, y:2)\nfunc @f(%v: f32[a:2, b:2]{?x, ?y} input=\"v\") -> ("+ty+"{?x, ?y} output=\"y\") {\n"+
		strings.ReplaceAll(line, "] =", "]{?x, ?y} =")+"\nyield %y }")
	var args [][]*interp.Tensor
	for i := range 4 {
		d := float64(i)
		args = append(args, []*interp.Tensor{tensor(m.Funcs[0].Body.Params[0].Type, d, d+10, d+20, d+30)})
	}
	out, err := interp.RunMesh(m.Mesh, m.Funcs[0], args, interp.Options{})
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return slices.Concat(out...)
}

// A device that fails ends the run of all.
func TestMeshFails(t *testing.T) {
	m := module(t, "ir partitioned mesh(x:2)\nfunc @f(%v: f32[a:2]{?x} input=\"v\") -> (f32[a:2] output=\"y\") {\n%y: f32[a:2] = all_reduce %v over=x kind=sum\nyield %y }")
	v := tensor(m.Funcs[0].Body.Params[0].Type, 1, 2)
	_, err := interp.RunMesh(m.Mesh, m.Funcs[0], [][]*interp.Tensor{{v}, {}}, interp.Options{})
	if err == nil || !strings.Contains(err.Error(), "device 1: @f takes 1 arguments, found 0") {
		t.Errorf("got %v", err)
	}
	if _, err := interp.Run(m.Funcs[0], []*interp.Tensor{v}, interp.Options{}); err == nil || !strings.Contains(err.Error(), "mesh") {
		t.Errorf("alone: %v", err)
	}
}

// What devices hold of a tensor is the tensor again, padding or not.
func TestSplitAndJoin(t *testing.T) {
	mesh := ir.Mesh{{Name: "x", Size: 2}, {Name: "y", Size: 2}}
	whole := interp.New(ir.T(ir.F32, ir.Dim{Label: "a", Size: 4}, ir.Dim{Label: "b", Size: 5}))
	for k := range whole.F {
		whole.F[k] = float64(k)
	}
	for _, shard := range [][][]string{{{"x"}, nil}, {nil, {"x"}}, {{"y"}, {"x"}}, {nil, {"y", "x"}}, {{"x", "y"}, nil}, {nil, nil}} {
		local := whole.Type
		local.Dims = slices.Clone(local.Dims)
		for i, axes := range shard {
			n := mesh.Size(axes...)
			local.Dims[i].Size = (local.Dims[i].Size + n - 1) / n
		}
		local = local.Sharded(ir.NewSharding(shard, nil, nil))
		var parts []*interp.Tensor
		for d := range mesh.Devices() {
			parts = append(parts, interp.Split(mesh, d, whole, local))
		}
		got, err := interp.Join(mesh, parts, whole.Type)
		if err != nil || !slices.Equal(got.F, whole.F) {
			t.Errorf("%v: %v %v", shard, err, got)
		}
		if axes := local.Shard.Axes(); len(axes) < 2 {
			parts[3] = &interp.Tensor{Type: local, F: append([]float64{-1}, parts[3].F[1:]...)}
			if _, err := interp.Join(mesh, parts, whole.Type); err == nil {
				t.Errorf("%v: devices that differ are joined", shard)
			}
		}
	}
}

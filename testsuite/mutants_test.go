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

// TestCollectivesMatter breaks every collective of every case of partition, one at a time, and
// demands that the numbers tell: that a case passes says that its collectives are the right ones.
func TestCollectivesMatter(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "passes", "partition", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before := parsed(t, string(a.Files[0].Data))
		runPasses(t, before, mathPasses(string(a.Comment)), passes.Config{})
		out := string(a.Files[len(a.Files)-1].Data)
		for k := range collectivesOf(parsed(t, out)) {
			for name, mutate := range mutations {
				m := parsed(t, out)
				op := collectivesOf(m)[k]
				if !mutate(m, op) {
					continue
				}
				broken++
				if meshDiffers(t, before, m) == nil {
					t.Errorf("%s: %s %s is %s, and nothing tells", filepath.Base(file), op.Row.Name, op.Out[0].Name, name)
				}
			}
		}
	}
	if broken < 100 {
		t.Errorf("only %d collectives were broken", broken)
	}
}

// mathPasses are those that a case runs before its own and that a single device understands.
func mathPasses(comment string) []string {
	return slices.DeleteFunc(before(comment), func(n string) bool { return n == "propagate" || n == "order" })
}

// collectivesOf lists the ops that bring numbers from device to device.
func collectivesOf(m *ir.Module) []*ir.Op {
	var ops []*ir.Op
	for _, f := range m.Funcs {
		f.Body.Walk(func(op *ir.Op) {
			if op.Row.Class == ir.Collective && op.Row.Name != "block" && op.Row.Name != "axis_index" {
				ops = append(ops, op)
			}
		})
	}
	return ops
}

// mutations break a collective, and report whether they can.
var mutations = map[string]func(m *ir.Module, op *ir.Op) bool{
	"dropped": drop,
	"doubled": double,
}

// drop leaves a device with what it has itself.
func drop(m *ir.Module, op *ir.Op) bool {
	switch a := op.Attrs.(type) {
	case *ir.ReduceOverAttrs, *ir.PermuteAttrs:
		op.Row, op.Attrs = ir.Lookup("fence"), &ir.FenceAttrs{}
	case *ir.GatherAttrs:
		if op.Row.Name == "reduce_scatter" {
			op.Row, op.Attrs = ir.Lookup("block"), &ir.BlockAttrs{Dim: a.Dim, Over: a.Over}
			return true
		}
		op.Row, op.Attrs = ir.Lookup("concat"), &ir.ConcatAttrs{Dim: a.Dim}
		for range m.Mesh.Size(a.Over...) - 1 {
			op.In = append(op.In, op.In[0])
		}
	default:
		return false
	}
	return true
}

// double sums or sends twice; maxima and minima are the same again.
func double(m *ir.Module, op *ir.Op) bool {
	if a, ok := op.Attrs.(*ir.ReduceOverAttrs); !ok || a.Kind != "sum" {
		return false
	}
	first := *op
	v := *op.Out[0]
	v.Def, first.Out, v.Name = &first, []*ir.Value{&v}, strings.TrimSpace(v.Name+"_first")
	op.In = []*ir.Value{&v}
	insertBefore(m, op, &first)
	return true
}

func insertBefore(m *ir.Module, at, op *ir.Op) {
	var into func(r *ir.Region)
	into = func(r *ir.Region) {
		if i := slices.Index(r.Ops, at); i >= 0 {
			r.Ops = slices.Insert(r.Ops, i, op)
			return
		}
		for _, o := range r.Ops {
			if o.Body != nil {
				into(o.Body)
			}
		}
	}
	for _, f := range m.Funcs {
		into(f.Body)
	}
}

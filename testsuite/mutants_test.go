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

// TestCollectivesMatter breaks every collective of every case of partition and of the layouts, one at
// a time, and demands that the verifier tells, or else the numbers: that a case passes says that its
// collectives are the right ones. Where values vary, and of a ring that is turned, only the numbers
// can tell.
func TestCollectivesMatter(t *testing.T) {
	tally := &mutants{refused: map[string]int{}, differ: map[string]int{}}
	for _, file := range casesOf(t, "passes", "partition") {
		a := archived(t, file)
		before := parsed(t, string(a.Files[0].Data))
		runPasses(t, before, mathPasses(string(a.Comment)), passes.Config{})
		tally.add(t, file, string(a.Files[len(a.Files)-1].Data), func(m *ir.Module) bool { return meshDiffers(t, before, m) != nil })
	}
	for _, file := range casesOf(t, "layouts") {
		tally.add(t, file, string(archived(t, file).Files[1].Data), func(*ir.Module) bool { return false })
	}
	t.Logf("refused: %v; other numbers: %v", tally.refused, tally.differ)
	for _, told := range []string{"all_reduce dropped", "all_reduce doubled", "all_gather over other axes", "reduce_scatter dropped", "reduce_scatter over other axes"} {
		if tally.refused[told] == 0 {
			t.Errorf("no %s was tried", told)
		}
	}
	if n := sumOf(tally.refused) + sumOf(tally.differ); n < 350 {
		t.Errorf("only %d collectives were broken", n)
	}
}

func casesOf(t *testing.T, under ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", filepath.Join(under...), "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatal(under, err)
	}
	return files
}

func archived(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// mutants counts what told of them.
type mutants struct{ refused, differ map[string]int }

// add breaks the collectives of a module's text; differs runs a module and says whether its numbers
// are others.
func (c *mutants) add(t *testing.T, file, text string, differs func(*ir.Module) bool) {
	for k := range collectivesOf(parsed(t, text)) {
		for _, mu := range mutations {
			m := parsed(t, text)
			op := collectivesOf(m)[k]
			told := op.Row.Name + " " + mu.name
			typed := len(op.In[0].Type.Shard.Varies()) == 0 && op.Row.Name != "permute"
			if !mu.make(m, op) {
				continue
			}
			switch {
			case ir.Verify(m) != nil:
				c.refused[told]++
			case !typed && differs(m):
				c.differ[told]++
			default:
				t.Errorf("%s: %s of %s, and nothing tells", filepath.Base(file), told, op.Out[0].Name)
			}
		}
	}
}

func sumOf(counts map[string]int) int {
	n := 0
	for _, k := range counts {
		n += k
	}
	return n
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

// mutation breaks a collective, and reports whether it can.
type mutation struct {
	name string
	make func(m *ir.Module, op *ir.Op) bool
}

var mutations = []mutation{
	{"dropped", drop},
	{"doubled", double},
	{"over other axes", elsewhere},
	{"of another step", restep},
	{"of another dim", redim},
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
	case *ir.ExchangeAttrs: // its own blocks, as often as there are devices
		return regather(m, op, a)
	}
	return true
}

// regather makes of an exchange the device's own block of To, over and over.
func regather(m *ir.Module, op *ir.Op, a *ir.ExchangeAttrs) bool {
	t := op.In[0].Type
	t.Dims = slices.Clone(t.Dims)
	t.Dims[a.To].Size /= m.Mesh.Size(a.Over...)
	own := &ir.Op{Row: ir.Lookup("block"), In: op.In, Attrs: &ir.BlockAttrs{Dim: a.To, Over: a.Over}}
	own.Out = []*ir.Value{{Name: "own", Type: t, Def: own}}
	insertBefore(m, op, own)
	op.Row, op.In, op.Attrs = ir.Lookup("concat"), nil, &ir.ConcatAttrs{Dim: a.Dim}
	for range m.Mesh.Size(a.Over...) {
		op.In = append(op.In, own.Out[0])
	}
	return true
}

// double sums twice. What else is done twice has other sizes.
func double(m *ir.Module, op *ir.Op) bool {
	if _, ok := op.Attrs.(*ir.ReduceOverAttrs); !ok {
		return false
	}
	first := *op
	v := *op.Out[0]
	v.Def, first.Out, v.Name = &first, []*ir.Value{&v}, strings.TrimSpace(v.Name+"_first")
	op.In = []*ir.Value{&v}
	insertBefore(m, op, &first)
	return true
}

// elsewhere lets devices meet along other axes of as many devices.
func elsewhere(m *ir.Module, op *ir.Op) bool {
	over := slices.Clone(ir.Over(op.Attrs))
	for _, a := range m.Mesh {
		if at := len(over) - 1; a.Size == m.Mesh.Size(over[at]) && !slices.Contains(over, a.Name) {
			over[at] = a.Name
			return setOver(op, over)
		}
	}
	return false
}

func setOver(op *ir.Op, over []string) bool {
	switch a := op.Attrs.(type) {
	case *ir.ReduceOverAttrs:
		a.Over = over
	case *ir.GatherAttrs:
		a.Over = over
	case *ir.ExchangeAttrs:
		a.Over = over
	case *ir.PermuteAttrs:
		a.Over = over
	}
	return true
}

// restep sends blocks one place further.
func restep(m *ir.Module, op *ir.Op) bool {
	a, ok := op.Attrs.(*ir.PermuteAttrs)
	if ok {
		a.Step++
	}
	return ok
}

// redim gathers or scatters another dim of the same size.
func redim(m *ir.Module, op *ir.Op) bool {
	a, ok := op.Attrs.(*ir.GatherAttrs)
	if !ok {
		return false
	}
	t := op.In[0].Type
	for d := range t.Dims {
		if d != a.Dim {
			a.Dim = d
			return true
		}
	}
	return false
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

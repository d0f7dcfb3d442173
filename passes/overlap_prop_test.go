package passes_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// ringMeshes have the axes that gathers are drawn over.
var ringMeshes = []ir.Mesh{
	{{Name: "x", Size: 2}}, {{Name: "x", Size: 3}}, {{Name: "x", Size: 4}}, {{Name: "x", Size: 5}}, {{Name: "x", Size: 8}},
	{{Name: "y", Size: 2}, {Name: "x", Size: 2}}, {{Name: "x", Size: 4}, {Name: "y", Size: 2}}, {{Name: "y", Size: 2}, {Name: "x", Size: 3}},
}

// A reader of a gathered value %gN, f32[p:2, g:G, q:2], as lines: what it reads beside, if anything,
// is the parameter %wN_K; its result is %rN_K. G is the whole of g, AT what the gather is over. A late
// reader waits for what an early one gives.
type ringReader struct{ param, text, result string }

var ringReaders = map[string]ringReader{
	"sum":        {"f32[g:G, m:2]{m@AT}", "dot %gN, %wN_K [pgq,gm->pqm]", "f32[p:2, q:2, m:2]{m@AT}"},
	"left":       {"f32[m:2, q:2, g:G]{m@AT}", "dot %wN_K, %gN [mqg,pgq->mp]", "f32[m:2, p:2]{m@AT}"},
	"free":       {"f32[p:2, m:2]{m@AT}", "dot %gN, %wN_K [pgq,pm->gqm]", "f32[g:G, q:2, m:2]{m@AT}"},
	"free alike": {"f32[m:2, p:2]", "dot %wN_K, %gN [mp,pgq->mqg]", "f32[m:2, q:2, g:G]"},
	"batch":      {"f32[g:G, q:2, m:2]{m@AT}", "dot %gN, %wN_K [pgq,gqm->pgm]", "f32[p:2, g:G, m:2]{m@AT}"},
	"sum alike":  {"f32[g:G, m:2]", "dot %gN, %wN_K [pgq,gm->pqm]", "f32[p:2, q:2, m:2]"},
	"other":      {"", "tanh %gN", "f32[p:2, g:G, q:2]"},
}

// ringText is a partitioned program that is being drawn, as text.
type ringText struct {
	mesh                           ir.Mesh
	params, results, lines, yields []string
}

func (x *ringText) result(name, typ, text string) {
	x.lines = append(x.lines, fmt.Sprintf("  %%%s: %s = %s", name, typ, text))
	x.results = append(x.results, fmt.Sprintf("%s output=%q", typ, name))
	x.yields = append(x.yields, "%"+name)
}

// drawRings draws a partitioned program of two gathers, which are over axes of the mesh, and of what
// reads them.
func drawRings(t *rapid.T) string {
	x := &ringText{mesh: rapid.SampledFrom(ringMeshes).Draw(t, "mesh")}
	for n := range 2 {
		x.gather(t, fmt.Sprint(n))
	}
	return fmt.Sprintf("ir partitioned mesh%s\nfunc @f(\n    %s) -> (\n    %s) {\n%s\n  yield %s\n}\n", x.mesh,
		strings.Join(x.params, ",\n    "), strings.Join(x.results, ",\n    "), strings.Join(x.lines, "\n"), strings.Join(x.yields, ", "))
}

func (x *ringText) gather(t *rapid.T, n string) {
	over, at := []string{"x"}, "x"
	if len(x.mesh) > 1 && rapid.Bool().Draw(t, "both axes") {
		over, at = []string{"y", "x"}, "(y, x)"
	}
	block := rapid.IntRange(1, 2).Draw(t, "block")
	names := []string{"G", fmt.Sprint(block * x.mesh.Size(over...)), "AT", at, "N", n}
	words := strings.NewReplacer(names...)
	x.params = append(x.params, words.Replace(fmt.Sprintf(`%%aN: f32[p:2, g:%d, q:2]{g@AT} input="aN"`, block)))
	x.lines = append(x.lines, words.Replace("  %gN: f32[p:2, g:G, q:2] = all_gather %aN dim=1 over="+at))
	kinds := slices.Sorted(maps.Keys(ringReaders))
	for k, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom(kinds), 1, 3, rapid.ID).Draw(t, "readers") {
		x.reader(kind, strings.NewReplacer(append(names, "K", fmt.Sprint(k))...))
	}
}

// reader adds a reader of a gather, and one that waits for it.
func (x *ringText) reader(kind string, words *strings.Replacer) {
	r := ringReaders[kind]
	if r.param != "" {
		x.params = append(x.params, words.Replace(fmt.Sprintf(`%%wN_K: %s input="wN_K"`, r.param)))
	}
	x.result(words.Replace("rN_K"), words.Replace(r.result), words.Replace(r.text))
	switch kind {
	case "sum":
		x.result(words.Replace("lateN_K"), words.Replace("f32[g:G, m:2]{m@AT}"), words.Replace("dot %gN, %rN_K [pgq,pqm->gm]"))
	case "batch":
		x.result(words.Replace("lateN_K"), words.Replace("f32[m:2, q:2]{m@AT}"), words.Replace("dot %rN_K, %gN [pgm,pgq->mq]"))
	}
}

// Gathers that have become rings, one way or both, give what the gathers gave; and whatever of a
// ring is left out, sent to another device, or cut or put elsewhere, the verifier tells, or the
// numbers.
func TestRingsKeepNumbers(t *testing.T) {
	gathers, rings, told := 0, 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		m := reread(t, drawRings(t))
		before := m.String()
		c := &ringCase{args: ringArgs(m)}
		c.want = c.run(t, m)
		plan := &ir.Plan{Mesh: m.Mesh, Overlap: ir.OverlapRing}
		if err := passes.Run(m, []string{"overlap"}, passes.Options{Config: passes.Config{Plan: plan, Eager: true}}); err != nil {
			t.Fatalf("%v\n%s", err, before)
		}
		gathers += 2
		rings += 2 - strings.Count(m.String(), " = all_gather ")
		if i, k, yes := far(c.want, c.run(t, m)); yes {
			t.Fatalf("result %d [%d] differs\n%s\n%s", i+1, k, before, m)
		}
		for _, way := range c.mutants(t, m) {
			told[way]++
		}
	})
	t.Logf("%d of %d gathers became rings; numbers told of %v", rings, gathers, told)
	if rings < gathers/2 {
		t.Errorf("%d of %d gathers became rings", rings, gathers)
	}
	for _, way := range []string{"permute dropped", "permute of another step", "block of another step", "put of another step"} {
		if told[way] == 0 {
			t.Errorf("no %s was tried", way)
		}
	}
}

// ringCase is arguments, and what a program gives for them.
type ringCase struct{ args, want []*interp.Tensor }

// run runs a partitioned module that its devices must agree upon.
func (c *ringCase) run(t *rapid.T, m *ir.Module) []*interp.Tensor {
	t.Helper()
	out, err := onRing(m, c.args)
	if err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	return out
}

// mutants breaks some of a module's collectives, and gives what only numbers tell of.
func (c *ringCase) mutants(t *rapid.T, m *ir.Module) []string {
	var told []string
	all := irtest.Collectives(m)
	if len(all) == 0 {
		return nil
	}
	for range 3 {
		k := rapid.IntRange(0, len(all)-1).Draw(t, "broken")
		for _, mu := range irtest.Mutations {
			broken := reread(t, m.String())
			if !mu.Make(broken, irtest.Collectives(broken)[k]) || ir.Verify(broken) != nil {
				continue
			}
			way := all[k].Row.Name + " " + mu.Name
			if got, err := onRing(broken, c.args); err == nil {
				if _, _, yes := far(c.want, got); !yes {
					t.Fatalf("%s, and nothing tells\n%s", way, broken)
				}
			}
			told = append(told, way)
		}
	}
	return told
}

// ringArgs gives each device its part of numbers none of which is like another.
func ringArgs(m *ir.Module) []*interp.Tensor {
	var args []*interp.Tensor
	for i, p := range m.Funcs[0].Body.Params {
		x := interp.New(whole(m.Mesh, p.Type))
		for k := range x.F {
			x.F[k] = math.Sin(float64(k*k + 7*i + 1))
		}
		args = append(args, x)
	}
	return args
}

// whole is a value's type with the sizes that it has on one device.
func whole(mesh ir.Mesh, t ir.Type) ir.Type {
	dims := slices.Clone(t.Dims)
	for i := range dims {
		dims[i].Size *= mesh.Size(t.Shard.Of(i)...)
	}
	return ir.T(t.DType, dims...)
}

// onRing runs a partitioned module on whole arguments. Replicas that differ are an error.
func onRing(m *ir.Module, args []*interp.Tensor) ([]*interp.Tensor, error) {
	var types []ir.Type
	for _, v := range m.Funcs[0].Body.Yield {
		types = append(types, whole(m.Mesh, v.Type))
	}
	return interp.RunWhole(m.Mesh, m.Funcs[0], args, types, interp.Options{})
}

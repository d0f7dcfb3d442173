package passes_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// startsIn counts the starts of a module, and those that something stands between and their dones.
func startsIn(m *ir.Module) (all, apart int) {
	for _, f := range m.Funcs {
		f.Body.Walk(func(op *ir.Op) {
			if op.Row.Starts() {
				all++
			}
		})
		var visit func(r *ir.Region)
		visit = func(r *ir.Region) {
			for i, op := range r.Ops {
				if op.Body != nil {
					visit(op.Body)
				}
				if op.Row.Starts() && r.Ops[i+1].In != nil && !slices.Contains(r.Ops[i+1].In, op.Out[0]) {
					apart++
				}
			}
		}
		visit(f.Body)
	}
	return all, apart
}

// equalBits reports whether two runs have given the same numbers, to the last bit.
func equalBits(want, got []*interp.Tensor) bool {
	return slices.EqualFunc(want, got, func(a, b *interp.Tensor) bool {
		return slices.EqualFunc(a.F, b.F, func(x, y float64) bool { return x == y || x != x && y != y })
	})
}

// What is started early and waited for late changes no bit, whatever stands between, and no value
// loses its place.
func TestAsynchronousKeepsBits(t *testing.T) {
	programs, starts := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawSPMD(t)
		names := []string{"propagate", "partition", "collectives", "overlap", "fuse"}
		one := c.spread(t, names...)
		two := c.spread(t, append(names, "asynchronous", "memory")...)
		want, err := onMesh(one, retyped(c.m, c.args), c.m.Funcs[0])
		if err != nil {
			t.Fatalf("%v\n%s", err, one)
		}
		got, err := onMesh(two, retyped(c.m, c.args), c.m.Funcs[0])
		if err != nil {
			t.Fatalf("%v\n%s", err, two)
		}
		if !equalBits(want, got) {
			t.Fatalf("the numbers change\n%+v\n%s\n%s", c.plan, one, two)
		}
		for _, e := range checkMemory(two.Funcs[0]) {
			t.Fatalf("%s\n%s", e, two)
		}
		if all, _ := startsIn(two); all > 0 {
			programs, starts = programs+1, starts+all
		}
	})
	t.Logf("%d programs with %d starts", programs, starts)
	if programs < 5 {
		t.Errorf("%d programs start something: the plans drawn say too little", programs)
	}
}

// A ViT's step under any layout is the same to the last bit with all its collectives started, rings
// and exchanges included, and without; most of them have something to hide behind.
func TestAsynchronousStepsKeepBits(t *testing.T) {
	c := irtest.ViT{Batch: 16, Tokens: 4, Patch: 2, Width: 8, Heads: 4, Depth: 2, Classes: 6}
	args := vitArgs(c.Step().Funcs[0], c.Classes)
	names := []string{"simplify", "micro", "autodiff", "simplify", "precision", "simplify", "propagate", "partition", "collectives", "overlap", "fuse"}
	starts, hidden := 0, 0
	for seed := range 30 {
		plan := rapid.Custom(drawLayout).Example(seed)
		one, two := c.Step(), c.Step()
		o := passes.Options{Config: passes.Config{Plan: plan, Eager: true}}
		err := passes.Run(one, names, o)
		if _, refused := err.(diag.List); refused {
			continue
		}
		if err == nil {
			err = passes.Run(two, append(slices.Clone(names), "asynchronous", "memory"), o)
		}
		if err != nil {
			t.Fatalf("%v\n%+v", err, plan)
		}
		want, err := onMesh(one, args, c.Step().Funcs[0])
		if err != nil {
			t.Fatalf("%v\n%+v\n%s", err, plan, one)
		}
		got, err := onMesh(two, args, c.Step().Funcs[0])
		if err != nil {
			t.Fatalf("%v\n%+v\n%s", err, plan, two)
		}
		if !equalBits(want, got) {
			t.Fatalf("the numbers change\n%+v\n%s", plan, two)
		}
		for _, e := range checkMemory(two.Funcs[0]) {
			t.Fatalf("%s\n%s", e, two)
		}
		all, apart := startsIn(two)
		starts, hidden = starts+all, hidden+apart
	}
	t.Logf("%d of %d starts have something between them and their dones", hidden, starts)
	if starts < 100 || hidden < starts/2 {
		t.Errorf("%d of %d starts have something between them and their dones", hidden, starts)
	}
}

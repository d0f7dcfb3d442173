package ir

import (
	"fmt"
	"slices"
)

// Invariants of modules for many devices: shardings name axes of the mesh, the values of an op
// agree on how its factors are cut, and what crosses a loop's border lies alike on both sides.

// verifySharding checks one value.
func verifySharding(m *Module, v *Value) error {
	axes := v.Type.Shard.Axes()
	for i, a := range axes {
		if m.Mesh.Axis(a) < 0 {
			return fmt.Errorf("%%%s %s: the mesh %s has no axis %s", v.Name, v.Type, m.Mesh, a)
		}
		if slices.Contains(axes[:i], a) {
			return fmt.Errorf("%%%s %s names %s twice", v.Name, v.Type, a)
		}
	}
	if m.Phase != Partitioned && m.Phase != Scheduled {
		return nil
	}
	for i, d := range v.Type.Dims {
		n := m.Mesh.Size(v.Type.Shard.Of(i)...)
		if len(v.Type.Shard.Varies()) == 0 && d.Global != 0 && (d.Size*n < d.Global || d.Size*n == d.Global) {
			return fmt.Errorf("%%%s %s: %d on each of %d devices are no padding of %d", v.Name, v.Type, d.Size, n, d.Global)
		}
	}
	return nil
}

// verifyPorts checks a function's arguments: state lies as it came in, so that steps compose.
func verifyPorts(m *Module, f *Func) error {
	if len(m.Mesh) == 0 {
		return nil
	}
	state := map[string]Type{}
	for i, v := range f.Body.Params {
		if err := verifySharding(m, v); err != nil {
			return err
		}
		if f.Args[i].Role == RoleState {
			state[f.Args[i].Name] = v.Type
		}
	}
	for i, v := range f.Body.Yield {
		t, ok := state[f.Results[i].Name]
		if ok && f.Results[i].Role == RoleState && !t.Shard.Equal(v.Type.Shard) {
			return fmt.Errorf("state %s is %s and becomes %s", f.Results[i].Name, t, v.Type)
		}
		if sums := v.Type.Shard.Sums(); len(sums) > 0 {
			return fmt.Errorf("result %s is left in parts: %s", f.Results[i].Name, v.Type)
		}
	}
	return nil
}

// verifyMesh checks an op of a module with a mesh. Values that vary along axes have no global
// meaning there: the mesh interpreter holds them against the program for one device.
func verifyMesh(m *Module, op *Op) error {
	for _, v := range op.Out {
		if err := verifySharding(m, v); err != nil {
			return err
		}
	}
	partitioned := m.Phase == Partitioned || m.Phase == Scheduled
	switch {
	case partitioned && op.Row.Name == "reshard":
		return fmt.Errorf("is left after partition")
	case !partitioned && op.Row.Class == Collective:
		return fmt.Errorf("stands before partition")
	case op.Row.Name == "scan":
		return verifyBorder(op)
	case op.Row.Name == "reshard":
		return verifyReshard(op)
	case op.Row.Class == Collective:
		return verifyGroup(m, op)
	case op.Body != nil || slices.ContainsFunc(slices.Concat(op.In, op.Out), func(v *Value) bool { return len(v.Type.Shard.Varies()) > 0 }):
		return nil
	}
	return verifyFactors(op)
}

// verifyReshard: values are not taken apart into sums.
func verifyReshard(op *Op) error {
	if extra := minus(op.Out[0].Type.Shard.Sums(), op.In[0].Type.Shard.Sums()); len(extra) > 0 {
		return fmt.Errorf("makes %s a sum over %v", op.In[0].Type, extra)
	}
	return nil
}

// verifyBorder: what enters and leaves a loop lies alike on both sides, and carries do in every turn.
func verifyBorder(op *Op) error {
	a, body := op.Attrs.(*ScanAttrs), op.Body
	for i, p := range body.Params {
		outer := op.In[i].Type
		if i >= a.Carry && i < a.Carry+a.Each {
			if len(outer.Shard.Of(0)) > 0 {
				return fmt.Errorf("runs over a dim that is cut: %s", outer)
			}
			outer = EachType(outer)
		}
		if !p.Type.Shard.Equal(outer.Shard) {
			return fmt.Errorf("parameter %d is %s, bound to %s", i+1, p.Type, outer)
		}
	}
	for i, y := range body.Yield {
		if p := body.Params[i].Type; !y.Type.Shard.Equal(p.Shard) || !op.Out[i].Type.Shard.Equal(p.Shard) {
			return fmt.Errorf("carry %d enters as %s, leaves a turn as %s and the loop as %s", i+1, p, y.Type, op.Out[i].Type)
		}
	}
	for i, s := range body.Stack {
		out := op.Out[a.Carry+i].Type
		if !StackType(out.Dims[0], s.Type).Shard.Equal(out.Shard) {
			return fmt.Errorf("stacks %s as %s", s.Type, out)
		}
	}
	return nil
}

// verifyFactors: the values of an op agree on the axes of each factor, no axis cuts two, a factor
// that must be whole is, and results are sums over the axes that contracted factors are cut along.
func verifyFactors(op *Op) error {
	r := RuleOf(op)
	cut, of := make([][]string, len(r.Factors)), map[string]int{}
	check := func(v *Value, t Term) error {
		for i, d := range t {
			axes := v.Type.Shard.Of(i)
			if len(d) != 1 || v.Lit != nil {
				continue
			}
			f := d[0]
			if k := r.Factors[f].Kind; len(axes) > 0 && (k == Whole || k == Moving && op.Row.Name != "roll") {
				return fmt.Errorf("%s is cut along %s, which must be whole", v.Type, v.Type.dimName(i))
			}
			if cut[f] != nil && !slices.Equal(cut[f], axes) {
				return fmt.Errorf("factor %c is cut along %v and along %v", r.Factors[f].Name, cut[f], axes)
			}
			cut[f] = append([]string{}, axes...)
			for _, a := range axes {
				if g, ok := of[a]; ok && g != f && op.Row.Name != "roll" {
					return fmt.Errorf("%s cuts the factors %c and %c", a, r.Factors[g].Name, r.Factors[f].Name)
				}
				of[a] = f
			}
		}
		return nil
	}
	for k, terms := range [][]Term{r.In, r.Out} {
		for i, t := range terms {
			if err := check([][]*Value{op.In, op.Out}[k][i], t); err != nil {
				return err
			}
		}
	}
	return verifySums(op, r, cut)
}

// linear rows hand parts on: of all their operands or of none, but for literals.
var linearNames = map[string]bool{"add": true, "sub": true, "neg": true, "broadcast": true, "rearrange": true, "reduce": true,
	"slice": true, "pad": true, "concat": true, "roll": true, "fence": true}

func verifySums(op *Op, r Rule, cut [][]string) error {
	var sums []string
	for i, v := range op.In {
		in := v.Type.Shard.Sums()
		if v.Lit != nil {
			continue
		}
		if len(in) > 0 && !linearNames[op.Row.Name] {
			return fmt.Errorf("reads parts of a sum, %s, as if they were whole", v.Type)
		}
		if i > 0 && linearNames[op.Row.Name] && op.Row.Name != "fence" && op.In[0].Lit == nil && !slices.Equal(in, op.In[0].Type.Shard.Sums()) {
			return fmt.Errorf("mixes %s and %s", op.In[0].Type, v.Type)
		}
		sums = append(sums, minus(in, sums)...)
	}
	if a, ok := op.Attrs.(*ReduceAttrs); !ok || a.Kind == "sum" || a.Kind == "tree" {
		for f, axes := range cut {
			if r.Factors[f].Kind == Contracted {
				sums = append(sums, minus(axes, sums)...)
			}
		}
	}
	for _, v := range op.Out {
		if missing := minus(sums, v.Type.Shard.Sums()); len(missing) > 0 && op.Row.Name != "fence" {
			return fmt.Errorf("%%%s %s is a sum over %v, which its type does not say", v.Name, v.Type, missing)
		}
		zero := op.Row.Name == "broadcast" && op.In[0].Is(0)
		if extra := minus(v.Type.Shard.Sums(), sums); len(extra) > 0 && !zero {
			return fmt.Errorf("%%%s %s is no sum over %v", v.Name, v.Type, extra)
		}
	}
	return nil
}

// verifyGroup: a collective's axes are the mesh's, and sizes change by the number of devices.
func verifyGroup(m *Module, op *Op) error {
	for _, a := range Over(op.Attrs) {
		if m.Mesh.Axis(a) < 0 {
			return fmt.Errorf("over %s, which the mesh %s has not", a, m.Mesh)
		}
	}
	if len(op.In) == 0 {
		return nil
	}
	n := m.Mesh.Size(Over(op.Attrs)...)
	grows, shrinks := resizing(op)
	for i, d := range op.In[0].Type.Dims {
		want := d.Size
		switch {
		case i == grows:
			want *= n
		case i == shrinks:
			want /= n
		}
		if got := op.Out[0].Type.Dims[i].Size; got != want || i == shrinks && d.Size%n != 0 {
			return fmt.Errorf("of %s over %d devices gives no %s", op.In[0].Type, n, op.Out[0].Type)
		}
	}
	return nil
}

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
	if !m.local() {
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

// verifyMesh checks an op of a module with a mesh.
func verifyMesh(m *Module, op *Op) error {
	for _, v := range op.Out {
		if err := verifySharding(m, v); err != nil {
			return err
		}
	}
	switch {
	case m.local() && op.Row.Name == "reshard":
		return fmt.Errorf("is left after partition")
	case !m.local() && op.Row.Class == Collective:
		return fmt.Errorf("stands before partition")
	case op.Row.Name == "scan":
		return verifyBorder(op)
	case op.Row.Name == "fusion":
		return verifyKernel(op)
	case linearity(op) == Apart:
		return verifyApart(op)
	case op.Row.Name == "reshard":
		return verifyReshard(op)
	case op.Row.Class == Collective:
		return verifyCollective(m, op)
	}
	return verifyFactors(m, op)
}

// local reports whether the module's sizes are those of one device.
func (m *Module) local() bool { return m.Phase == Partitioned || m.Phase == Scheduled }

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

// verifyApart: each result lies as its operand does, whatever the others do.
func verifyApart(op *Op) error {
	for i, v := range op.Out {
		if in := op.In[i].Type; !v.Type.Shard.Equal(in.Shard) {
			return fmt.Errorf("makes %s of %s", v.Type, in)
		}
	}
	return nil
}

// verifyKernel: a kernel's values lie inside as they do around it.
func verifyKernel(op *Op) error {
	for i, p := range op.Body.Params {
		if !p.Type.Shard.Equal(op.In[i].Type.Shard) {
			return fmt.Errorf("parameter %d is %s, bound to %s", i+1, p.Type, op.In[i].Type)
		}
	}
	for i, y := range op.Body.Yield {
		if !y.Type.Shard.Equal(op.Out[i].Type.Shard) {
			return fmt.Errorf("yields %s as %s", y.Type, op.Out[i].Type)
		}
	}
	return nil
}

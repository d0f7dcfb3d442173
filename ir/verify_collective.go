package ir

import "fmt"

// verifyCollective: axes and sizes fit the mesh, and the result lies as the row says, padding
// included.
func verifyCollective(m *Module, op *Op) error {
	if err := CheckCollective(m.Mesh, op); err != nil || op.Row.Lies == nil {
		return err
	}
	return verifyLies(m, op, Over(op.Attrs))
}

// verifyGroup: the axes are the mesh's, and dims grow and shrink by the number of devices.
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

// verifyLies holds a result's sharding against that of the operands. Along axes over which a value
// varies nothing can be held against it; that it varies no longer only a collective over that axis
// can claim.
func verifyLies(m *Module, op *Op, over []string) error {
	from, to := T(op.Out[0].Type.DType), op.Out[0].Type
	if len(op.In) > 0 {
		from = op.In[0].Type
	}
	var vary []string
	for _, v := range op.In {
		vary = append(vary, v.Type.Shard.Varies()...)
	}
	if lost := minus(minus(vary, to.Shard.Varies()), over); len(lost) > 0 {
		return fmt.Errorf("over %v of what varies along %v gives no %s", over, lost, to)
	}
	vary = append(vary, to.Shard.Varies()...)
	want, err := op.Row.Lies(op, from.Without(vary...), minus(over, vary))
	if err != nil {
		return err
	}
	if !want.Shard.Equal(to.Without(vary...).Shard) {
		return fmt.Errorf("of %s over %v gives %s, not %s", from, over, want, to)
	}
	if len(op.In) == 0 || len(vary) > 0 {
		return nil
	}
	return verifyPlaces(m, from, to)
}

// verifyPlaces: as many places of each dim count, padding left out.
func verifyPlaces(m *Module, from, to Type) error {
	places := func(t Type, i int) int {
		if d := t.Dims[i]; d.Global != 0 {
			return d.Global
		}
		return t.Dims[i].Size * m.Mesh.Size(t.Shard.Of(i)...)
	}
	for i := range from.Dims {
		if a, b := places(from, i), places(to, i); a != b {
			return fmt.Errorf("of %s gives no %s: %d places of %s become %d", from, to, a, from.dimName(i), b)
		}
	}
	return nil
}

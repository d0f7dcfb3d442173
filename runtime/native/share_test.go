package native_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"vitc/codegen"
	"vitc/ir"
	"vitc/passes"
	"vitc/runtime/layout"
)

// A process that holds one device of four is given the rows of an input that it needs, or all, and
// has its own part of the state.
func TestShares(t *testing.T) {
	m, err := ir.Parse(`ir partitioned mesh(x:2, y:2)
func @f(%w: f32[a:2]{a@x} state="w", %v: f32[a:2, b:2]{a@x} input="v") -> (f32[a:2]{a@x} state="w", f32[a:4, b:2] output="y") {
  %y: f32[a:4, b:2] = all_gather %v dim=0 over=x
  %u: f32[a:2]{a@x} = add %w, %w
  yield %u, %y
}`)
	if err == nil {
		err = passes.Run(m, []string{"fuse", "memory"}, passes.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	whole := floats(1, 2, 3, 4, 5, 6, 7, 8)
	eachRank(t, m, func(d int, mach codegen.Machine) (struct{}, error) {
		s := mach.(layout.Machine)
		from, to := s.Rows("f", "v")
		if want := d / 2 * 2; from != want || to != want+2 {
			return struct{}{}, fmt.Errorf("needs rows %d to %d, want %d to %d", from, to, want, want+2)
		}
		if from, to := s.Rows("f", "absent"); from != to {
			return struct{}{}, fmt.Errorf("needs rows %d to %d of what it does not take", from, to)
		}
		if err := s.SetLeafPart("w", d, floats(float64(d), 1)); err != nil {
			return struct{}{}, err
		}
		for _, v := range [][]byte{whole, whole[8*from : 8*to]} {
			out, err := mach.Call(context.Background(), "f", map[string][]byte{"v": v})
			if err != nil {
				return struct{}{}, err
			}
			if !bytes.Equal(out[0].Data, whole) {
				return struct{}{}, fmt.Errorf("from %d bytes it gathers %v", len(v), out[0].Data)
			}
		}
		got, err := s.LeafPart("w", d)
		if err == nil && !bytes.Equal(got, floats(4*float64(d), 4)) {
			err = fmt.Errorf("its part of w is %v", got)
		}
		if err == nil {
			err = refusals(s, d)
		}
		return struct{}{}, err
	})
}

// refusals asks for what is not there.
func refusals(s layout.Machine, d int) error {
	if l, err := s.LeafLayout("w"); err != nil || l.Whole.Dims[0].Size != 4 || len(s.Devices()) != 1 || s.Devices()[0] != d {
		return fmt.Errorf("w is laid out as %v, %v; devices %v", l, err, s.Devices())
	}
	if _, err := s.Leaf("w"); err == nil {
		return fmt.Errorf("gives all of w, of which it has half")
	}
	if _, err := s.LeafPart("w", (d+1)%4); err == nil {
		return fmt.Errorf("gives another process's part")
	}
	if _, err := s.LeafPart("z", d); err == nil {
		return fmt.Errorf("gives a leaf that there is not")
	}
	if err := s.SetLeafPart("w", d, floats(1)); err == nil {
		return fmt.Errorf("takes half a part")
	}
	return nil
}

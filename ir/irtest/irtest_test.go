package irtest_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
)

func draw(t *rapid.T) *irtest.Program {
	return irtest.Draw(t, irtest.Config{Kinks: rapid.Bool().Draw(t, "kinks"),
		DType: rapid.SampledFrom([]ir.DType{ir.F32, ir.Real, ir.BF16}).Draw(t, "dtype")})
}

// Programs are well typed, and their values are finite.
func TestDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t)
		for _, m := range []*ir.Module{p.Plain, p.Grad} {
			if err := ir.Verify(m); err != nil {
				t.Fatalf("%v\n%s", err, m)
			}
		}
		f := p.Plain.Funcs[0]
		out, err := interp.Run(f, irtest.Args(t, f), interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, y := range out {
			for _, x := range y.F {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Fatalf("result %d holds %g\n%s", i+1, x, p.Plain)
				}
			}
		}
	})
}

// What is printed parses to the same text, and computes the same bits.
func TestPrintParseRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := draw(t)
		for _, m := range []*ir.Module{p.Plain, p.Grad} {
			again, err := ir.Parse(m.String())
			if err != nil {
				t.Fatalf("%v\n%s", err, m)
			}
			if d := cmp.Diff(m.String(), again.String()); d != "" {
				t.Fatalf("printed, parsed, printed:\n%s", d)
			}
			if m == p.Grad {
				continue
			}
			f := m.Funcs[0]
			args := irtest.Args(t, f)
			want, err := interp.Run(f, args, interp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := interp.Run(again.Funcs[0], args, interp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if d := cmp.Diff(want[i].F, got[i].F); d != "" {
					t.Fatalf("result %d:\n%s\n%s", i+1, d, m)
				}
			}
		}
	})
}

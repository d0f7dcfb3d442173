package ir_test

import (
	"testing"

	"vitc/ir"
)

// A clone is another program: what is done to a scan of it, the original does not see.
func TestClonedScanHasItsOwnAttributes(t *testing.T) {
	m, err := ir.Parse(`ir built
func @f(%x: f32[n:2] input="x") -> (f32[n:2] output="y") {
  %y: f32[n:2], %z: f32[n:2] = scan length=3 carry(%p=%x, %q=%x) {
    yield %p, %q
  }
  yield %y
}
`)
	if err != nil {
		t.Fatal(err)
	}
	before := m.String()
	scan := m.Funcs[0].Body.Clone(map[*ir.Value]*ir.Value{}).Ops[0]
	scan.Attrs.(*ir.ScanAttrs).Carry--
	if after := m.String(); after != before {
		t.Errorf("was:\n%s\nis:\n%s", before, after)
	}
	if err := ir.Verify(m); err != nil {
		t.Error(err)
	}
}

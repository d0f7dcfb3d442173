package passes_test

import (
	"testing"

	"vitc/ir"
	"vitc/passes"
)

// program is a residual block in a scan, with its gradient and plain gradient descent.
const program = `ir built

func @step(
    %w1: f32[layer:8, width:32, mlp:128] state="net.block.up.w",
    %w2: f32[layer:8, mlp:128, width:32] state="net.block.down.w",
    %x: f32[batch:64, width:32] input="x") -> (
    f32[layer:8, width:32, mlp:128] state="net.block.up.w",
    f32[layer:8, mlp:128, width:32] state="net.block.down.w",
    f32[] metric="loss") precision=f32 {
  %y: f32[batch:64, width:32] = scan length=8 carry(%c=%x) each(%a=%w1, %b=%w2) {
    %h: f32[batch:64, mlp:128] = dot %c, %a [bw,wm->bm]
    %u: f32[batch:64, mlp:128] = tanh %h
    %v: f32[batch:64, width:32] = dot %u, %b [bm,mw->bw]
    %o: f32[batch:64, width:32] = add %c, %v
    yield %o
  }
  %q: f32[batch:64, width:32] = mul %y, %y
  %s: f32[] = reduce %q [bw->] kind=sum
  %l: f32[] = mul %s, 0.00048828125
  %g1: f32[layer:8, width:32, mlp:128], %g2: f32[layer:8, mlp:128, width:32] = grad %l, %w1, %w2
  %d1: f32[layer:8, width:32, mlp:128] = mul %g1, 0.1
  %n1: f32[layer:8, width:32, mlp:128] = sub %w1, %d1
  %d2: f32[layer:8, mlp:128, width:32] = mul %g2, 0.1
  %n2: f32[layer:8, mlp:128, width:32] = sub %w2, %d2
  yield %n1, %n2, %l
}
`

// What docs/ARCHITECTURE.md says of this program: its forward scan keeps tanh's result and the
// carry and nothing else, ten kernels do it all, and the new weights lie where the old ones did.
func TestResidualBlock(t *testing.T) {
	m, err := ir.Parse(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := passes.Run(m, passes.Pipeline("cpu"), passes.Options{}); err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	f := m.Func("step")
	kernels, kept := 0, -1
	f.Body.Walk(func(op *ir.Op) {
		switch op.Row.Name {
		case "fusion":
			kernels++
		case "scan":
			if kept < 0 {
				kept = len(op.Body.Stack)
			}
		}
	})
	if kernels != 10 || kept != 2 {
		t.Errorf("%d kernels, %d values kept: want 10 and 2\n%s", kernels, kept, m)
	}
	for i, v := range f.Body.Yield[:2] {
		if want := f.Body.Params[i].Mem.Space; v.Mem.Space != want {
			t.Errorf("the new %s lies in %s, want %s", f.Results[i].Name, v.Mem.Space, want)
		}
	}
}

package irtest

// Residual is the program of docs/ARCHITECTURE.md: eight residual blocks in a scan, the gradient
// of a quadratic loss, and plain gradient descent.
const Residual = `ir built

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

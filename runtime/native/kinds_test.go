package native_test

import (
	"testing"

	"vitc/codegen/llvm/cpu"
)

// kinds are functions that become kernels of every kind, with sizes that leave rests.
var kinds = map[string]string{
	"dot": `ir built
func @f(%x: f32[b:5, s:17, w:24] input="x", %w: f32[w:24, m:19] input="w", %c: f32[m:19] input="c", %r: f32[b:5, s:17, m:19] input="r") -> (
    f32[b:5, s:17, m:19] output="y", f32[b:5, s:17, m:19] output="h", f32[w:24, m:19] output="dw") {
  %h: f32[b:5, s:17, m:19] = dot %x, %w [bsw,wm->bsm]
  %cc: f32[b:5, s:17, m:19] = broadcast %c [m->bsm]
  %i: f32[b:5, s:17, m:19] = add %h, %cc
  %t: f32[b:5, s:17, m:19] = tanh %i
  %y: f32[b:5, s:17, m:19] = add %t, %r
  %dw: f32[w:24, m:19] = dot %x, %r [bsw,bsm->wm]
  yield %y, %h, %dw
}
`,
	"attention": `ir built
func @f(%q: f32[b:3, s:17, h:2, e:8] input="q", %k: f32[b:3, t:17, h:2, e:8] input="k", %v: f32[b:3, t:17, h:2, e:8] input="v") -> (
    f32[b:3, s:17, h:2, e:8] output="o", f32[b:3, t:17, h:2, e:8] output="dk") {
  %z: f32[b:3, h:2, s:17, t:17] = dot %q, %k [bshe,bthe->bhst]
  %z1: f32[b:3, h:2, s:17, t:17] = mul %z, 0.35355339059327379
  %m: f32[b:3, h:2, s:17] = reduce %z1 [bhst->bhs] kind=max
  %mm: f32[b:3, h:2, s:17, t:17] = broadcast %m [bhs->bhst]
  %d: f32[b:3, h:2, s:17, t:17] = sub %z1, %mm
  %e: f32[b:3, h:2, s:17, t:17] = exp %d
  %n: f32[b:3, h:2, s:17] = reduce %e [bhst->bhs] kind=sum
  %nn: f32[b:3, h:2, s:17, t:17] = broadcast %n [bhs->bhst]
  %p: f32[b:3, h:2, s:17, t:17] = div %e, %nn
  %o: f32[b:3, s:17, h:2, e:8] = dot %p, %v [bhst,bthe->bshe]
  %dk: f32[b:3, t:17, h:2, e:8] = dot %p, %q [bhst,bshe->bthe]
  yield %o, %dk
}
`,
	"norm": `ir built
func @f(%x: f32[b:7, w:200] input="x", %g: f32[w:200] input="g", %c: f32[w:200] input="c", %d: f32[b:7, w:200] input="d") -> (
    f32[b:7, w:200] output="y", f32[b:7] output="mean", f32[w:200] output="dg", f32[w:200] output="dc") {
  %s: f32[b:7] = reduce %x [bw->b] kind=sum
  %m: f32[b:7] = mul %s, 0.005
  %mm: f32[b:7, w:200] = broadcast %m [b->bw]
  %e: f32[b:7, w:200] = sub %x, %mm
  %e2: f32[b:7, w:200] = mul %e, %e
  %v: f32[b:7] = reduce %e2 [bw->b] kind=sum
  %v1: f32[b:7] = mul %v, 0.005
  %v2: f32[b:7] = add %v1, 1e-06
  %r: f32[b:7] = rsqrt %v2
  %rr: f32[b:7, w:200] = broadcast %r [b->bw]
  %n: f32[b:7, w:200] = mul %e, %rr
  %gg: f32[b:7, w:200] = broadcast %g [w->bw]
  %ng: f32[b:7, w:200] = mul %n, %gg
  %cc: f32[b:7, w:200] = broadcast %c [w->bw]
  %y: f32[b:7, w:200] = add %ng, %cc
  %dn: f32[b:7, w:200] = mul %d, %n
  %dg: f32[w:200] = reduce %dn [bw->w] kind=sum
  %dc: f32[w:200] = reduce %d [bw->w] kind=sum
  yield %y, %m, %dg, %dc
}
`,
	"sums": `ir built
func @f(%x: f32[a:300, b:40, c:33] input="x", %i: i32[a:300, b:40] input="i", %z: f32[n:100003] input="z") -> (
    f32[c:33] output="bias", f32[] output="norm", f32[a:300, c:33] output="mid", i32[b:40] output="most", f32[] output="least", f32[a:300] output="outer",
    f32[b:40, c:33] output="two", f32[b:40, c:33] output="top") {
  %bias: f32[c:33] = reduce %x [abc->c] kind=sum
  %q: f32[n:100003] = mul %z, %z
  %n: f32[] = reduce %q [n->] kind=sum
  %norm: f32[] = sqrt %n
  %mid: f32[a:300, c:33] = reduce %x [abc->ac] kind=max
  %most: i32[b:40] = reduce %i [ab->b] kind=max
  %least: f32[] = reduce %z [n->] kind=min
  %outer: f32[a:300] = reduce %x [abc->a] kind=sum
  %two: f32[b:40, c:33] = reduce %x [abc->bc] kind=sum
  %top: f32[b:40, c:33] = reduce %x [abc->bc] kind=max
  yield %bias, %norm, %mid, %most, %least, %outer, %two, %top
}
`,
	"copies": `ir built
func @f(%x: f32[a:4, b:6, c:10] input="x", %i: i32[n:9] input="i", %h: bf16[a:4, b:6, c:10] input="h", %k: u32[two:2] input="key") -> (
    f32[c:10, a:4, b:6] output="turned", f32[a:4, b:3, c:10] output="cut", f32[a:4, b:9, c:10] output="padded", f32[a:4, b:6, c:10] output="rolled",
    f32[a:4, b:12, c:10] output="joined", i32[a:4, c:10] output="best", i32[a:4, b:6] output="last", bf16[a:4, c:10, b:6] output="half",
    f32[n:9, b:6, c:10] output="picked", f32[a:4, v:7, c:10] output="batched", f32[v:5, c:10] output="added", u32[a:4, b:6] output="bits", i32[a:4, b:6] output="pos", f32[a:4, v:12] output="hot") {
  %turned: f32[c:10, a:4, b:6] = rearrange %x [abc->cab]
  %cut: f32[a:4, b:3, c:10] = slice %x dim=1 from=2 to=5
  %padded: f32[a:4, b:9, c:10] = pad %x dim=1 lo=1 hi=2
  %rolled: f32[a:4, b:6, c:10] = roll %x dim=1 by=-2
  %joined: f32[a:4, b:12, c:10] = concat %x, %rolled dim=1
  %best: i32[a:4, c:10] = argmax %x dim=1
  %last: i32[a:4, b:6] = argmax %x dim=2
  %half: bf16[a:4, c:10, b:6] = rearrange %h [abc->acb]
  %picked: f32[n:9, b:6, c:10] = gather %x, %i [abc,n->nbc]
  %ids: i32[a:4, v:7] = iota dim=1
  %batched: f32[a:4, v:7, c:10] = gather %x, %ids [abc,av->avc]
  %x1: f32[ab:24, c:10] = rearrange %x [abc->(ab)c]
  %x2: f32[abc:240] = rearrange %x [abc->(abc)]
  %terms: f32[n:9, c:10] = slice %x1 dim=0 from=0 to=9
  %added: f32[v:5, c:10] = scatter_add %i, %terms [n,nc->vc]
  %bits: u32[a:4, b:6] = rng_bits %k, 7 strides=(6,1)
  %pos: i32[a:4, b:6] = iota dim=0
  %i4: i32[a:4] = slice %i dim=0 from=0 to=4
  %x4: f32[a:4] = slice %x2 dim=0 from=0 to=4
  %hot: f32[a:4, v:12] = scatter_add %i4, %x4 [a,a->av]
  yield %turned, %cut, %padded, %rolled, %joined, %best, %last, %half, %picked, %batched, %added, %bits, %pos, %hot
}
`,
	"scan": `ir built
func @f(%w: f32[layer:4, m:8, n:8] state="w", %x: f32[b:5, m:8] input="x", %t: i32[] state="t") -> (
    f32[layer:4, m:8, n:8] state="w", f32[b:5, m:8] output="y", f32[layer:4, b:5, m:8] output="all", i32[] state="t", f32[b:5, m:8] output="back") {
  %y: f32[b:5, m:8], %all: f32[layer:4, b:5, m:8], %nw: f32[layer:4, m:8, n:8] = scan length=4 label=layer carry(%c=%x) each(%a=%w) {
    %h: f32[b:5, m:8] = dot %c, %a [bm,mn->bn]
    %u: f32[b:5, m:8] = tanh %h
    %d: f32[m:8, n:8] = mul %a, 0.5
    yield %u stack(%c, %d)
  }
  %e: f32[b:5, m:8], %f: f32[b:5, m:8] = scan length=4 reverse carry(%p=%x, %q=%y) each(%s=%all) {
    %v: f32[b:5, m:8] = add %q, %s
    yield %v, %p
  }
  %t1: i32[] = add %t, 1
  %back: f32[b:5, m:8] = sub %e, %f
  yield %nw, %y, %all, %t1, %back
}
`,
	"swap": `ir built
func @f(%a: f32[n:50] state="a", %b: f32[n:50] state="b", %c: f32[n:50] state="c") -> (f32[n:50] state="a", f32[n:50] state="b", f32[n:50] state="c", f32[n:50] output="d") {
  %d: f32[n:50] = add %a, %b
  yield %b, %c, %a, %d
}
`,
}

func TestKinds(t *testing.T) {
	for name, src := range kinds {
		t.Run(name, func(t *testing.T) {
			eachLevel(t, func(t *testing.T, isa cpu.Level) { compare(t, scheduled(t, src), "f", isa, 2, 1e-4) })
		})
	}
}

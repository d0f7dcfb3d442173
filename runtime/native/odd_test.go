package native_test

import (
	"testing"

	"vitc/codegen/llvm/cpu"
)

// odd are programs of which a scheduler may believe that nobody writes them.
var odd = map[string]string{
	"sums of bytes": `ir built
func @f(%x: u8[n:100003] input="x", %y: u8[n:60007, m:3] input="y") -> (u8[] output="sum", u8[] output="top", u8[m:3] output="columns") {
  %s: u8[] = reduce %x [n->] kind=sum
  %t: u8[] = reduce %x [n->] kind=max
  %c: u8[m:3] = reduce %y [nm->m] kind=sum
  yield %s, %t, %c
}
`,
	"carry twice": `ir built
func @f(%x: f32[n:6] input="x", %w: f32[n:6] input="w") -> (f32[n:6] output="a", f32[n:6] output="b", f32[turn:3, n:6] output="all") {
  %a: f32[n:6], %b: f32[n:6], %all: f32[turn:3, n:6] = scan length=3 carry(%p=%x, %q=%x) const(%v=%w) {
    %s: f32[n:6] = mul %p, %v
    %t: f32[n:6] = add %s, %q
    yield %t, %t stack(%q)
  }
  yield %a, %b, %all
}
`,
	"stacked twice": `ir built
func @f(%x: f32[n:6] input="x") -> (f32[n:6] output="a", f32[turn:3, n:6] output="u", f32[turn:3, n:6] output="v", f32[turn:3, n:6] output="w", f32[turn:3, n:6] output="z") {
  %a: f32[n:6], %u: f32[turn:3, n:6], %v: f32[turn:3, n:6], %w: f32[turn:3, n:6], %z: f32[turn:3, n:6] = scan length=3 reverse carry(%p=%x) {
    %t: f32[n:6] = add %p, 1
    yield %t stack(%p, %p, %t, %t)
  }
  yield %a, %u, %v, %w, %z
}
`,
	"each and const": `ir built
func @f(%w: f32[turn:3, n:4] state="w") -> (f32[turn:3, n:4] state="w", f32[n:4] output="a", f32[turn:3, turn2:3, n:4] output="all") {
  %z: f32[n:4] = reduce %w [tn->n] kind=sum
  %a: f32[n:4], %nw: f32[turn:3, n:4], %all: f32[turn:3, turn2:3, n:4] = scan length=3 carry(%p=%z) each(%e=%w) const(%c=%w) {
    %s: f32[n:4] = add %p, %e
    %b: f32[turn2:3, n:4] = broadcast %s [n->tn]
    %d: f32[turn2:3, n:4] = mul %b, %c
    yield %s stack(%e, %d)
  }
  yield %nw, %a, %all
}
`,
	"views circle": `ir built
func @f(%x: f32[a:2, b:3] input="x") -> (f32[a:2, b:3] output="y", f32[turn:4, b:3, a:2] output="all") {
  %y: f32[a:2, b:3], %all: f32[turn:4, b:3, a:2] = scan length=4 carry(%p=%x) {
    %f: f32[n:6] = rearrange %p [ab->(ab)]
    %g: f32[b:3, a:2] = rearrange %f [(ba)->ba]
    %h: f32[n:6] = rearrange %g [ba->(ba)]
    %i: f32[n:6] = add %h, %f
    %j: f32[a:2, b:3] = rearrange %i [(ab)->ab]
    yield %j stack(%g)
  }
  yield %y, %all
}
`,
	"views out": `ir built
func @f(%w: f32[a:4, b:3] state="w", %v: f32[b:3, a:4] state="v") -> (f32[a:4, b:3] state="w", f32[b:3, a:4] state="v", f32[a:1, b:3] output="row", f32[a:4, b:3] output="old") {
  %f: f32[n:12] = rearrange %v [ba->(ba)]
  %nw: f32[a:4, b:3] = rearrange %f [(ab)->ab]
  %g: f32[n:12] = rearrange %w [ab->(ab)]
  %h: f32[b:3, a:4] = rearrange %g [(ba)->ba]
  %nv: f32[b:3, a:4] = mul %h, 2
  %r: f32[a:1, b:3] = slice %w dim=0 from=2 to=3
  yield %nw, %nv, %r, %w
}
`,
	"nested": `ir built
func @f(%x: f32[n:5] input="x", %w: f32[outer:3, inner:2, n:5] state="w") -> (f32[outer:3, inner:2, n:5] state="w", f32[n:5] output="y", f32[outer:3, inner:2, n:5] output="all", f32[outer:3, n:5] output="ends") {
  %y: f32[n:5], %all: f32[outer:3, inner:2, n:5], %ends: f32[outer:3, n:5], %nw: f32[outer:3, inner:2, n:5] = scan length=3 carry(%p=%x) each(%u=%w) {
    %q: f32[n:5], %in: f32[inner:2, n:5], %sum: f32[inner:2, n:5] = scan length=2 reverse carry(%r=%p) each(%v=%u) const(%o=%p) {
      %s: f32[n:5] = mul %r, %v
      %t: f32[n:5] = add %s, %o
      yield %t stack(%r, %t)
    }
    yield %q stack(%in, %p, %sum)
  }
  yield %nw, %y, %all, %ends
}
`,
	"one turn": `ir built
func @f(%x: f32[n:5] input="x", %w: f32[t:1, n:5] state="w") -> (f32[t:1, n:5] state="w", f32[n:5] output="y", f32[t:1, n:5] output="all") {
  %y: f32[n:5], %all: f32[t:1, n:5], %nw: f32[t:1, n:5] = scan length=1 reverse carry(%p=%x) each(%v=%w) {
    %s: f32[n:5] = mul %p, %v
    yield %s stack(%p, %s)
  }
  yield %nw, %y, %all
}
`,
	"carries change places": `ir built
func @f(%x: f32[n:5] state="x", %y: f32[n:5] state="y") -> (f32[n:5] state="x", f32[n:5] state="y", f32[t:3, n:5] output="all") {
  %a: f32[n:5], %b: f32[n:5], %c: f32[n:5], %all: f32[t:3, n:5] = scan length=3 carry(%p=%x, %q=%y, %r=%x) {
    %s: f32[n:5] = add %q, %r
    yield %q, %r, %s stack(%q)
  }
  %d: f32[n:5] = add %a, %x
  %e: f32[n:5] = add %b, %c
  yield %e, %d, %all
}
`,
	"states change places": `ir built
func @f(%x: f32[n:5] state="x", %y: f32[n:5] state="y") -> (f32[n:5] state="x", f32[n:5] state="y") {
  %d: f32[n:5] = add %x, 1
  %e: f32[n:5] = mul %y, 2
  yield %e, %d
}
`,
	"square in place": `ir built
func @f(%x: f32[a:33, b:33] state="x") -> (f32[a:33, b:33] state="x") {
  %d: f32[a:33, b:33] = add %x, 1
  %e: f32[a:33, b:33] = rearrange %d [ab->ba]
  %g: f32[a:33, b:33] = mul %e, 2
  yield %g
}
`,
	"sums in place": `ir built
func @f(%x: f32[a:7, b:150] state="x") -> (f32[a:7, b:150] state="x") {
  %m: f32[a:7] = reduce %x [ab->a] kind=max
  %mm: f32[a:7, b:150] = broadcast %m [a->ab]
  %d: f32[a:7, b:150] = sub %x, %mm
  %e: f32[a:7, b:150] = exp %d
  %s: f32[a:7] = reduce %e [ab->a] kind=sum
  %ss: f32[a:7, b:150] = broadcast %s [a->ab]
  %y: f32[a:7, b:150] = div %e, %ss
  yield %y
}
`,
	"product with itself": `ir built
func @f(%w: f32[b:5, n:7] input="w", %x: f32[b:5, n:7] input="x") -> (f32[n:7] output="square", f32[n:7, m:7] output="gram", f32[b:5] output="norms") {
  %s: f32[n:7] = dot %x, %x [bn,bn->n]
  %g: f32[n:7, m:7] = dot %x, %x [bn,bm->nm]
  %h: f32[b:5] = dot %x, %x [bn,bn->b]
  yield %s, %g, %h
}
`,
	"product of batches with itself after": `ir built
func @f(%w: f32[a:3, b:4] state="w", %x: f32[i:3, a:3, b:4] input="x") -> (f32[a:3, b:4] state="w", f32[a:3, b:4] output="both") {
  %d: f32[a:3, b:4] = dot %x, %w [iab,ib->ab]
  %n: f32[a:3, b:4] = sub %w, %d
  %e: f32[a:3, b:4] = dot %w, %w [ab,ab->ab]
  %f: f32[a:3, b:4] = mul %e, %w
  yield %n, %f
}
`,
	"product in place": `ir built
func @f(%x: f32[a:33, b:33] state="x", %w: f32[b:33, c:33] state="w") -> (f32[a:33, b:33] state="x", f32[b:33, c:33] state="w") {
  %d: f32[a:33, c:33] = dot %x, %w [ab,bc->ac]
  %e: f32[a:33, c:33] = add %d, %w
  yield %d, %e
}
`,
}

func TestOddPrograms(t *testing.T) {
	for name, src := range odd {
		t.Run(name, func(t *testing.T) {
			m := scheduled(t, src)
			eachLevel(t, func(t *testing.T, isa cpu.Level) { compare(t, m, "f", isa, 2, 1e-5) })
		})
	}
}

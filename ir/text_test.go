package ir_test

import (
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/irtest"
)

// every op once, with every kind of attribute.
const sampler = `ir built

func @all(
    %x: f32[a:4, b:6] input="x",
    %k: u32[two:2] input="key",
    %i: i32[a:4] input="ids") -> (
    f32[b:6] output="y") {
  %s: f32[a:4, b:3] = slice %x dim=1 from=0 to=3
  %p: f32[a:4, b:6] = pad %s dim=1 lo=1 hi=2
  %r: f32[a:4, b:6] = roll %p dim=0 by=-1
  %c: f32[a:4, b:12] = concat %r, %x dim=1
  %m: i32[a:4] = argmax %c dim=1
  %g: f32[a:4] = gather %c, %m [av,a->a]
  %t: f32[a:4, b:12] = scatter_add %i, %g [a,a->av]
  %bits: u32[a:4, b:12] = rng_bits %k, 7 strides=(12,1)
  %sh: u32[a:4, b:12] = shr %bits, 8
  %u: f32[a:4, b:12] = cast %sh
  %lt: bool[a:4, b:12] = compare %u, 0.5 dir=lt
  %z: f32[a:4, b:12] = select %lt, %t, 0
  %pos: i32[a:4] = iota dim=0
  %one: f32[a:4] = broadcast 1 [->a]
  %n: f32[a:2, c:2, b:12] = rearrange %z [(ac)b->acb]
  %e: f32[b:12] = reduce %n [acb->b] kind=max
  %f: f32[b:6] = slice %e dim=0 from=6 to=12
  %h: f32[b:6] = stop %f
  yield %h
}
`

func TestPrintParseIdentity(t *testing.T) {
	for _, src := range []string{irtest.Residual, sampler} {
		m, err := ir.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.String(); got != src {
			t.Errorf("printed:\n%s\nwant:\n%s", got, src)
		}
	}
}

func TestParseRejects(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"dot %c, %a [bw,wm->bm]", "dot %c, %b [bw,wm->bm]", "factor w is 32 and 128"},
		{"tanh %h", "tanhh %h", `there is no op "tanhh"`},
		{"mul %y, %y", "mul %y, %u", "%u is not defined here"},
		{"yield %o", "yield %h", "leaves as f32[batch:64, mlp:128]"},
		{"kind=sum", "kind=avg", `no kind "avg"`},
		{"length=8 carry", "length=7 carry", "scan of length 7"},
		{"%o: f32[batch:64, width:32] = add", "%o: f32[batch:64, width:16] = add", "add gives"},
		{"yield %n1, %n2, %l", "yield %n1, %n2", "3 results for 2 values"},
		{"ir built", "ir baked", `no phase "baked"`},
		{"width:32, mlp:128] state", "width:0, mlp:128] state", "a dim of 0"},
	} {
		_, err := ir.Parse(strings.Replace(irtest.Residual, c.old, c.new, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.new, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(irtest.Residual)
	f.Add(sampler)
	f.Fuzz(func(t *testing.T, src string) {
		m, err := ir.Parse(src)
		if err != nil {
			return
		}
		text := m.String()
		again, err := ir.Parse(text)
		if err != nil {
			t.Fatalf("printed text does not parse: %v\n%s", err, text)
		}
		if again.String() != text {
			t.Fatalf("print, parse, print differs:\n%s\n%s", text, again)
		}
	})
}

package passes

import (
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/diag"
)

// What is large and whole where the plan might cut it is told, each time with the reason.
func TestReplicationIsReported(t *testing.T) {
	const text = `ir differentiated
func @step(%w: f32[width:4096, mlp:4096] state="w", %v: f32[rank:4096, tall:4096] state="v", %x: f32[batch:8, seq:2048, width:4096] input="x") -> (f32[] metric="loss") {
  %s: f32[batch:8, seq:1024, width:4096] = slice %x dim=1 from=0 to=1024
  %h: f32[batch:8, seq:1024, mlp:4096] = dot %s, %w [bsw,wm->bsm]
  %o: f32[batch:8, odd:3, mlp:4096] = slice %h dim=1 from=0 to=3
  %q: f32[batch:8, seq:1025, mlp:4096] = pad %h dim=1 lo=0 hi=1
  %l: f32[] = reduce %q [bsm->] kind=sum
  %k: f32[] = reduce %o [bsm->] kind=sum
  %m: f32[] = add %l, %k
  yield %m }`
	for _, c := range []struct{ plan, want string }{
		{"d:2 | batch: d", ""},
		{"d:2 | batch: d; params.width: d", "@step: 64.0 MiB of its state are whole on every device: no line of the plan cuts them"},
		{"d:2 | seq: d", "slice needs seq of f32[batch:8, seq:2048, width:4096], 256.0 MiB, whole: it is gathered over d (2)"},
		{"d:3 | seq: d", "@step: seq:2048 of x does not divide over d (3): every device is given all of it"},
		{"d:600 | seq: d", "@step: f32[batch:8, seq:1024, width:4096], 128.0 MiB, is not cut along seq: 1024 places do not divide over d (600)"},
	} {
		m, err := ir.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		o := Options{Config: Config{Plan: planOf(t, c.plan)}, Note: func(_ string, d *diag.Diagnostic) { got = append(got, d.Msg) }}
		if err := Run(m, []string{"propagate"}, o); err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(got, "\n"); c.want == "" && all != "" || !strings.Contains(all, c.want) {
			t.Errorf("%s: got\n%s\nexpected\n%s", c.plan, all, c.want)
		}
	}
}

// So is what a loop needs whole, what does not divide along the factors of a dim, and what windows
// would take from others than the neighbours, or from elsewhere on each device.
func TestOpsNeedWhole(t *testing.T) {
	for _, c := range []struct{ plan, line, want string }{
		{"d:2 | params.layer: d", "%y: f32[batch:8, a:1024, b:1024] = scan length=8 carry(%k=%x) each(%e=%w) {\n%n: f32[batch:8, a:1024, b:1024] = add %k, %e\nyield %n }",
			"scan needs layer of f32[layer:8, batch:8, a:1024, b:1024], 256.0 MiB, whole: it is gathered over d (2)"},
		{"d:4 | a: d", "%y: f32[batch:8, p:2, q:512, b:1024] = rearrange %x [n(pq)b->npqb]",
			"rearrange needs a of f32[batch:8, a:1024, b:1024], 32.0 MiB, whole: it is gathered over d (4)"},
		{"d:2 | a: d", "%y: f32[batch:8, p:2, q:512, b:1024] = rearrange %x [n(pq)b->npqb]", ""},
		{"d:2 | a: d", "%y: f32[batch:8, o:512, k:2, b:1024] = window %x dim=1 size=2 stride=2 lo=0 hi=0", ""},
		{"d:2 | a: d", "%y: f32[batch:8, o:1024, k:9, b:1024] = window %x dim=1 size=9 stride=1 lo=4 hi=4", ""},
		{"d:512 | a: d", "%y: f32[batch:8, o:1024, k:9, b:1024] = window %x dim=1 size=9 stride=1 lo=4 hi=4", "window needs a of f32[batch:8, a:1024, b:1024], 32.0 MiB, whole"},
		{"d:2 | a: d", "%y: f32[batch:8, o:1022, k:3, b:1024] = window %x dim=1 size=3 stride=1 lo=0 hi=0", "window needs a of f32[batch:8, a:1024, b:1024], 32.0 MiB, whole"},
		{"d:2 | a: d", "%y: f32[batch:8, a:1024, b:1024] = roll %x dim=1 by=1", ""},
	} {
		m, err := ir.Parse("ir differentiated\nfunc @f(%w: f32[layer:8, batch:8, a:1024, b:1024] state=\"w\", %x: f32[batch:8, a:1024, b:1024] input=\"x\") -> (f32[] metric=\"l\") {\n" +
			c.line + "\n%l: f32[] = reduce %y [" + letters(c.line) + "->] kind=sum\nyield %l }")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		o := Options{Config: Config{Plan: planOf(t, c.plan)}, Note: func(_ string, d *diag.Diagnostic) { got = append(got, d.Code+" "+d.Msg) }}
		if err := Run(m, []string{"propagate", "partition"}, o); err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(got, "\n"); c.want == "" && strings.Contains(all, " needs ") || !strings.Contains(all, c.want) {
			t.Errorf("%s: %s\ngot\n%s\nexpected\n%s", c.plan, c.line, all, c.want)
		}
	}
}

// letters is a factor for each dim of a line's result.
func letters(line string) string {
	ty := line[:strings.Index(line, "]")]
	return "abcdef"[:strings.Count(ty, ":")-1]
}

// A plan that cannot be followed refuses the program; that is nobody's bug.
func TestUnevenStateIsRefused(t *testing.T) {
	m, err := ir.Parse(seedText)
	if err != nil {
		t.Fatal(err)
	}
	err = Run(m, []string{"propagate"}, Options{Config: Config{Plan: planOf(t, "d:5 | params.mlp: d")}})
	if list, ok := err.(diag.List); !ok || len(list) < 3 || list[0].Code != CodeUneven {
		t.Errorf("got %v", err)
	}
}

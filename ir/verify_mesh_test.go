package ir

import (
	"strings"
	"testing"
)

// meshCase is a line, what it reads, and what the verifier has against it, if anything.
type meshCase struct{ phase, args, line, want string }

func (c meshCase) check(t *testing.T) {
	t.Helper()
	args := strings.Replace(c.args, ", %c", " input=\"p\", %c", 1) + " input=\"q\""
	m, err := Parse("ir " + c.phase + " mesh(x:2, y:2)\nfunc @f(" + args + ") -> () {\n" + c.line + "\nyield }")
	if err == nil {
		err = Verify(m)
	}
	if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
		t.Errorf("%s\n%s\ngot %v, expected %q", c.args, c.line, err, c.want)
	}
}

// TestVerifyMesh: each line breaks one invariant of modules for many devices, or none.
func TestVerifyMesh(t *testing.T) {
	for _, c := range []meshCase{
		{"differentiated", "%a: f32[b:4, w:8]{b@x}, %c: f32[w:8, m:4]", "%y: f32[b:4, m:4]{b@x} = dot %a, %c [bw,wm->bm]", ""},
		{"differentiated", "%a: f32[b:4, w:8]{w@x}, %c: f32[w:8, m:4]{w@x}", "%y: f32[b:4, m:4]{+x} = dot %a, %c [bw,wm->bm]", ""},
		{"differentiated", "%a: f32[b:4, w:8]{w@x}, %c: f32[w:8, m:4]", "%y: f32[b:4, m:4]{+x} = dot %a, %c [bw,wm->bm]", "factor w is cut along [x] and along []"},
		{"differentiated", "%a: f32[b:4, w:8]{b@x}, %c: f32[w:8, m:4]{m@x}", "%y: f32[b:4, m:4]{b@x} = dot %a, %c [bw,wm->bm]", "x cuts the factors b and m"},
		{"differentiated", "%a: f32[b:4, w:8]{w@x}, %c: f32[w:8, m:4]{w@x}", "%y: f32[b:4, m:4] = dot %a, %c [bw,wm->bm]", "is a sum over [x], which its type does not say"},
		{"differentiated", "%a: f32[b:4, w:8]{b@x}, %c: f32[w:8, m:4]", "%y: f32[b:4, m:4]{b@x, +y} = dot %a, %c [bw,wm->bm]", "is no sum over [y]"},
		{"differentiated", "%a: f32[b:4, w:8]{+x}, %c: f32[w:8]", "%y: f32[b:4, w:8]{+x} = tanh %a", "reads parts of a sum"},
		{"differentiated", "%a: f32[b:4]{+x}, %c: f32[b:4]", "%y: f32[b:4]{+x} = add %a, %c", "mixes f32[b:4]{+x} and f32[b:4]"},
		{"differentiated", "%a: f32[b:4]{+x}, %c: f32[b:4]{+x}", "%y: f32[b:4]{+x} = sub %a, %c", ""},
		{"differentiated", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:2]{b@x} = slice %a dim=0 from=0 to=2", "which must be whole"},
		{"differentiated", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:4]{b@z} = reshard %a", "has no axis z"},
		{"differentiated", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:4]{+x} = reshard %a", "makes f32[b:4]{b@x} a sum over [x]"},
		{"differentiated", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:8] = all_gather %a dim=0 over=x", "stands before partition"},
		{"differentiated", "%a: f32[l:2, b:4]{l@x}, %c: f32[b:4]", "%y: f32[b:4] = scan length=2 carry(%k=%c) each(%e=%a) {\nyield %k }", "runs over a dim that is cut"},
		{"differentiated", "%a: f32[l:2, b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:4] = scan length=2 carry(%k=%c) each(%e=%a) {\n%n: f32[b:4]{b@x} = add %e, %e\nyield %n }", "carry 1 enters as f32[b:4], leaves a turn as f32[b:4]{b@x}"},
		{"partitioned", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:8] = all_gather %a dim=0 over=x", ""},
		{"partitioned", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:4] = reshard %a", "is left after partition"},
		{"partitioned", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:12] = all_gather %a dim=0 over=x", "over 2 devices gives no f32[b:12]"},
		{"partitioned", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:8] = all_gather %a dim=0 over=z", "over z, which the mesh (x: 2, y: 2) has not"},
		{"partitioned", "%a: f32[b:4]{b@x}, %c: f32[b:4]", "%y: f32[b:4/9]{b@x} = neg %a", "no padding of 9"},
	} {
		c.check(t)
	}
}

// State lies as it came in, and nothing is handed out in parts.
func TestVerifyPorts(t *testing.T) {
	for _, c := range []struct{ result, want string }{
		{`f32[b:4]{b@x} state="w"`, ""},
		{`f32[b:4] state="w"`, "state w is f32[b:4]{b@x} and becomes f32[b:4]"},
		{`f32[b:4]{+x} output="y"`, "result y is left in parts"},
	} {
		ty := c.result[:strings.Index(c.result, " ")]
		m, err := Parse("ir differentiated mesh(x:2)\nfunc @f(%w: f32[b:4]{b@x} state=\"w\", %p: " + ty + " input=\"p\") -> (" + c.result + ") {\nyield %p }")
		if err == nil {
			err = Verify(m)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, expected %q", c.result, err, c.want)
		}
	}
}

package ir

import (
	"strings"
	"testing"
)

// Every collective that moves data has two ends, which lie and print as it does, and read back.
func TestEnds(t *testing.T) {
	lines := map[string]string{
		"all_gather":     "%t: ~f32[a:8, b:4]{?x, ?y} = all_gather_start %v dim=0 over=y",
		"reduce_scatter": "%t: ~f32[a:4, b:2]{?x, ?y} = reduce_scatter_start %v dim=1 over=x",
		"all_reduce":     "%t: ~f32[a:4, b:4]{?x, ?y} = all_reduce_start %v over=(x, y) kind=max",
		"all_to_all":     "%t: ~f32[a:8, b:2]{?x, ?y} = all_to_all_start %v dim=0 to=1 over=x",
		"permute":        "%t: ~f32[a:4, b:4]{?x, ?y} = permute_start %v over=(x, y) step=-1",
	}
	seen := 0
	for _, r := range Rows() {
		if r.Ends == nil {
			continue
		}
		seen++
		e := r.Ends
		if e.Whole.Ends != e || Lookup(e.Whole.Name+"_start") != e.Start || Lookup(e.Whole.Name+"_done") != e.Done || r.Whole() != e.Whole ||
			!e.Start.Starts() || !e.Done.Awaits() || e.Whole.Starts() || e.Whole.Awaits() {
			t.Errorf("the ends of %s are not each other's", r.Name)
		}
		line := lines[e.Whole.Name]
		ty := strings.TrimPrefix(line[:strings.Index(line, " =")], "%t: ~")
		src := "ir partitioned mesh(x:2, y:2)\n\nfunc @f(\n    %v: f32[a:4, b:4]{?x, ?y} input=\"v\") -> (\n    " + ty + " output=\"y\") {\n  " +
			line + "\n  %y: " + ty + " = " + e.Done.Name + " %t\n  yield %y\n}\n"
		m, err := Parse(src)
		if err != nil {
			t.Errorf("%v\n%s", err, src)
		} else if got := m.String(); got != src {
			t.Errorf("printed:\n%s\nwant:\n%s", got, src)
		}
	}
	if seen != 3*len(lines) {
		t.Errorf("%d rows have ends, expected %d", seen, 3*len(lines))
	}
}

// Each program breaks one invariant of transfers that are started, or none.
func TestVerifyFlights(t *testing.T) {
	const start = "%t: ~f32[b:8] = all_gather_start %a dim=0 over=x\n"
	for _, c := range []meshCase{
		{"", "%a: f32[b:4]{b@x}", start + "%n: f32[b:4]{b@x} = neg %a\n%y: f32[b:8] = all_gather_done %t", ""},
		{"", "%a: f32[b:4]{b@x}", start, "nothing waits for %t: expected one all_gather_done of it"},
		{"", "%a: f32[b:4]{b@x}", start + "%y: f32[b:8] = all_gather_done %t\n%z: f32[b:8] = all_gather_done %t", "waits for %t, which an earlier op has waited for"},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:8] = all_gather_done %t\n" + start, "%t is not defined here"},
		{"", "%a: f32[b:4]{b@x}", start + "%y: f32[b:8] = permute_done %t", "permute_done waits for %t ~f32[b:8], which no permute_start"},
		{"", "%a: f32[b:4]{b@x}", "%y: f32[b:4]{b@x} = permute_done %a", "which no permute_start of its region gives"},
		{"", "%a: f32[b:4]{b@x}", start + "%y: f32[b:8] = neg %t", "neg reads %t ~f32[b:8], which is under way"},
		{"", "%a: f32[b:4]{b@x}", start + "%y: f32[b:8] = all_reduce %t over=x kind=max", "all_reduce reads %t ~f32[b:8], which is under way"},
		{"", "%a: f32[b:4]{b@x}", "%t: f32[b:8] = all_gather_start %a dim=0 over=x", "needs the type of its result, which is under way"},
		{"", "%a: f32[b:4]{b@x}", "%t: ~f32[b:8] = all_gather %a dim=0 over=x", "only the start of a collective gives what is under way"},
		{"", "%a: f32[b:4]{b@x}", "%t: ~f32[b:12] = all_gather_start %a dim=0 over=x", "over 2 devices gives no"},
		{"", "%a: f32[b:4]{b@x}", "%t: ~f32[b:8]{b@y} = all_gather_start %a dim=0 over=x\n%y: f32[b:8]{b@y} = all_gather_done %t", "gives f32[b:4], not"},
		{"", "%a: f32[b:4]{b@x}", start + "%y: f32[b:8]{b@x} = all_gather_done %t", "gives ~f32[b:8], not f32[b:8]{b@x}"},
		{"", "%a: f32[b:4]{b@x}, %c: f32[b:8]", start +
			"%y: f32[b:8] = scan length=2 carry(%k=%c) const(%f=%t) {\n%d: f32[b:8] = all_gather_done %f\nyield %d }", "waits for %f ~f32[b:8], which no all_gather_start of its region gives"},
		{"", "%a: f32[b:4]{b@x}, %c: f32[b:8]", "%y: f32[b:8] = scan length=2 carry(%k=%c) const(%a2=%a) {\n" +
			strings.Replace(start, "%a", "%a2", 1) + "yield %k }", "nothing waits for %t"},
	} {
		c.phase = "partitioned"
		c.check(t)
		c.phase = "scheduled"
		c.check(t)
	}
	m := Module{Phase: Partitioned}
	r := &Region{Params: []*Value{{Name: "p", Type: T(F32).UnderWay()}}}
	m.Funcs = []*Func{{Name: "f", Args: make([]Port, 1), Body: r}}
	if err := Verify(&m); err == nil || !strings.Contains(err.Error(), "%p ~f32[] enters or leaves a region under way") {
		t.Errorf("a parameter under way: %v", err)
	}
}

// Between a start and its done nobody writes to the operand's place, or touches the result's.
func TestVerifyUntouched(t *testing.T) {
	text := func(between, arena string) string {
		return "%v: f32[b:4]{?x} mem(arena, 0, 16) = fusion kind=loop in(%i=%a) { %q: f32[b:4]{?x} = neg %i yield %q }\n" +
			"%t: ~f32[b:8]{?x} mem(arena, 64, 32) = all_gather_start %v dim=0 over=x\n" + between + "\n" +
			"%y: f32[b:8]{?x} mem(" + arena + ", 32) = all_gather_done %t"
	}
	kernel := func(of, at string) string {
		return "%n: f32[b:4]{?x} mem(" + at + ") = fusion kind=loop in(%j=" + of + ") { %o: f32[b:4]{?x} = neg %j yield %o }"
	}
	loop := func(at string) string {
		return "%s: f32[l:3, b:4]{?x} mem(arena, 128, 48) = scan length=3 const(%w=%v) {\n" +
			kernel("%w", at) + "\nyield stack(%n) }"
	}
	for _, c := range []struct{ between, at, want string }{
		{"", "arena, 64", ""},
		{"", "arena, 128", "gives %y at another place than %t is brought to"},
		{kernel("%v", "arena, 96, 16"), "arena, 64", ""},
		{kernel("%v", "arena, 80, 16"), "arena, 64", "writes %n where %t lies, which %t needs"},
		{kernel("%v", "arena, 0, 16"), "arena, 64", "writes %n where %v lies, which %t needs"},
		{kernel("%v", "arena, 16, 16"), "arena, 64", ""},
		{"%b: f32[b:4]{?x} mem(arena, 0, 16) = slice %v dim=0 from=0 to=4", "arena, 64", ""},
		{loop("arena, 128, 16, (16)"), "arena, 64", ""},
		{loop("arena, 32, 16, (16)"), "arena, 64", "writes %n where %t lies"},
		{loop("arena, 32, 16, (-16)"), "arena, 64", "writes %n where %v lies"},
	} {
		meshCase{"scheduled", "%a: f32[b:4]{?x}", text(c.between, c.at), c.want}.check(t)
	}
	meshCase{"scheduled", "%a: f32[b:4]{?x}", strings.Replace(text("", "arena, 8"), "mem(arena, 64, 32)", "mem(arena, 8, 32)", 1), "brings %v to where it is itself"}.check(t)
}

package diag

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const source = "module Linear() {\n\tlet é = x + yy\r\n}\n"

func TestRender(t *testing.T) {
	long := "let x = " + strings.Repeat("aaaa + ", 40) + "bad" + strings.Repeat(" + bbbb", 40)
	at := strings.Index(long, "bad") + 1
	for _, c := range []struct {
		name, src string
		d         Diagnostic
		want      string
	}{
		{"full", "let q = dot(q, wq, over: widht)\n", Diagnostic{Code: "V0201", Msg: "no operand of `dot` has axis `widht`",
			Pos: Pos{"nn.vit", 1, 26, 31}, Expected: "one of batch, width",
			Notes: []Note{{Pos{"a.vit", 5, 79, 0}, "heads: 5"}, {Pos{}, "no place"}}, Fix: "width"}, `
error[V0201]: no operand of ` + "`dot` has axis `widht`" + `
 --> nn.vit:1:26
1 | let q = dot(q, wq, over: widht)
  |                          ^^^^^
expected one of batch, width
note: a.vit:5:79: heads: 5
note: no place
fix:  width
`},
		{"tab, multi-byte, carriage return", source, Diagnostic{Severity: Warning, Code: "V0901", Msg: "unused", Pos: Pos{"a.vit", 2, 6, 8}, Label: "this"}, `
warning[V0901]: unused
 --> a.vit:2:6
2 |     let é = x + yy
  |         ^ this
`},
		{"behind a multi-byte character", source, Diagnostic{Msg: "m", Pos: Pos{"a.vit", 2, 15, 17}}, `
error: m
 --> a.vit:2:15
2 |     let é = x + yy
  |                 ^^
`},
		{"no End, at the line's end", source, Diagnostic{Msg: "m", Pos: Pos{"a.vit", 1, 18, 0}, Label: "here"}, `
error: m
 --> a.vit:1:18
1 | module Linear() {
  |                  ^ here
`},
		{"End beyond the line", source, Diagnostic{Msg: "m", Pos: Pos{"a.vit", 3, 1, 99}}, `
error: m
 --> a.vit:3:1
3 | }
  | ^
`},
		{"wide number", strings.Repeat("\n", 106) + "x\n", Diagnostic{Msg: "m", Pos: Pos{"a.vit", 107, 1, 2}}, `
error: m
   --> a.vit:107:1
107 | x
    | ^
`},
		{"line not in the source", "x\n", Diagnostic{Msg: "m", Pos: Pos{"a.vit", 9, 1, 2}, Label: "lost otherwise"}, `
error: m
 --> a.vit:9:1
lost otherwise
`},
		{"a file", "x\n", Diagnostic{Msg: "too large", Pos: Pos{File: "a.vit"}}, `
error: too large
 --> a.vit
`},
		{"no place", "", Diagnostic{Msg: "no memory", Fix: "more"}, `
error: no memory
fix:  more
`},
		{"a control character", "a\x1bb\n", Diagnostic{Msg: "m", Pos: Pos{"a.vit", 1, 2, 3}}, `
error: m
 --> a.vit:1:2
1 | a` + "\ufffd" + `b
  |  ^
`},
		{"long line", long, Diagnostic{Msg: "m", Pos: Pos{"a.vit", 1, at, at + 3}}, `
error: m
 --> a.vit:1:289
1 | ...aaa + aaaa + aaaa + bad + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbbb + bbb...
  |                        ^^^
`},
	} {
		var b bytes.Buffer
		if err := Render(&b, &c.d, func(string) []byte { return []byte(c.src) }); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != c.want[1:] {
			t.Errorf("%s: got\n%swant%s", c.name, got, c.want)
		}
	}
}

func TestRenderWithoutSource(t *testing.T) {
	d := &Diagnostic{Msg: "m", Pos: Pos{"a.vit", 1, 1, 2}, Label: "label"}
	for _, src := range []func(string) []byte{nil, func(string) []byte { return nil }} {
		var b bytes.Buffer
		if err := Render(&b, d, src); err != nil {
			t.Fatal(err)
		}
		if want := "error: m\n --> a.vit:1:1\nlabel\n"; b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
}

// TestClipKeepsCarets demands that a clipped line shows its carets under the right text.
func TestClipKeepsCarets(t *testing.T) {
	for _, n := range []int{1, 50, 100, 117, 118, 119, 120, 121, 200, 500} {
		line := strings.Repeat("a", n-1) + "#" + strings.Repeat("b", 500-n)
		text, before, under := excerpt([]byte(line), Pos{"a.vit", 1, n, n + 1})
		if under != 1 || text[before] != '#' {
			t.Errorf("column %d: carets stand %d of %q", n, before, text)
		}
		if len(text) > excerptWidth+2*len(ellipsis) {
			t.Errorf("column %d: %d columns", n, len(text))
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestRenderReportsWriteErrors(t *testing.T) {
	l := List{{Msg: "a"}, {Msg: "b"}}
	if l.Render(failing{}, nil) == nil || l.WriteJSON(failing{}) == nil {
		t.Error("a failed write is not reported")
	}
}

func TestList(t *testing.T) {
	at := func(file string, line int, msg string) *Diagnostic {
		return &Diagnostic{Code: "V0001", Msg: msg, Pos: Pos{file, line, 1, 2}}
	}
	var l List
	for _, d := range []*Diagnostic{at("b.vit", 1, "d"), at("a.vit", 20, "c"), at("a.vit", 3, "a"), at("a.vit", 3, "b"), at("a.vit", 3, "a")} {
		l.Add(d)
	}
	want := "a.vit:3:1: error[V0001]: a\na.vit:3:1: error[V0001]: b\na.vit:20:1: error[V0001]: c\nb.vit:1:1: error[V0001]: d"
	if got := l.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(l) != 5 || l[0].Msg != "d" {
		t.Error("sorting changed the list itself")
	}
}

func TestListLimit(t *testing.T) {
	var l List
	for i := range MaxShown + 7 {
		l.Add(&Diagnostic{Msg: fmt.Sprint("m", i), Pos: Pos{"a.vit", i + 1, 1, 0}})
	}
	var b bytes.Buffer
	if err := l.Render(&b, nil); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{b.String(), l.Error() + "\n"} {
		if !strings.HasSuffix(text, "... and 7 more\n") || strings.Count(text, "error: m") != MaxShown {
			t.Errorf("got\n%s", text)
		}
	}
}

func TestErr(t *testing.T) {
	l := List{{Severity: Warning, Msg: "w"}}
	if err := l.Err(); err != nil {
		t.Errorf("a warning is no error, got %v", err)
	}
	l.Add(&Diagnostic{Msg: "e"})
	var got List
	if err := l.Err(); !errors.As(err, &got) || got.Errors() != 1 {
		t.Errorf("got %v", err)
	}
}

func TestString(t *testing.T) {
	d := &Diagnostic{Code: "V0201", Msg: "m", Pos: Pos{"a.vit", 1, 2, 3}, Expected: "x", Fix: "y"}
	if got, want := d.Error(), "a.vit:1:2: error[V0201]: m; expected x; fix: y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	l := List{{Code: "V0201", Msg: "no `a`", Pos: Pos{"a.vit", 1, 2, 3}, Label: "l", Expected: "e", Fix: "f",
		Notes: []Note{{Text: "n"}, {Pos{File: "b.vit", Line: 4, Col: 5}, "m"}}}, {Severity: Warning, Msg: "w"}}
	var b bytes.Buffer
	if err := l.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	want := `{"severity":"warning","message":"w"}
{"severity":"error","code":"V0201","message":"no ` + "`a`" + `","pos":{"file":"a.vit","line":1,"col":2,"end":3},"label":"l","expected":"e","notes":[{"text":"n"},{"pos":{"file":"b.vit","line":4,"col":5},"text":"m"}],"fix":"f"}
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	for _, line := range strings.Split(strings.TrimSpace(want), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestNearest(t *testing.T) {
	words := []string{"batch", "heads", "head", "seq", "width", "model", "module"}
	for name, want := range map[string]string{"widht": "width", "modul": "module", "heds": "heads", "hed": "head", "sec": "seq",
		"batches": "batch", "zebra": "", "x": "", "": "", "width": "", "wdth": "width", strings.Repeat("a", 1<<20): ""} {
		if got := Nearest(name, words); got != want {
			t.Errorf("Nearest(%.20q) is %q, want %q", name, got, want)
		}
	}
}

package lang

import (
	"strings"
	"testing"
)

func TestPrecedence(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"a + b + c", "(+ (+ a b) c)"},
		{"a - b - c", "(- (- a b) c)"},
		{"a - (b - c)", "(- a (- b c))"},
		{"a + b * c", "(+ a (* b c))"},
		{"a * b + c", "(+ (* a b) c)"},
		{"a / b * c % d", "(% (* (/ a b) c) d)"},
		{"a ** b ** c", "(** a (** b c))"},
		{"(a ** b) ** c", "(** (** a b) c)"},
		{"a * b ** c", "(* a (** b c))"},
		{"-a ** b", "(- (** a b))"},
		{"(-a) ** b", "(** (- a) b)"},
		{"a ** -b", "(** a (- b))"},
		{"a ** -b ** c", "(** a (- (** b c)))"},
		{"a ** -b * c", "(* (** a (- b)) c)"},
		{"-a * b", "(* (- a) b)"},
		{"a * -b + c", "(+ (* a (- b)) c)"},
		{"- -a", "(- (- a))"},
		{"a < b + c", "(< a (+ b c))"},
		{"a == b and c != d", "(and (== a b) (!= c d))"},
		{"a or b and c", "(or a (and b c))"},
		{"a and b or c", "(or (and a b) c)"},
		{"not a == b", "(not (== a b))"},
		{"not a and b", "(and (not a) b)"},
		{"a and not b or c", "(or (and a (not b)) c)"},
		{"not not a", "(not (not a))"},
		{"a <= b", "(<= a b)"},
		{"a >= b", "(>= a b)"},
		{"a > b", "(> a b)"},
		{"a if b else c", "(if b a c)"},
		{"a if b else c if d else e", "(if b a (if d c e))"},
		{"a + b if c or d else e - f", "(if (or c d) (+ a b) (- e f))"},
		{"a if b else c with d as e", "(if b a (with c [d] [e]))"},
		{"a with b as c if d else e", "(if d (with a [b] [c]) e)"},
		{"a + b with c as d", "(with (+ a b) [c] [d])"},
		{"a with b as c with d as (e, f: 2)", "(with (with a [b] [c]) [d] [e, f: 2])"},
		{"(a with b as c) + d", "(+ (with a [b] [c]) d)"},
		{"-a.b(c)[d]", "(- (index (call (field a b) c) d))"},
		{"a.b ** c.d", "(** (field a b) (field c d))"},
		{"f(x)(y)", "(call (call f x) y)"},
		{"f(a if b else c, d)", "(call f (if b a c) d)"},
		{"x[seq: a - 1..]", "(index x seq: (- a 1)..)"},
		{"(a)", "a"},
		{"(a,)", "(tuple a)"},
	} {
		f, list := Parse("x.vit", []byte("edition 1\nlet x = "+c.src+"\n"))
		if len(list) > 0 {
			t.Errorf("%s: %s", c.src, list)
			continue
		}
		if got := sexpr(f.Decls[0].(*Let).Value); got != c.want {
			t.Errorf("%s is %s, want %s", c.src, got, c.want)
		}
	}
}

// TestSpans demands that carets under an expression cover it, parentheses included.
func TestSpans(t *testing.T) {
	for _, c := range []string{"a + b", "(a + b) * c", "f(x, y: 2)", "-x", "x[seq: 0]", "(a)", "[1, 2]", "a.b.c",
		"a if b else c", "x with a as (b, c)", "not a", `"text {a}"`, "(a: 1)", "1e-3", "()"} {
		f, list := Parse("x.vit", []byte("edition 1\nlet x = "+c+"  // "+c+"\n"))
		if len(list) > 0 {
			t.Errorf("%s: %s", c, list)
			continue
		}
		let := f.Decls[0].(*Let)
		if p := let.Value.Pos(); p.Line != 2 || p.Col != 9 || p.End != 9+len(c) {
			t.Errorf("%s stands at %+v", c, p)
		}
		if p := let.Pos(); p.Col != 1 || p.End != 9+len(c) {
			t.Errorf("let of %s stands at %+v", c, p)
		}
	}
}

// TestLongSpan demands that what goes on on other lines is underlined on its first.
func TestLongSpan(t *testing.T) {
	f, _ := Parse("x.vit", []byte("edition 1\nlet x = f(aaa,\n  b)\n"))
	if p := f.Decls[0].(*Let).Value.Pos(); p.Line != 2 || p.Col != 9 || p.End != 9+len("f(aaa,") {
		t.Errorf("stands at %+v", p)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		text  string
		value float64
		isInt bool
	}{
		{"0", 0, true}, {"007", 7, true}, {"177_000", 177000, true}, {"1.0", 1, false}, {"1e3", 1000, false},
		{"1E-3", 0.001, false}, {"10k", 10000, true}, {"1.5k", 1500, true}, {"0.0001k", 0.1, false}, {"2M", 2e6, true},
		{"3G", 3e9, true}, {"4Ki", 4096, true}, {"1.5Mi", 1.5 * 1024 * 1024, true}, {"2Gi", 2 << 30, true},
		{"1.1k", 1100, true}, {"9007199254740991", 1<<53 - 1, true},
	} {
		f, list := Parse("x.vit", []byte("edition 1\nlet x = "+c.text+"\n"))
		if len(list) > 0 {
			t.Errorf("%s: %s", c.text, list)
			continue
		}
		n := f.Decls[0].(*Let).Value.(*Number)
		if n.Value != c.value || n.IsInt != c.isInt || n.Text != c.text {
			t.Errorf("%s is %+v, want %v, whole %t", c.text, n, c.value, c.isInt)
		}
	}
}

// TestPartial demands that what surrounds an error is still in the tree.
func TestPartial(t *testing.T) {
	src := strings.Join([]string{"edition 1", "let a = 1", "let b = * 2", "let c = f(1,", "module M() {", "  axis x = 2",
		"  axis y = = 2", "  fn (x) { x + }", "}"}, "\n")
	f, list := Parse("x.vit", []byte(src))
	if len(list) != 4 {
		t.Errorf("%d errors, want 4:\n%s", len(list), list)
	}
	got := dump(t, f)
	want := "file x.vit edition 1\nlet a 1\nlet b (bad)\nlet c (call f 1)\nmodule M ()\n  axis x 2\n  axis y (bad)\n  fn (x)\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

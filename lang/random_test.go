package lang

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// program draws a syntactically correct file, laid out at random: blanks, line breaks
// and comments stand wherever the language lets them.
type program struct {
	t     *rapid.T
	out   strings.Builder
	depth int
}

func (p *program) pick(label string, options ...string) string {
	return rapid.SampledFrom(options).Draw(p.t, label)
}

func (p *program) chance(percent int, label string) bool {
	return rapid.IntRange(0, 99).Draw(p.t, label) < percent
}

func (p *program) count(most int, label string) int { return rapid.IntRange(0, most).Draw(p.t, label) }

// put writes tokens with blanks between them. A token "~" stands for a place where the
// line may break: behind an operator or a comma, or inside parentheses.
func (p *program) put(tokens ...string) {
	for _, tok := range tokens {
		if tok == "~" {
			p.out.WriteString(p.pick("break", "", "", "", " ", "\n", "\n\n   ", " // c\n", "\n  // d\n"))
			continue
		}
		p.out.WriteString(p.pick("blank", " ", " ", "  ", "\t") + tok)
	}
}

func (p *program) end() {
	p.out.WriteString(p.pick("end", "\n", "\n", "\n\n", "\n\n\n", " // e\n", "\n   // f\n", "\r\n"))
}

func (p *program) name() string {
	return p.pick("name", "a", "b", "width", "seq", "x1", "_", "train", "of", "data", "edition")
}

// list writes n items between brackets, perhaps with a comma at the end.
func (p *program) list(open, close string, least, most int, trail bool, item func()) {
	n := max(p.count(most, "items"), least)
	p.put(open)
	for i := range n {
		p.put("~")
		item()
		if i < n-1 || trail && p.chance(20, "trailing comma") {
			p.put(",")
		}
	}
	p.put("~", close)
}

func (p *program) expr() {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > 5 {
		p.put(p.name())
		return
	}
	switch rapid.IntRange(0, 9).Draw(p.t, "expression") {
	case 0:
		p.put("(")
		p.expr()
		p.put(")")
		p.suffix()
	case 1, 2:
		p.operand()
		p.put(p.pick("operator", "+", "-", "*", "/", "%", "**", "and", "or"), "~")
		p.operand()
	case 3:
		p.operand()
		p.put("if", "~")
		p.operand()
		p.put("else", "~")
		p.expr()
	case 4:
		p.operand()
		p.put("with", "~", p.name(), "as")
		p.list("(", ")", 1, 3, true, func() { p.put(p.name()) })
	case 5:
		p.put("repeat", p.name(), "as", "i", "{")
		p.put(p.pick("brace", "~", ""))
		p.expr()
		p.put(p.pick("brace", "\n", ""), "}")
	case 6:
		p.put(p.pick("prefix", "-", "not", "- -", "-"))
		p.operand()
	default:
		p.operand()
	}
}

func (p *program) operand() {
	switch rapid.IntRange(0, 7).Draw(p.t, "operand") {
	case 0:
		p.put(p.pick("number", "1", "2.5", "1e-3", "10k", "1_000", "4Ki"))
	case 1:
		p.put(p.pick("string", `"a"`, `"{width} x"`, `"\"\{"`, `""`, `"// no é"`))
	case 2:
		p.put("true")
	case 3:
		p.list("[", "]", 0, 3, true, p.expr)
	case 4:
		p.list("(", ")", 2, 3, true, p.arg)
	default:
		p.put(p.name())
		p.suffix()
	}
}

func (p *program) arg() {
	switch rapid.IntRange(0, 4).Draw(p.t, "argument") {
	case 0:
		p.put(p.name(), ":", "~")
	case 1:
		p.put("...")
	}
	p.expr()
}

func (p *program) suffix() {
	for range p.count(2, "suffixes") {
		switch rapid.IntRange(0, 2).Draw(p.t, "suffix") {
		case 0:
			p.list("(", ")", 0, 3, true, p.arg)
		case 1:
			p.put(".", "~", p.name())
		case 2:
			p.list("[", "]", 1, 2, true, func() {
				p.put(p.pick("index", "seq :", ""))
				p.expr()
				p.put(p.pick("range", "", "..", ".. 3"))
			})
		}
	}
}

func (p *program) typ() {
	p.put(p.pick("type", "f32", "axis", "module", "fn", "bf16"))
	if p.chance(60, "axes") {
		p.list("[", "]", 0, 3, true, func() { p.put(p.pick("axis", "...", "width", "row : 2", "col : _", "f(a)")) })
	}
}

func (p *program) params() {
	p.list("(", ")", 0, 3, true, func() {
		p.put(p.name())
		if p.chance(50, "typed") {
			p.put(":", "~")
			p.typ()
		}
		if p.chance(30, "default") {
			p.put("=", "~")
			p.expr()
		}
	})
}

func (p *program) doc() {
	if p.chance(20, "documented") {
		p.out.WriteString("\n  /// what it is\n//between\n///more")
		p.out.WriteString("\n")
	}
}

func (p *program) let() {
	p.put("let", p.name())
	if p.chance(20, "typed") {
		p.put(":")
		p.typ()
	}
	p.put("=", "~")
	p.expr()
}

func (p *program) fn(name string) {
	p.put("fn", name)
	p.params()
	switch rapid.IntRange(0, 2).Draw(p.t, "result") {
	case 0:
		p.put("->", "~")
		p.typ()
	case 1:
		p.put("->")
		p.params()
	}
	p.put("{")
	for range p.count(3, "statements") {
		p.out.WriteString(p.pick("line", "\n", "\n", " "))
		p.stmt()
		p.end()
	}
	p.put("}")
}

func (p *program) stmt() {
	switch rapid.IntRange(0, 4).Draw(p.t, "statement") {
	case 0:
		p.let()
	case 1:
		p.put("axis", p.name(), "=")
		p.expr()
	case 2:
		p.put("require", p.name(), ",", "~", `"no"`)
	case 3:
		p.put(p.name(), "<-", "~")
		p.expr()
	default:
		p.put("f")
		p.list("(", ")", 0, 3, true, p.arg)
	}
}

func (p *program) member() {
	p.doc()
	switch rapid.IntRange(0, 6).Draw(p.t, "member") {
	case 0:
		p.put(p.pick("stored", "param", "state"), p.name(), ":")
		p.typ()
		p.put("=")
		p.expr()
	case 1:
		p.fn("")
	case 2:
		p.put(p.name(), ":", "~")
		p.expr()
	case 3:
		p.put(`"**.w"`, ":")
		p.expr()
	case 4:
		p.put(p.name(), "{")
		for range p.count(3, "entries") {
			p.put("params . width :")
			p.expr()
			p.out.WriteString(p.pick("separator", ",", ",\n", "\n", ", // c\n"))
		}
		p.put("}")
	default:
		p.stmtLike()
	}
}

func (p *program) stmtLike() {
	if p.chance(50, "let") {
		p.let()
		return
	}
	p.put("require", "a", "<", "b", ",", `"no"`) // without message, a string behind the comma would be one
}

func (p *program) decl() {
	p.doc()
	switch rapid.IntRange(0, 4).Draw(p.t, "declaration") {
	case 0:
		p.let()
	case 1:
		p.put("use", "vit", ",", "~", `"a.vit"`, "as", "~", "big")
	case 2:
		p.fn(p.name())
	default:
		p.put(p.pick("head", "module M (a : axis)", "train t of x", "data d -> ( a : i32 [ ] )", "plan p for a . b"), "{")
		for range p.count(4, "members") {
			p.out.WriteString(p.pick("line", "\n", " "))
			p.member()
			p.out.WriteString(p.pick("separator", "\n", ",", ",\n", "\n\n", "// c\n"))
		}
		p.put("}")
	}
}

// TestRandomPrograms formats random programs; see checkFormat.
func TestRandomPrograms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &program{t: t}
		p.out.WriteString("edition 1")
		p.end()
		for range p.count(4, "declarations") {
			p.decl()
			p.end()
		}
		checkFormat(t, "random.vit", []byte(p.out.String()))
	})
}

// TestRandomExpressions prints random trees with the fewest parentheses and demands that
// they are read back.
func TestRandomExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, want, _ := arithmetic(t, 0)
		f, list := Parse("x.vit", []byte("edition 1\nlet x = "+text+"\n"))
		if len(list) > 0 {
			t.Fatalf("%s: %s", text, list)
		}
		if got := sexpr(f.Decls[0].(*Let).Value); got != want {
			t.Fatalf("%s is %s, want %s", text, got, want)
		}
	})
}

// levels of the language's reference, loosest first; independent of the parser's table.
var levels = [][]string{{"or"}, {"and"}, {"not"}, {"==", "!=", "<", ">", "<=", ">="}, {"+", "-"}, {"*", "/", "%"}, {"neg"}, {"**"}}

// arithmetic draws an expression: its text, its tree, and the level of its operator.
func arithmetic(t *rapid.T, depth int) (text, tree string, level int) {
	if depth > 4 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
		return name, name, len(levels)
	}
	level = rapid.IntRange(0, len(levels)-1).Draw(t, "level")
	op := rapid.SampledFrom(levels[level]).Draw(t, "operator")
	x, xTree, xLevel := arithmetic(t, depth+1)
	if op == "neg" || op == "not" {
		word := map[string]string{"neg": "-", "not": "not"}[op]
		return word + " " + parens(x, xLevel < level), fmt.Sprintf("(%s %s)", word, xTree), level
	}
	y, yTree, yLevel := arithmetic(t, depth+1)
	left, right := xLevel < level, yLevel <= level
	switch op {
	case "**": // groups to the right, and its right side may be a sign
		left, right = xLevel <= level, yLevel < level-1
	case "==", "!=", "<", ">", "<=", ">=":
		left = xLevel <= level
	}
	return parens(x, left) + " " + op + " " + parens(y, right), fmt.Sprintf("(%s %s %s)", op, xTree, yTree), level
}

func parens(text string, needed bool) string {
	if needed {
		return "(" + text + ")"
	}
	return text
}

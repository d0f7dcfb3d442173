package lang

import (
	"fmt"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// Expressions are parsed by descent, binary ones by precedence climbing. The first error
// ends the parse: from then on the parser sees the end of the file, so that no loop and
// no caller need care.

// parseExpr parses one expression; participle calls it wherever the grammar says Expr.
func parseExpr(lex *lexer.PeekingLexer) (Expr, error) {
	p := &exprParser{lex: lex, ends: map[int]int{}}
	x := p.expr()
	if p.err != nil {
		return nil, p.err
	}
	return x, nil
}

type exprParser struct {
	lex   *lexer.PeekingLexer
	ends  map[int]int // by line, the column behind the last token consumed on it
	depth int
	err   *syntaxError
}

// syntaxError carries a diagnostic through participle.
type syntaxError struct{ d *diag.Diagnostic }

func (e *syntaxError) Error() string { return e.d.Error() }

func (p *exprParser) fail(d *diag.Diagnostic) Expr {
	if p.err == nil {
		p.err = &syntaxError{d}
	}
	return &Bad{Span{d.Pos}}
}

func (p *exprParser) peek() lexer.Token {
	if p.err != nil {
		return lexer.Token{Type: tokEOF}
	}
	return *p.lex.Peek()
}

// second returns the token behind the next one.
func (p *exprParser) second() lexer.Token {
	mark := p.lex.MakeCheckpoint()
	p.lex.Next()
	t := p.peek()
	p.lex.LoadCheckpoint(mark)
	return t
}

func (p *exprParser) next() lexer.Token {
	t := p.peek()
	if p.err == nil {
		p.ends[t.Pos.Line] = endColumn(t)
		p.lex.Next()
	}
	return t
}

func (p *exprParser) on(value string) bool { return is(p.peek(), value) }

func (p *exprParser) accept(value string) bool {
	if !p.on(value) {
		return false
	}
	p.next()
	return true
}

// expect consumes value or fails; what names the place for the message.
func (p *exprParser) expect(value, what string) {
	if p.err == nil && !p.accept(value) {
		p.fail(unexpected(p.peek(), "`"+value+"` "+what))
	}
}

func (p *exprParser) ident(what string) Ident {
	t := p.peek()
	if t.Type != tokIdent {
		p.fail(notName(t, what))
		return Ident{}
	}
	p.next()
	return ident(t)
}

// from returns the span from a place to the last token consumed, on the place's line.
func (p *exprParser) from(start diag.Pos) Span {
	start.End = max(start.End, p.ends[start.Line])
	return Span{start}
}

// enter counts recursion; its caller defers leave.
func (p *exprParser) enter() bool {
	p.depth++
	if p.depth <= maxDepth {
		return true
	}
	p.fail(&diag.Diagnostic{Code: codeDepth, Pos: at(p.peek()), Fix: "a `let` for a part of it",
		Msg: fmt.Sprintf("an expression is nested more than %d deep", maxDepth)})
	return false
}

func (p *exprParser) leave() { p.depth-- }

// linked counts the links of a flat chain, which make a deep tree as well.
func (p *exprParser) linked(n int) {
	if n == maxChain {
		p.fail(&diag.Diagnostic{Code: codeDepth, Pos: at(p.peek()), Fix: "a `let` for a part of it",
			Msg: fmt.Sprintf("an expression is a chain of more than %d parts", maxChain)})
	}
}

// expr = renamed ["if" renamed "else" expr]
func (p *exprParser) expr() Expr {
	defer p.leave()
	if !p.enter() {
		return &Bad{}
	}
	x := p.renamed()
	if !p.on("if") {
		return x
	}
	word := p.next()
	cond := p.renamed()
	if p.err == nil && !p.on("else") {
		return p.fail(&diag.Diagnostic{Code: codeElse, Msg: "`if` without `else`", Pos: at(word),
			Label: "expected `else` and a value behind the condition, found " + describe(p.peek()),
			Fix:   "a if condition else b"})
	}
	p.next()
	other := p.expr()
	return &Cond{p.from(x.Pos()), x, cond, other}
}

// renamed = binary {"with" pattern "as" pattern}
func (p *exprParser) renamed() Expr {
	x := p.binary(0)
	for n := 0; p.on("with"); n++ {
		p.linked(n)
		p.next()
		from := p.pattern()
		p.expect("as", "and the new axes behind the axes that `with` takes")
		to := p.pattern()
		x = &With{p.from(x.Pos()), x, from, to}
	}
	return x
}

// pattern = Name | "(" Name [":" expr] {"," Name [":" expr]} ")"
func (p *exprParser) pattern() *Pattern {
	start := p.peek()
	if !p.accept("(") {
		name := p.ident("an axis, or axes in parentheses")
		return &Pattern{Span{at(start)}, []*NamedAxis{{name.Span, name, nil}}}
	}
	var axes []*NamedAxis
	for {
		axis := &NamedAxis{Name: p.ident("an axis")}
		if p.accept(":") {
			axis.Size = p.expr()
		}
		axis.Span = p.from(axis.Name.At)
		axes = append(axes, axis)
		if !p.separator(")") {
			break
		}
	}
	return &Pattern{p.from(at(start)), axes}
}

// separator consumes the comma before another item of a bracketed list and returns true,
// or the list's end and returns false.
func (p *exprParser) separator(closer string) bool {
	if p.accept(",") {
		return !p.accept(closer) && p.err == nil
	}
	if p.accept(closer) || p.err != nil {
		return false
	}
	t := p.peek()
	switch {
	case beginsOperand(t):
		d := unexpected(t, "`,` or `"+closer+"`")
		d.Code, d.Msg, d.Fix = codeComma, "a comma is missing", "`,` before "+describe(t)
		d.Label = ""
		p.fail(d)
	case is(t, "="):
		p.fail(&diag.Diagnostic{Code: codeColon, Msg: "`=` where `:` is wanted", Pos: at(t),
			Label: "an argument's name is followed by `:`", Fix: "name: value; to compare, `==`"})
	default:
		p.fail(unexpected(t, "`,` or `"+closer+"`"))
	}
	return false
}

// args = "(" [arg {"," arg} [","]] ")", of which the opening bracket has been consumed.
// single reports that it is one expression without name and comma.
func (p *exprParser) args() (list []*Arg, single bool) {
	if p.accept(")") {
		return nil, false
	}
	for {
		list = append(list, p.arg())
		single = len(list) == 1 && !p.on(",") && list[0].Name == nil && !list[0].Spread
		if !p.separator(")") {
			return list, single
		}
	}
}

// arg = "..." expr | [Name ":"] expr
func (p *exprParser) arg() *Arg {
	start := p.peek()
	a := &Arg{}
	if p.accept("...") {
		a.Spread = true
	} else {
		a.Name = p.label()
	}
	a.Value = p.expr()
	a.Span = p.from(at(start))
	return a
}

// label consumes a name and a colon, if they come next.
func (p *exprParser) label() *Ident {
	t := p.peek()
	if t.Type != tokIdent && t.Type != tokKeyword || !is(p.second(), ":") {
		return nil
	}
	id := p.ident("a name")
	p.next()
	return &id
}

// postfix = primary {"(" args | "[" index {"," index} "]" | "." Name}
func (p *exprParser) postfix() Expr {
	x := p.primary()
	for n := 0; p.err == nil; n++ {
		p.linked(n)
		switch {
		case p.accept("("):
			args, _ := p.args()
			x = &Call{p.from(x.Pos()), x, args}
		case p.accept("["):
			x = p.index(x)
		case p.accept("."):
			x = p.field(x)
		default:
			return x
		}
	}
	return x
}

func (p *exprParser) field(x Expr) Expr {
	n, ok := x.(*Number)
	if ok && p.before().Pos.Column == n.At.Col+len(n.Text) { // the point touches the digits
		return p.fail(&diag.Diagnostic{Code: codeNumber, Msg: "a number ends with a point", Pos: p.from(n.At).At,
			Fix: n.Text + ".0"})
	}
	name := p.ident("a name behind `.`")
	return &Field{p.from(x.Pos()), x, name}
}

// index = [Name ":"] expr [".." [expr]]
func (p *exprParser) index(x Expr) Expr {
	var items []*IndexItem
	if p.on("]") {
		return p.fail(unexpected(p.peek(), "an index: `x[seq: 0]`, `x[seq: 1..]` or `list[0]`"))
	}
	for {
		start := p.peek()
		item := &IndexItem{Axis: p.label()}
		item.From = p.expr()
		if p.accept("..") {
			item.Range = true
			if !p.on(",") && !p.on("]") {
				item.To = p.expr()
			}
		}
		item.Span = p.from(at(start))
		items = append(items, item)
		if !p.separator("]") {
			return &Index{p.from(x.Pos()), x, items}
		}
	}
}

func (p *exprParser) primary() Expr {
	t := p.peek()
	switch {
	case t.Type == tokNumber:
		p.next()
		n, d := number(t)
		if d != nil {
			return p.fail(d)
		}
		return n
	case t.Type == tokString:
		p.next()
		return p.text(t)
	case t.Type == tokIdent:
		p.next()
		return &Name{Span{at(t)}, t.Value}
	case is(t, "true"), is(t, "false"):
		p.next()
		return &Bool{Span{at(t)}, t.Value == "true"}
	case is(t, "repeat"):
		return p.repeat()
	case is(t, "for"):
		return p.loop()
	case is(t, "["):
		return p.list()
	case is(t, "("):
		return p.tuple()
	}
	return p.noOperand(t)
}

func (p *exprParser) text(t lexer.Token) Expr {
	s, d := stringPieces(t)
	if d != nil {
		return p.fail(d)
	}
	return s
}

// noOperand reports a token that no expression begins with.
func (p *exprParser) noOperand(t lexer.Token) Expr {
	if p.err != nil {
		return &Bad{}
	}
	d := unexpected(t, "an expression")
	switch {
	case goesOn(d, p.before(), t):
	case is(t, ".") && p.second().Type == tokNumber:
		d.Fix = "0." + p.second().Value
	case is(t, "..."):
		d.Fix = "`...` spreads a record where arguments are: f(...record)"
	case is(t, "{") && is(p.before(), ":"):
		d.Fix = "no `:` before a table, `name { ... }`; a record is `(name: value)`"
	case is(t, "if"):
		d.Fix = "a if condition else b"
	case is(t, "fn"):
		d.Fix = "declare the function with a name, and use the name"
	case t.Type == tokKeyword && !is(t, "else"):
		d = notName(t, "an expression")
	}
	return p.fail(d)
}

// before returns the token in front of the next one, whether or not this parser read it.
func (p *exprParser) before() lexer.Token {
	c := p.lex.RawCursor()
	if c == 0 {
		return lexer.Token{}
	}
	return p.lex.Range(c-1, c)[0]
}

func (p *exprParser) list() Expr {
	start := p.next()
	var items []Expr
	if p.accept("]") {
		return &List{p.from(at(start)), nil}
	}
	for {
		items = append(items, p.expr())
		if !p.separator("]") {
			return &List{p.from(at(start)), items}
		}
	}
}

// tuple is a tuple, a record or an expression in parentheses. The latter takes the
// parentheses' place, so that carets cover them.
func (p *exprParser) tuple() Expr {
	start := p.next()
	args, single := p.args()
	if !single {
		return &Tuple{p.from(at(start)), args}
	}
	args[0].Value.cover(p.from(at(start)).At)
	return args[0].Value
}

// repeat = "repeat" Name ["as" Name] body
func (p *exprParser) repeat() Expr {
	start := p.next()
	r := &Repeat{Axis: p.ident("the axis to repeat over")}
	if p.accept("as") {
		id := p.ident("a name for the turn's number")
		r.Index = &id
	}
	r.Span = p.from(at(start))
	r.Body = p.body("repeat axis as i { Module(...) }")
	return r
}

// loop = "for" [Name ","] Name "in" expr body
func (p *exprParser) loop() Expr {
	start := p.next()
	f := &For{Name: p.ident("a name for the list's item")}
	if p.accept(",") {
		index := f.Name
		f.Index, f.Name = &index, p.ident("a name for the list's item")
	}
	p.expect("in", "and the list")
	f.In = p.expr()
	f.Span = p.from(at(start))
	f.Body = p.body("for i, x in list { Module(...) }")
	return f
}

// body = "{" expr END "}"
func (p *exprParser) body(form string) Expr {
	if p.err != nil {
		return &Bad{}
	}
	if !p.accept("{") {
		d := unexpected(p.peek(), "`{`")
		d.Fix = form
		return p.fail(d)
	}
	x := p.expr()
	if t := p.peek(); t.Type == tokEnd {
		p.next()
	}
	if p.err == nil && !p.accept("}") {
		d := unexpected(p.peek(), "`}`: one expression stands in these braces")
		d.Fix = form
		return p.fail(d)
	}
	return x
}

package lang

import (
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// members parses the body of a module or block, behind its opening brace.
func (p *parser) members() []Member {
	var out []Member
	for p.inBody() {
		start := p.i
		if m := p.member(); m != nil {
			out = append(out, m)
		}
		p.finish(start, true)
	}
	p.closeBody()
	return out
}

func (p *parser) member() Member {
	docs := p.docs()
	if !p.inBody() {
		return nil
	}
	switch t := p.peek(); {
	case is(t, "axis"):
		v, _ := leaf[axisItem](p, p.end(p.atComma))
		return someMember(v.node(docs), v.Name != nil)
	case is(t, "param"), is(t, "state"):
		v, _ := leaf[storedItem](p, p.end(p.atComma))
		return someMember(v.node(docs), v.Name != nil && v.Type != nil)
	case is(t, "require"):
		v, ok := leaf[requireItem](p, p.end(p.atComma))
		return someMember(v.node(docs), ok)
	case is(t, "fn"):
		f := p.fn(docs)
		return someMember(f, f != nil)
	case is(t, "let"):
		v, _ := leaf[letItem](p, p.end(p.atComma))
		return someMember(v.node(docs), v.Name != nil)
	case t.Type == tokString, t.Type == tokIdent && is(p.second(), "."):
		e, ok := p.entry(docs)
		return someMember(e, ok)
	case t.Type == tokIdent && is(p.second(), "{"):
		return p.table(docs)
	case t.Type == tokIdent && is(p.second(), ":"):
		v, ok := leaf[settingItem](p, p.end(p.atComma))
		return someMember(v.node(docs), ok)
	}
	p.noMember(p.peek())
	return nil
}

// someMember returns m as a Member if ok, else nil.
func someMember[M Member](m M, ok bool) Member {
	if !ok {
		return nil
	}
	return m
}

func (p *parser) entry(docs []string) (*Entry, bool) {
	v, ok := leaf[entryItem](p, p.end(p.atComma))
	return v.node(docs), ok
}

// table = Name "{" {entry (END|",")} "}"
func (p *parser) table(docs []string) Member {
	key := p.peek()
	p.i += 2
	s := &Setting{Span: Span{at(key)}, Doc: docs, Key: ident(key), Table: []*Entry{}}
	for p.inBody() {
		start := p.i
		docs := p.docs()
		if !p.inBody() {
			break
		}
		if t := p.peek(); t.Type == tokString || t.Type == tokIdent {
			if e, ok := p.entry(docs); ok {
				s.Table = append(s.Table, e)
			}
		} else {
			end := p.end(p.atComma)
			p.fail(start, end, unexpected(t, "an entry: \"pattern\": value, or path: value"))
			p.i = end
		}
		p.finish(start, true)
	}
	p.closeBody()
	return s
}

// noMember reports what begins no member, and passes over the item.
func (p *parser) noMember(t lexer.Token) {
	start, end := p.i, p.end(p.atComma)
	p.i = end
	if operator(t) != "" {
		p.fail(start, end, lineBegins(t, "a member"))
		return
	}
	second := p.toks[min(start+1, len(p.toks)-1)]
	d := unexpected(t, "a member")
	switch near := diag.Nearest(t.Value, strings.Fields("axis param state require let fn")); {
	case t.Type == tokKeyword:
		d.Label = "expected a member: axis, param, state, require, let, fn, or a setting"
	case t.Type != tokIdent:
	case is(second, "="):
		d = &diag.Diagnostic{Code: codeColon, Msg: "`=` where `:` is wanted", Pos: at(second),
			Label: "a setting's name is followed by `:`", Fix: t.Value + ": ..., or let " + t.Value + " = ..."}
	case second.Type == tokIdent && topWords[t.Value]:
		d.Code, d.Msg = codeDecl, "`"+t.Value+"` begins a declaration, not a member"
		d.Label = "expected a member, or `}` before it"
	case second.Type == tokIdent && near != "":
		d.Code, d.Msg, d.Label = codeDecl, "`"+clipText(t.Value)+"` begins no member", ""
		d.Fix = near
	default:
		d = unexpected(second, "`:` and a value, or `{`, behind `"+clipText(t.Value)+"`")
	}
	p.fail(start, end, d)
}

// stmts parses the body of a function, behind its opening brace. It also returns the
// place of the closing one.
func (p *parser) stmts() ([]Stmt, diag.Pos) {
	var out []Stmt
	indent := 0 // column of the statement above
	for p.inBody() {
		p.docs() // in a function they are plain comments
		if !p.inBody() {
			break
		}
		start := p.i
		if s := p.stmt(indent); s != nil {
			out = append(out, s)
		}
		indent = p.toks[start].Pos.Column
		p.finish(start, false)
	}
	return out, p.closeBody()
}

// stmt parses a statement; the one above it begins in column above, 0 for none.
func (p *parser) stmt(above int) Stmt {
	t := p.peek()
	end := p.end(p.atNothing)
	switch {
	case is(t, "let"):
		v, _ := leaf[letItem](p, end)
		return someStmt(v.node(nil), v.Name != nil)
	case is(t, "axis"):
		v, _ := leaf[axisItem](p, end)
		return someStmt(v.node(nil), v.Name != nil)
	case is(t, "require"):
		v, ok := leaf[requireItem](p, end)
		return someStmt(v.node(nil), ok)
	case t.Type == tokIdent && is(p.second(), "<-"):
		v, ok := leaf[updateItem](p, end)
		return someStmt(v.node(), ok)
	}
	if d := p.noStmt(t, above); d != nil {
		p.fail(p.i, end, d)
		p.i = end
		return nil
	}
	v, ok := leaf[exprItem](p, end)
	return someStmt(v.node(), ok)
}

// someStmt returns s as a Stmt if ok, else nil.
func someStmt[S Stmt](s S, ok bool) Stmt {
	if !ok {
		return nil
	}
	return s
}

// noStmt returns what is wrong with a line that cannot be an expression's beginning.
func (p *parser) noStmt(t lexer.Token, above int) *diag.Diagnostic {
	deeper := above > 0 && t.Pos.Column > above
	next := p.second()
	switch {
	case is(t, "-"), is(t, "("), is(t, "["):
		if deeper && t.Pos.Line > p.toks[p.i-1].Pos.Line {
			return bracketBegins(t)
		}
	case is(t, ".") && next.Type == tokNumber: // the expression's error says more
	case is(t, "if") && !deeper:
		return &diag.Diagnostic{Code: codeForeign, Msg: "`if` does not begin a statement", Pos: at(t),
			Label: "conditions choose between values", Fix: "a if condition else b; for tensors, where(condition, a, b)"}
	case operator(t) != "":
		return lineBegins(t, "a statement")
	case is(t, "return") && (beginsOperand(next) || is(next, "-")):
		return &diag.Diagnostic{Code: codeForeign, Msg: "there is no `return`", Pos: at(t),
			Label: "the last expression is the result", Fix: "leave `return` out"}
	case is(t, "param"), is(t, "state"), is(t, "fn"), is(t, "module"), is(t, "use"):
		d := unexpected(t, "a statement")
		d.Code, d.Label = codeDecl, "does not stand in a function"
		return d
	}
	return nil
}

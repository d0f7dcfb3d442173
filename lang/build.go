package lang

import (
	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// Productions become the tree here. After an error parts of them are missing: a missing
// expression becomes Bad, a missing name an empty one.

func ident(t lexer.Token) Ident { return Ident{Span{at(t)}, t.Value} }

func optIdent(t *lexer.Token) *Ident {
	if t == nil {
		return nil
	}
	id := ident(*t)
	return &id
}

func needIdent(t *lexer.Token) Ident {
	if t == nil {
		return Ident{}
	}
	return ident(*t)
}

func needExpr(x Expr, pos diag.Pos) Expr {
	if x == nil {
		return &Bad{Span{pos}}
	}
	return x
}

func docLines(docs []lexer.Token) []string {
	var out []string
	for _, d := range docs {
		text := d.Value[len("///"):]
		if text != "" && text[0] == ' ' {
			text = text[1:]
		}
		out = append(out, text)
	}
	return out
}

func (u *useItems) node() *Use {
	out := &Use{Span: Span{span(u.Tokens)}}
	for _, item := range u.Items {
		x := &UseItem{Span: Span{span(item.Tokens)}, Name: needIdent(item.Name)}
		if item.File != nil {
			x.Name = needIdent(item.As)
			x.FilePos = at(*item.File)
			if s, d := stringPieces(*item.File); d == nil {
				x.File = s.Raw()
			}
		}
		out.Items = append(out.Items, x)
	}
	return out
}

func (m *moduleHead) node(docs []string) *Module {
	return &Module{Span: Span{span(m.Tokens)}, Doc: docs, Name: needIdent(m.Name), Params: m.Params.node()}
}

func (f *fnHead) node(docs []string) *Fn {
	return &Fn{Span: Span{span(f.Tokens)}, Doc: docs, Name: optIdent(f.Name), Params: f.Params.node(),
		Result: f.Result.node(), Fields: f.Fields.node()}
}

func (h *hostHead) node(docs []string) *Host {
	return &Host{Span: Span{span(h.Tokens)}, Doc: docs, Name: needIdent(h.Name), Params: h.Params.node()}
}

func (m *modelItem) node(docs []string) *Model {
	pos := span(m.Tokens)
	return &Model{Span: Span{pos}, Doc: docs, Name: needIdent(m.Name), Value: needExpr(m.Value, pos)}
}

func (c *configHead) node(docs []string) *Config {
	out := &Config{Span: Span{span(c.Tokens)}, Doc: docs, Name: needIdent(c.Name), Params: c.Params.node(),
		Target: c.Target.node(), Yields: c.Yields.node()}
	if c.Kind != nil {
		out.Kind = Kind(c.Kind.Value)
	}
	if c.Link != nil {
		out.Link = c.Link.Value
	}
	return out
}

func (d *dottedName) node() *Path {
	if d == nil {
		return nil
	}
	out := &Path{Span: Span{span(d.Tokens)}}
	for _, part := range d.Parts {
		out.Parts = append(out.Parts, ident(part.Name))
	}
	return out
}

func (l *paramList) node() *Params {
	if l == nil {
		return nil
	}
	out := &Params{Span: Span{span(l.Tokens)}}
	for _, p := range l.List {
		out.List = append(out.List, &Param{Span{span(p.Tokens)}, needIdent(p.Name), p.Type.node(), p.Default})
	}
	return out
}

func (t *typeName) node() *Type {
	if t == nil {
		return nil
	}
	out := &Type{Span: Span{span(t.Tokens)}, Tensor: t.Axes != nil}
	if t.Name != nil {
		out.Name = t.Name.Value
	}
	if t.Axes != nil {
		for _, a := range t.Axes.List {
			out.Axes = append(out.Axes, a.node())
		}
	}
	return out
}

// node makes a bare name the axis's name: in [width] it is no size.
func (a *typeAxis) node() *TypeAxis {
	out := &TypeAxis{Span: Span{span(a.Tokens)}, Rest: a.Rest, Name: optIdent(a.Name), Size: a.Size}
	if n, ok := a.Size.(*Name); ok && a.Name == nil {
		out.Name, out.Size = &Ident{n.Span, n.Name}, nil
	}
	return out
}

func (a *axisItem) node(docs []string) *AxisDecl {
	pos := span(a.Tokens)
	return &AxisDecl{Span{pos}, docs, needIdent(a.Name), needExpr(a.Size, pos)}
}

func (s *storedItem) node(docs []string) *Stored {
	pos := span(s.Tokens)
	state := s.Kind != nil && s.Kind.Value == "state"
	return &Stored{Span{pos}, docs, state, needIdent(s.Name), s.Type.node(), needExpr(s.Init, pos)}
}

func (r *requireItem) node(docs []string) *Require {
	pos := span(r.Tokens)
	out := &Require{Span: Span{pos}, Doc: docs, Cond: needExpr(r.Cond, pos)}
	if r.Message != nil {
		out.Message, _ = stringPieces(*r.Message)
	}
	return out
}

func (l *letItem) node(docs []string) *Let {
	pos := span(l.Tokens)
	return &Let{Span{pos}, docs, needIdent(l.Name), l.Type.node(), needExpr(l.Value, pos)}
}

func (s *settingItem) node(docs []string) *Setting {
	pos := span(s.Tokens)
	return &Setting{Span: Span{pos}, Doc: docs, Key: needIdent(s.Key), Value: needExpr(s.Value, pos)}
}

func (e *entryItem) node(docs []string) *Entry {
	pos := span(e.Tokens)
	out := &Entry{Span: Span{pos}, Doc: docs, Path: e.Path.node(), Value: needExpr(e.Value, pos)}
	if e.Pattern != nil {
		out.Pattern, _ = stringPieces(*e.Pattern)
	}
	if out.Pattern == nil && out.Path == nil {
		out.Path = &Path{Span: Span{pos}}
	}
	return out
}

func (u *updateItem) node() *Update {
	pos := span(u.Tokens)
	return &Update{Span{pos}, needIdent(u.Name), needExpr(u.Value, pos)}
}

func (e *exprItem) node() *ExprStmt {
	pos := span(e.Tokens)
	return &ExprStmt{Span{pos}, needExpr(e.X, pos)}
}

package lang

import (
	"strings"

	"vitc/ir/diag"
)

// Documentation is what a file says about itself and what it declares.
type Documentation struct {
	Name         string       `json:"name"`
	Doc          string       `json:"doc,omitempty"` // the comment before the first declaration
	Declarations []Documented `json:"declarations"`
}

// Documented is a declaration, or a member of a module, with its documentation comment.
type Documented struct {
	Kind      string       `json:"kind"`           // module, fn, let, host, model, param, state, or the word of a block
	Name      string       `json:"name,omitempty"` // "": a module's fn that is the module's call
	Signature string       `json:"signature"`      // as the canonical form writes it, without a body
	Doc       string       `json:"doc,omitempty"`
	Members   []Documented `json:"members,omitempty"`
}

// Document reads a file's documentation. After syntax errors there is none.
func Document(name string, src []byte) (*Documentation, diag.List) {
	src, list := Format(name, src)
	if list.Errors() > 0 {
		return nil, list
	}
	d := &documenting{reading: read(name, src), text: string(src)}
	out := &Documentation{Name: name, Doc: d.head()}
	for _, x := range d.file.Decls {
		if _, isUse := x.(*Use); !isUse {
			out.Declarations = append(out.Declarations, d.declaration(x))
		}
	}
	return out, list
}

type documenting struct {
	*reading
	text string
}

// head is the first comment of a file, if it stands by itself before all declarations.
func (d *documenting) head() string {
	var lines []string
	line := 0
	for _, t := range d.all {
		switch {
		case t.Type != tokComment && len(lines) == 0 && t.Pos.Line == 1:
			continue // the edition
		case t.Type != tokComment || len(lines) > 0 && t.Pos.Line > line+1:
			return strings.Join(lines, "\n")
		}
		line = t.Pos.Line
		lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(t.Value, "//"), " "))
	}
	return strings.Join(lines, "\n")
}

func (d *documenting) declaration(x Decl) Documented {
	out := Documented{Name: declName(x).Name}
	var doc []string
	switch x := x.(type) {
	case *Module:
		out.Kind, doc = "module", x.Doc
		for _, m := range x.Body {
			out.Members = d.member(out.Members, m)
		}
	case *Fn:
		out.Kind, doc = "fn", x.Doc
	case *Let:
		out.Kind, doc = "let", x.Doc
	case *Host:
		out.Kind, doc = "host", x.Doc
	case *Model:
		out.Kind, doc = "model", x.Doc
	case *Config:
		out.Kind, doc = string(x.Kind), x.Doc
	}
	out.Doc = strings.Join(doc, "\n")
	out.Signature = d.signature(x, out.Kind)
	return out
}

// member adds what can be called or is stored.
func (d *documenting) member(list []Documented, m Member) []Documented {
	out := Documented{}
	var doc []string
	switch m := m.(type) {
	case *Fn:
		if out.Kind, doc = "fn", m.Doc; m.Name != nil {
			out.Name = m.Name.Name
		}
	case *Stored:
		out.Kind, out.Name, doc = m.Word(), m.Name.Name, m.Doc
	default:
		return list
	}
	out.Doc = strings.Join(doc, "\n")
	out.Signature = d.signature(m, out.Kind)
	return append(list, out)
}

// signature is a declaration's text up to its body, or to its end where it has none.
func (d *documenting) signature(x Node, kind string) string {
	bodied := kind != "let" && kind != "host" && kind != "model" && kind != "param" && kind != "state"
	from, to, depth := -1, 0, 0
	for _, t := range d.all {
		switch {
		case from < 0 && (t.Pos.Line != x.Pos().Line || t.Pos.Column != x.Pos().Col):
			continue
		case from < 0:
			from = t.Pos.Offset
		case depth == 0 && (d.begins[t.Pos.Offset] || t.Type == tokDoc || is(t, "}") || bodied && is(t, "{")):
			return d.cut(from, to)
		}
		if t.Type == tokComment {
			continue
		}
		switch to = t.Pos.Offset + len(t.Value); {
		case is(t, "(") || is(t, "[") || is(t, "{"):
			depth++
		case is(t, ")") || is(t, "]") || is(t, "}"):
			depth--
		}
	}
	return d.cut(from, to)
}

// cut takes a piece of the text; its later lines move to the left as its first one does.
func (d *documenting) cut(from, to int) string {
	if from < 0 {
		return ""
	}
	column := from - strings.LastIndexByte(d.text[:from], '\n') - 1
	lines := strings.Split(d.text[from:to], "\n")
	for i := range lines[1:] {
		lines[i+1] = strings.TrimPrefix(lines[i+1], strings.Repeat(" ", column))
	}
	return strings.Join(lines, "\n")
}

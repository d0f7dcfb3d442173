package lang

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Dump writes the tree as text, for people and tests: a line for each declaration,
// member and statement, expressions with the operator first in parentheses. Positions
// are left out, so that two files that mean the same print the same.
func Dump(w io.Writer, f *File) error {
	d := &dumper{w: bufio.NewWriter(w)}
	d.line("file %s edition %d", f.Name, f.Edition)
	for _, x := range f.Decls {
		d.decl(x)
	}
	return d.w.Flush()
}

type dumper struct {
	w     *bufio.Writer // keeps the first error for Flush
	depth int
}

func (d *dumper) line(format string, args ...any) {
	d.w.WriteString(strings.Repeat("  ", d.depth))
	fmt.Fprintf(d.w, format, args...)
	d.w.WriteByte('\n')
}

func (d *dumper) doc(lines []string) {
	for _, l := range lines {
		d.line("/// %s", l)
	}
}

func (d *dumper) decl(x Decl) {
	switch x := x.(type) {
	case *Use:
		for _, item := range x.Items {
			if item.File != "" {
				d.line("use %s file %q", item.Name.Name, item.File)
				continue
			}
			d.line("use %s", item.Name.Name)
		}
	case *Module:
		d.doc(x.Doc)
		d.line("module %s %s", x.Name.Name, params(x.Params))
		d.members(x.Body)
	case *Fn:
		d.fn(x)
	case *Let:
		d.let(x)
	case *Host:
		d.doc(x.Doc)
		d.line("host %s %s", x.Name.Name, params(x.Params))
	case *Model:
		d.doc(x.Doc)
		d.line("model %s %s", x.Name.Name, sexpr(x.Value))
	case *Config:
		d.config(x)
	}
}

func (d *dumper) config(c *Config) {
	d.doc(c.Doc)
	head := []string{string(c.Kind), c.Name.Name}
	if c.Params != nil {
		head = append(head, params(c.Params))
	}
	if c.Target != nil {
		head = append(head, c.Link, c.Target.String())
	}
	if c.Yields != nil {
		head = append(head, "->", params(c.Yields))
	}
	d.line("%s", strings.Join(head, " "))
	d.members(c.Body)
}

func (d *dumper) members(body []Member) {
	d.depth++
	defer func() { d.depth-- }()
	for _, m := range body {
		switch m := m.(type) {
		case *AxisDecl:
			d.axis(m)
		case *Stored:
			d.doc(m.Doc)
			d.line("%s %s %s %s", m.Word(), m.Name.Name, typeText(m.Type), sexpr(m.Init))
		case *Require:
			d.require(m)
		case *Fn:
			d.fn(m)
		case *Let:
			d.let(m)
		case *Setting:
			d.setting(m)
		case *Entry:
			d.entry(m)
		}
	}
}

func (d *dumper) axis(a *AxisDecl) {
	d.doc(a.Doc)
	d.line("axis %s %s", a.Name.Name, sexpr(a.Size))
}

func (d *dumper) require(r *Require) {
	d.doc(r.Doc)
	if r.Message == nil {
		d.line("require %s", sexpr(r.Cond))
		return
	}
	d.line("require %s %s", sexpr(r.Cond), sexpr(r.Message))
}

func (d *dumper) let(l *Let) {
	d.doc(l.Doc)
	if l.Type == nil {
		d.line("let %s %s", l.Name.Name, sexpr(l.Value))
		return
	}
	d.line("let %s: %s %s", l.Name.Name, typeText(l.Type), sexpr(l.Value))
}

func (d *dumper) setting(s *Setting) {
	d.doc(s.Doc)
	if s.Table == nil {
		d.line("setting %s %s", s.Key.Name, sexpr(s.Value))
		return
	}
	d.line("table %s", s.Key.Name)
	d.depth++
	for _, e := range s.Table {
		d.entry(e)
	}
	d.depth--
}

func (d *dumper) entry(e *Entry) {
	d.doc(e.Doc)
	if e.Pattern != nil {
		d.line("entry %s %s", sexpr(e.Pattern), sexpr(e.Value))
		return
	}
	d.line("entry %s %s", e.Path, sexpr(e.Value))
}

func (d *dumper) fn(f *Fn) {
	d.doc(f.Doc)
	head := "fn"
	if f.Name != nil {
		head += " " + f.Name.Name
	}
	head += " " + params(f.Params)
	switch {
	case f.Result != nil:
		head += " -> " + typeText(f.Result)
	case f.Fields != nil:
		head += " -> " + params(f.Fields)
	}
	d.line("%s", head)
	d.depth++
	for _, s := range f.Body {
		d.stmt(s)
	}
	d.depth--
}

func (d *dumper) stmt(s Stmt) {
	switch s := s.(type) {
	case *Let:
		d.let(s)
	case *AxisDecl:
		d.axis(s)
	case *Require:
		d.require(s)
	case *Update:
		d.line("update %s %s", s.Name.Name, sexpr(s.Value))
	case *ExprStmt:
		d.line("%s", sexpr(s.X))
	}
}

func params(p *Params) string {
	if p == nil {
		return "()"
	}
	list := make([]string, len(p.List))
	for i, x := range p.List {
		list[i] = x.Name.Name
		if x.Type != nil {
			list[i] += ": " + typeText(x.Type)
		}
		if x.Default != nil {
			list[i] += " = " + sexpr(x.Default)
		}
	}
	return "(" + strings.Join(list, ", ") + ")"
}

func typeText(t *Type) string {
	if t == nil {
		return "_"
	}
	if !t.Tensor {
		return t.Name
	}
	axes := make([]string, len(t.Axes))
	for i, a := range t.Axes {
		switch {
		case a.Rest:
			axes[i] = "..."
		case a.Name == nil:
			axes[i] = sexpr(a.Size)
		case a.Size == nil:
			axes[i] = a.Name.Name
		default:
			axes[i] = a.Name.Name + ": " + sexpr(a.Size)
		}
	}
	return t.Name + "[" + strings.Join(axes, ", ") + "]"
}

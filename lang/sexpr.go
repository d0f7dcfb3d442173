package lang

import (
	"fmt"
	"strconv"
	"strings"
)

// sexpr prints an expression with the operator first: (+ a (* b c)).
func sexpr(x Expr) string {
	switch x := x.(type) {
	case nil:
		return "_"
	case *Bad:
		return "(bad)"
	case *Number:
		return numberText(x)
	case *String:
		return stringText(x)
	case *Bool:
		return strconv.FormatBool(x.Value)
	case *Name:
		return x.Name
	case *List:
		return form("list", sexprs(x.Items)...)
	case *Tuple:
		return form("tuple", argTexts(x.Args)...)
	case *Call:
		return form("call "+sexpr(x.Fn), argTexts(x.Args)...)
	case *Index:
		return form("index "+sexpr(x.X), indexTexts(x.Items)...)
	case *Field:
		return form("field", sexpr(x.X), x.Name.Name)
	case *Unary:
		return form(x.Op, sexpr(x.X))
	case *Binary:
		return form(x.Op, sexpr(x.X), sexpr(x.Y))
	case *Cond:
		return form("if", sexpr(x.Cond), sexpr(x.Then), sexpr(x.Else))
	case *With:
		return form("with", sexpr(x.X), patternText(x.From), patternText(x.To))
	case *Repeat:
		return form("repeat", x.Axis.Name, optName(x.Index), sexpr(x.Body))
	case *For:
		return form("for", optName(x.Index), x.Name.Name, sexpr(x.In), sexpr(x.Body))
	}
	return fmt.Sprintf("(%T)", x)
}

func form(head string, parts ...string) string {
	return "(" + strings.Join(append([]string{head}, parts...), " ") + ")"
}

func sexprs(list []Expr) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = sexpr(x)
	}
	return out
}

// numberText prints a number's value; one that is not whole by kind shows a point or an
// exponent.
func numberText(n *Number) string {
	s := strconv.FormatFloat(n.Value, 'g', -1, 64)
	if n.IsInt {
		return strconv.FormatFloat(n.Value, 'f', -1, 64)
	}
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// stringText quotes each piece, so that a name in braces differs from braces in text.
func stringText(s *String) string {
	var parts []string
	for _, p := range s.Pieces {
		if p.Name != nil {
			parts = append(parts, "{"+p.Name.Name+"}")
			continue
		}
		parts = append(parts, strconv.Quote(p.Text))
	}
	if len(parts) == 1 && s.Pieces[0].Name == nil {
		return parts[0]
	}
	return form("string", parts...)
}

func argTexts(args []*Arg) []string {
	out := make([]string, len(args))
	for i, a := range args {
		switch {
		case a.Spread:
			out[i] = "..." + sexpr(a.Value)
		case a.Name != nil:
			out[i] = a.Name.Name + ": " + sexpr(a.Value)
		default:
			out[i] = sexpr(a.Value)
		}
	}
	return out
}

func indexTexts(items []*IndexItem) []string {
	out := make([]string, len(items))
	for i, x := range items {
		text := sexpr(x.From)
		if x.Range {
			text += ".."
			if x.To != nil {
				text += sexpr(x.To)
			}
		}
		if x.Axis != nil {
			text = x.Axis.Name + ": " + text
		}
		out[i] = text
	}
	return out
}

func patternText(p *Pattern) string {
	axes := make([]string, len(p.Axes))
	for i, a := range p.Axes {
		axes[i] = a.Name.Name
		if a.Size != nil {
			axes[i] += ": " + sexpr(a.Size)
		}
	}
	return "[" + strings.Join(axes, ", ") + "]"
}

func optName(id *Ident) string {
	if id == nil {
		return "_"
	}
	return id.Name
}

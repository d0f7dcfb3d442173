package lang

import (
	"fmt"
	"strings"

	"vitc/ir/diag"
)

// Kinds of compile-time values, as parameters ask for them.

var kinds = set("int float bool string axis axes module fn list record dtype")

// kindWord returns the kind that a type is, "" for a tensor's.
func kindWord(t *Type) string {
	if t != nil && !t.Tensor && kinds[t.Name] {
		return t.Name
	}
	return ""
}

// kindOf returns the kind that a default gives its parameter, "" for any.
func kindOf(v value) string {
	switch v := v.(type) {
	case num:
		if v.whole {
			return "int"
		}
		return "float"
	case boolean:
		return "bool"
	case text:
		return "string"
	case axis:
		return "axis"
	case axes:
		return "axes"
	case dtype:
		return "dtype"
	case list:
		return "list"
	case *record:
		return "record"
	case *moduleValue:
		return "module"
	case *function, *builtin:
		return "fn"
	}
	return ""
}

// evalKind evaluates an expression where a kind is wanted. A place that wants an axis takes
// the one in scope, else with literal the name itself, without a size; one that wants a
// module or fn takes an incomplete call.
func (f *frame) evalKind(e Expr, kind, param string, literal bool) value {
	switch kind {
	case "axis", "axes", "module", "fn":
		if c, ok := e.(*Cond); ok {
			side := f.choose(c)
			if side == nil {
				return bad{}
			}
			return f.evalKind(side, kind, param, literal)
		}
	}
	switch kind {
	case "axis":
		return f.convert(f.evalAxis(e, literal), kind, param, e.Pos())
	case "axes":
		return f.evalAxes(e, literal)
	case "module", "fn":
		return f.convert(f.recipeOf(e, "a "+kind), kind, param, e.Pos())
	}
	return f.convert(f.eval(e), kind, param, e.Pos())
}

// evalAxis evaluates what may be an axis's literal name.
func (f *frame) evalAxis(e Expr, literal bool) value {
	n, ok := e.(*Name)
	if !ok || !literal {
		return f.eval(e)
	}
	v, found := f.lookup(n.Name)
	if found {
		switch v.(type) {
		case axis, axes, bad:
			return v
		}
	}
	return axis{name: n.Name, size: unsized}
}

// evalAxes evaluates a list of axes; a lone axis is one.
func (f *frame) evalAxes(e Expr, literal bool) value {
	var items []Expr
	switch e := e.(type) {
	case *Tuple:
		for _, a := range e.Args {
			items = append(items, a.Value)
		}
	case *List:
		items = e.Items
	default:
		return f.convert(f.evalAxis(e, literal), "axes", "", e.Pos())
	}
	out := axes{}
	for _, x := range items {
		v := f.evalAxis(x, literal)
		switch v := v.(type) {
		case bad:
			return v
		case axis:
			if out.has(v) {
				return f.report(&diag.Diagnostic{Code: codeTwice, Pos: x.Pos(), Msg: fmt.Sprintf("axis `%s` stands here twice", v.name)})
			}
			out = append(out, v)
		case axes:
			out = append(out, v...)
		default:
			return f.report(&diag.Diagnostic{Code: codeKind, Pos: x.Pos(), Msg: "an axis is wanted", Label: "this is " + describeValue(v)})
		}
	}
	return out
}

// convert brings a value to a kind; param names the axis that a number makes.
func (f *frame) convert(v value, kind, param string, at diag.Pos) value {
	if isBad(v) || kind == "" {
		return v
	}
	switch kind {
	case "int":
		if n, ok := integer(v); ok {
			return whole(n)
		}
	case "float":
		if n, ok := numeric(v); ok {
			return num{n.v, false}
		}
		if t, ok := v.(*turn); ok && !t.test {
			return t
		}
	case "axis":
		if a, ok := f.axisOf(v, param, at); ok {
			return a
		}
	case "axes":
		if a, ok := v.(axis); ok {
			return axes{a}
		}
		if l, ok := v.(list); ok && len(l) == 0 {
			return axes{}
		}
	case "module", "fn":
		if callable(v) || kindOf(v) == kind {
			return v
		}
	}
	if kindOf(v) == kind {
		return v
	}
	return f.wrongKind(v, kind, param, at)
}

// axisOf reads an axis; a number makes one of the parameter's own name.
func (f *frame) axisOf(v value, param string, at diag.Pos) (value, bool) {
	switch v := v.(type) {
	case axis:
		return v, true
	case axes:
		if len(v) == 1 {
			return v[0], true
		}
	case num:
		if param == "" {
			return nil, false
		}
		n, ok := integer(v)
		if !ok || n < 0 {
			return f.badSize(param, v, nil, at), true
		}
		return axis{name: param, size: n, origin: at}, true
	}
	return nil, false
}

func (f *frame) wrongKind(v value, kind, param string, at diag.Pos) value {
	article := "a "
	if kind == "int" || kind == "axis" {
		article = "an "
	}
	d := &diag.Diagnostic{Code: codeKind, Pos: at, Msg: article + kind + " is wanted", Label: "this is " + describeValue(v)}
	if kind == "axes" {
		d.Msg = "a list of axes is wanted"
	}
	if param != "" {
		d.Msg += fmt.Sprintf(" for `%s`", param)
	}
	switch v.(type) {
	case *tensor:
		d.Fix = kindFix(kind, param)
	case *turn:
		d.Fix = "`for` in place of `repeat`: its number is a compile-time one"
	case num:
		if kind == "int" {
			d.Msg = strings.Replace(d.Msg, "an int", "a whole number", 1)
		} else if kind == "axis" || kind == "axes" {
			d.Fix = "axis name = " + f.c.excerpt(at)
		}
	}
	return f.report(d)
}

// kindFix says how a tensor comes in where a compile-time value is wanted.
func kindFix(kind, param string) string {
	switch {
	case kind == "axes":
		return "axes(x)"
	case kind == "float" && param != "":
		return fmt.Sprintf("declare the parameter as `%s: f32[]`", param)
	}
	return ""
}

// size evaluates a size: a whole number, at least 0.
func (f *frame) size(e Expr, name string) (int, bool) {
	v := f.eval(e)
	if isBad(v) {
		return 0, false
	}
	n, ok := numeric(v)
	if !ok {
		if a, lacks := v.(axis); lacks {
			f.noSize(a, e.Pos())
			return 0, false
		}
		d := &diag.Diagnostic{Code: codeKind, Pos: e.Pos(), Msg: fmt.Sprintf("axis `%s` has a whole number as its size", name), Label: "this is " + describeValue(v)}
		if _, ok := v.(*turn); ok {
			d.Label = "a number that differs in each turn"
		}
		f.report(d)
		return 0, false
	}
	k, ok := integer(n)
	if !ok || k < 0 {
		f.badSize(name, n, e, e.Pos())
		return 0, false
	}
	return k, true
}

// badSize reports a size that is not whole or is negative, where it is a quotient with the
// divisors that would do.
func (f *frame) badSize(name string, n num, e Expr, at diag.Pos) value {
	d := &diag.Diagnostic{Code: codeSize, Pos: at, Msg: fmt.Sprintf("axis `%s` would have size %s", name, show(n)), Label: "expected a whole number"}
	if n.v < 0 {
		d.Label = "expected a whole number, at least 0"
	}
	if q, ok := e.(*Binary); ok && q.Op == "/" {
		f.quotient(d, q)
	}
	if len(d.Notes) > 0 {
		return f.c.report(d) // the note tells the way here
	}
	return f.report(d)
}

func (f *frame) quotient(d *diag.Diagnostic, q *Binary) {
	x, y := f.eval(q.X), f.eval(q.Y)
	n, ok := integer(x)
	m, both := integer(y)
	if !ok || !both {
		return
	}
	d.Label = fmt.Sprintf("expected a whole number, found %d / %d", n, m)
	a, isAxis := y.(axis)
	if isAxis && a.origin.Valid() {
		d.Notes = append(d.Notes, diag.Note{Pos: a.origin, Text: f.originText(a)})
	}
	divisor := f.c.excerpt(q.Y.Pos())
	if isAxis {
		divisor = a.name
	}
	if below, above := divisors(n, m); below > 0 {
		d.Fix = fmt.Sprintf("%s of %d", divisor, below)
		if above > 0 {
			d.Fix += fmt.Sprintf(" or %d", above)
		}
		if _, literal := q.Y.(*Number); literal {
			d.Fix = fmt.Sprintf("a size that %d divides", m)
		}
	}
}

// originText says where an axis got its size, and by which instances it came here.
func (f *frame) originText(a axis) string {
	s := f.c.excerpt(a.origin)
	if len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		s = a.name + ": " + s
	}
	if way := f.way(); way != "" {
		s += ", by way of " + way
	}
	return s
}

// way lists the instances from the outermost module to this one.
func (f *frame) way() string {
	var names []string
	for s := f.site; s != nil; s = s.up {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	out := ""
	for i := len(names) - 1; i >= 0; i-- {
		if out != "" {
			out += ", "
		}
		out += names[i]
	}
	return out
}

// divisors returns the nearest divisors of n at and below m and above it, 0 for none; only
// sizes have any.
func divisors(n, m int) (below, above int) {
	if n < 1 || n > 1<<24 || m < 1 {
		return 0, 0
	}
	for d := min(m, n); d > 0 && below == 0; d-- {
		if n%d == 0 {
			below = d
		}
	}
	for d := m + 1; d <= n && above == 0; d++ {
		if n%d == 0 {
			above = d
		}
	}
	return below, above
}

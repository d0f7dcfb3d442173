package lang

import (
	"fmt"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// matching holds tensors to the types of one signature. Names that are not in scope are
// bound, with their sizes, in the frame's own scope.
type matching struct {
	frame     *frame
	what      string   // the function, for messages
	open      ir.DType // the one dtype of the types that leave theirs out
	openBy    string   // the parameter that decided it
	rest      axes     // the union of what `...` stood for
	anyRest   bool     // `...` is whatever there is
	result    bool     // matching a result: `...` is rest
	name      string   // of the parameter
	converted *tensor  // what the last match gave
	site      *site    // where errors in arguments are found
	fields    bool     // the arguments are the fields of data
	place     diag.Pos // of the type
}

// match checks a tensor against a type.
func (m *matching) match(t *Type, x *tensor, at diag.Pos) bool {
	if !t.Tensor {
		return m.bare(t)
	}
	m.place = t.At
	want, ok := m.dtype(t)
	if !ok {
		return false
	}
	if x, ok = m.fitDType(t, want, x, at); !ok {
		return false
	}
	named, rest, ok := m.axes(t)
	if !ok {
		return false
	}
	m.converted = x
	return m.fitAxes(t, named, rest, x, at)
}

// bare reports a type without brackets that is no kind.
func (m *matching) bare(t *Type) bool {
	d := &diag.Diagnostic{Code: codeKind, Pos: t.At, Msg: fmt.Sprintf("`%s` is no kind", t.Name), Expected: "a kind or a type with its axes"}
	if _, ok := dtypeNames[t.Name]; ok {
		d.Msg = fmt.Sprintf("the type `%s` lacks its axes", t.Name)
		d.Fix = t.Name + "[] for a number, " + t.Name + "[...] for any axes"
	} else {
		d.Fix = diag.Nearest(t.Name, names(kinds))
	}
	m.frame.report(d)
	return false
}

// dtype evaluates the type's dtype, Invalid if it is left out.
func (m *matching) dtype(t *Type) (ir.DType, bool) {
	if t.Name == "" {
		return ir.Invalid, true
	}
	return m.frame.dtypeNamed(t)
}

func (f *frame) dtypeNamed(t *Type) (ir.DType, bool) {
	v, ok := f.lookup(t.Name)
	if d, isDType := v.(dtype); ok && isDType {
		return ir.DType(d), true
	}
	d := &diag.Diagnostic{Code: codeName, Pos: t.At, Msg: fmt.Sprintf("`%s` is no dtype", t.Name), Expected: oneOf(dtypeOrder)}
	d.Pos.End = d.Pos.Col + len(t.Name)
	d.Fix = diag.Nearest(t.Name, dtypeOrder)
	if !isBad(v) || !ok {
		f.report(d)
	}
	return ir.Invalid, false
}

// fitDType checks the dtype. A number has become an f32 of rank 0: it takes on what is wanted.
func (m *matching) fitDType(t *Type, want ir.DType, x *tensor, at diag.Pos) (*tensor, bool) {
	switch {
	case want != ir.Invalid && want == x.d:
		return x, true
	case want == ir.Invalid && m.open == ir.Invalid && x.d.Float():
		m.open, m.openBy = x.d, m.name
		return x, true
	case want == ir.Invalid && x.d == m.open:
		return x, true
	}
	d := &diag.Diagnostic{Code: codeMixed, Pos: at, Msg: m.subject() + " is " + x.d.String(), Label: x.String()}
	switch {
	case want != ir.Invalid:
		d.Expected = want.String()
		d.Fix = want.String() + "(x)"
	case !x.d.Float():
		d.Expected = "a floating dtype"
		d.Fix = "real(x)"
	default:
		d.Expected = fmt.Sprintf("%s, as `%s`", m.open, m.openBy)
		d.Fix = conversionFix([]ir.DType{x.d, m.open})
	}
	m.report(d)
	return nil, false
}

func (m *matching) subject() string {
	switch {
	case m.result:
		return fmt.Sprintf("the result of `%s`", m.what)
	case m.name == "":
		return m.what
	}
	return fmt.Sprintf("`%s` of `%s`", m.name, m.what)
}

// report adds the type as a note where the error stands elsewhere.
func (m *matching) report(d *diag.Diagnostic) {
	if m.fields && !m.result {
		d.Code, d.Fix = codeFields, "the type that the data block declares, with `batch`"
	}
	if m.place != d.Pos && m.place.Valid() {
		d.Notes = append(d.Notes, diag.Note{Pos: m.place, Text: "declared as " + m.frame.c.excerpt(m.place)})
	}
	f := *m.frame
	if m.site != nil || !m.result && m.name != "" {
		f.site = m.site
	}
	f.report(d)
}

// axes reads the type's axes; those that are in scope bring their sizes.
func (m *matching) axes(t *Type) (named axes, rest, ok bool) {
	for _, a := range t.Axes {
		if a.Rest {
			rest = true
			continue
		}
		list, ok := m.frame.typeAxis(a)
		if !ok {
			return nil, false, false
		}
		for _, one := range list {
			if named.has(one) {
				m.frame.report(&diag.Diagnostic{Code: codeTwice, Pos: a.At, Msg: fmt.Sprintf("a type cannot have axis `%s` twice", one.name)})
				return nil, false, false
			}
			named = append(named, one)
		}
	}
	return named, rest, true
}

// typeAxis reads one item of a type's axes: the axis in scope, or a literal name without
// a size.
func (f *frame) typeAxis(a *TypeAxis) (axes, bool) {
	if a.Name == nil {
		v := f.eval(a.Size)
		switch v := v.(type) {
		case axis:
			return axes{v}, true
		case axes:
			return v, true
		case bad:
			return nil, false
		}
		f.report(&diag.Diagnostic{Code: codeKind, Pos: a.At, Msg: "an axis is wanted", Label: "this is " + describeValue(v), Fix: "name: size"})
		return nil, false
	}
	one := axis{name: a.Name.Name, size: unsized}
	if v, ok := f.lookup(one.name); ok {
		switch v := v.(type) {
		case axis:
			one = v
		case axes:
			if a.Size == nil {
				return v, true
			}
		case bad:
			return nil, false
		}
	}
	if a.Size == nil {
		return axes{one}, true
	}
	if n, ok := a.Size.(*Name); ok && n.Name == "_" {
		one.size = unsized
		return axes{one}, true
	}
	size, ok := f.size(a.Size, one.name)
	one.size = size
	return axes{one}, ok
}

// fitAxes checks that a tensor has the named axes, of their sizes, and no others without
// `...`. It binds the sizes of names that had none.
func (m *matching) fitAxes(t *Type, named axes, rest bool, x *tensor, at diag.Pos) bool {
	have := x.axes.visible()
	for _, a := range named {
		i := have.named(a.name)
		if i < 0 {
			m.lacks(t, a, x, at)
			return false
		}
		if a.size != unsized && a.size != have[i].size {
			m.twoSizes(a, have[i], x, at)
			return false
		}
		if v, known := m.frame.lookup(a.name); !known || !isAxis(v) {
			if _, own := m.frame.env.vars[a.name]; !own {
				m.frame.env.set(a.name, have[i])
			}
		}
	}
	extra := have.without(named)
	switch {
	case m.anyRest && rest:
	case m.result && rest:
		return m.fitRest(t, extra, named, x, at)
	case rest:
		m.rest = m.rest.union(extra)
	case len(extra) > 0:
		m.report(&diag.Diagnostic{Code: codeAxes, Pos: at, Msg: fmt.Sprintf("%s has an axis too many: `%s`", m.subject(), extra[0].name),
			Label: x.String(), Expected: axesOf(t, m.frame)})
		return false
	}
	return true
}

func isAxis(v value) bool {
	_, ok := v.(axis)
	return ok
}

// fitRest checks a result's axes against the union of the arguments' rests.
func (m *matching) fitRest(t *Type, extra, named axes, x *tensor, at diag.Pos) bool {
	if a := extra.without(m.rest); len(a) > 0 {
		m.report(&diag.Diagnostic{Code: codeAxes, Pos: at, Msg: fmt.Sprintf("%s has an axis too many: `%s`", m.subject(), a[0].name),
			Label: x.String(), Expected: axesOf(t, m.frame)})
		return false
	}
	if a := m.rest.without(extra).without(named); len(a) > 0 {
		m.report(&diag.Diagnostic{Code: codeAxes, Pos: at, Msg: fmt.Sprintf("%s lacks axis `%s`, which an argument has", m.subject(), a[0].name),
			Label: x.String(), Expected: axesOf(t, m.frame)})
		return false
	}
	for _, a := range extra {
		if i := m.rest.index(a); m.rest[i].size != a.size {
			m.twoSizes(m.rest[i], a, x, at)
			return false
		}
	}
	return true
}

func axesOf(t *Type, f *frame) string {
	text := f.c.excerpt(t.At)
	if i := strings.IndexByte(text, '['); i >= 0 {
		text = text[i:]
	}
	return "the axes " + text
}

func (m *matching) lacks(t *Type, a axis, x *tensor, at diag.Pos) {
	d := &diag.Diagnostic{Code: codeAxes, Pos: at, Msg: fmt.Sprintf("%s has no axis `%s`", m.subject(), a.name), Label: x.String(),
		Expected: axesOf(t, m.frame)}
	extra := x.axes.visible().names()
	if near := diag.Nearest(a.name, extra); near != "" {
		d.Fix = fmt.Sprintf("x with %s as %s", near, a.name)
	}
	m.report(d)
}

func (m *matching) twoSizes(want, found axis, x *tensor, at diag.Pos) {
	d := &diag.Diagnostic{Code: codeTwoSizes, Pos: at, Msg: fmt.Sprintf("axis `%s` has two sizes", want.name),
		Label: fmt.Sprintf("%s is %s, expected %s", m.subject(), x, want)}
	if want.origin.Valid() {
		text := m.frame.c.excerpt(want.origin)
		if text == "" || text[0] >= '0' && text[0] <= '9' {
			text = want.String()
		}
		d.Notes = append(d.Notes, diag.Note{Pos: want.origin, Text: clipLine(text)})
	}
	m.report(d)
}

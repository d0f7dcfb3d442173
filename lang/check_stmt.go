package lang

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

// statement runs one statement; the value is that of an expression.
func (f *frame) statement(s Stmt) value {
	switch s := s.(type) {
	case *Let:
		f.env.set(s.Name.Name, f.letValue(s))
	case *AxisDecl:
		f.axisDecl(s)
	case *Require:
		f.require(s)
	case *Update:
		f.update(s)
	case *ExprStmt:
		return f.eval(s.X)
	}
	return nothing{}
}

// letValue evaluates a let; the right side sees the name's old meaning.
func (f *frame) letValue(s *Let) value {
	v := f.eval(s.Value)
	if _, none := v.(nothing); none {
		return f.report(&diag.Diagnostic{Code: codeUnused, Pos: s.Value.Pos(), Msg: fmt.Sprintf("`%s` would have no value", s.Name.Name),
			Label: "what is called here only writes state", Fix: "the call alone, without `let`"})
	}
	return f.typed(s.Type, v, s.Value.Pos())
}

func (f *frame) axisDecl(s *AxisDecl) {
	n, ok := f.size(s.Size, s.Name.Name)
	if !ok {
		f.env.set(s.Name.Name, bad{})
		return
	}
	f.env.set(s.Name.Name, axis{name: s.Name.Name, size: n, origin: s.At})
}

func (f *frame) require(s *Require) {
	v := f.eval(s.Cond)
	switch v := v.(type) {
	case bad:
		return
	case boolean:
		if v {
			return
		}
	default:
		f.report(&diag.Diagnostic{Code: codeCondition, Pos: s.Cond.Pos(), Msg: "`require` wants a compile-time bool", Label: "this is " + describeValue(v)})
		return
	}
	d := &diag.Diagnostic{Code: codeRequire, Pos: s.Cond.Pos(), Msg: "a requirement does not hold", Label: "is false"}
	if s.Message != nil {
		if m, ok := f.interpolate(s.Message).(text); ok {
			d.Msg = string(m)
		}
	}
	f.report(d)
}

// update evaluates `avg <- e`.
func (f *frame) update(s *Update) {
	v := f.eval(s.Value)
	if isBad(v) {
		return
	}
	target, ok := f.lookup(s.Name.Name)
	if !ok {
		f.unknown(s.Name.Name, s.Name.At)
		return
	}
	st, ok := target.(*stored)
	if !ok || st.cell.role == ir.LeafParam {
		if isBad(target) {
			return
		}
		d := &diag.Diagnostic{Code: codeWrite, Pos: s.Name.At, Msg: fmt.Sprintf("`<-` gives a `state` its new value; `%s` is %s", s.Name.Name, target.kind()), Fix: "let"}
		if ok {
			d.Msg, d.Fix = fmt.Sprintf("`%s` is a `param`: the optimizer alone writes it", s.Name.Name), "state"
		}
		f.report(d)
		return
	}
	x, ok := f.tensor(v, s.Value.Pos())
	if !ok {
		return
	}
	f.writeState(st.cell, x, s.Value.Pos())
}

// writeState checks a state's new value and writes it where this mode does.
func (f *frame) writeState(l *cell, x *tensor, at diag.Pos) {
	if x.d != l.d || !x.axes.visible().same(l.axes) {
		d := &diag.Diagnostic{Code: codeWrite, Pos: at, Msg: fmt.Sprintf("the new value of `%s` has another type", l.name()), Label: x.String(),
			Expected: (&tensor{axes: l.axes, d: l.d}).String()}
		if x.d != l.d {
			d.Fix = fmt.Sprintf("cast(x, %s)", l.d)
		}
		f.report(d)
		return
	}
	if !l.acc && (l.role == ir.LeafModel && !f.training || f.frozen) {
		return
	}
	for t := f.s; t.parent != nil; t = t.parent {
		if !l.over(t.loop) {
			f.report(&diag.Diagnostic{Code: codeWrite, Pos: at, Msg: fmt.Sprintf("`%s` is written inside a loop that does not own it", l.name())})
			return
		}
	}
	to := append(axes{}, l.hidden...)
	f.s.write(l, f.spreadTo(x, append(to, l.axes...), at))
}

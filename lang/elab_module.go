package lang

import (
	"fmt"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// name is the leaf's own name, the last part of its path.
func (l *cell) name() string { return l.path[strings.LastIndexByte(l.path, '.')+1:] }

// instantiate makes an instance of a module.
func (f *frame) instantiate(mv *moduleValue, b *arguments, at diag.Pos) value {
	if f.noMake || f.store == nil {
		return f.report(&diag.Diagnostic{Code: codeInstance, Pos: at, Msg: "an instance is made inside a function",
			Label: "its parameters would have no path", Fix: "`let` it in the module or block, beside the `fn`"})
	}
	if f.depth >= maxCalls {
		return f.report(&diag.Diagnostic{Code: codeRecursion, Pos: at, Msg: fmt.Sprintf("`%s` contains itself", mv.decl.Name.Name), Fix: "`repeat`, for a chain of instances"})
	}
	name := mv.decl.Name.Name
	g := f.enter(at, name, mv.env)
	if f.site != nil {
		g.site.name = f.path[strings.LastIndexByte(f.path, '.')+1:]
	}
	g.inst = &instance{name: name, path: f.path, env: g.env, frozen: f.frozen, stacked: f.stacked()}
	ok := g.define(b, func(string) bool { return true })
	for _, m := range mv.decl.Body {
		good := g.moduleMember(m)
		if _, required := m.(*Require); required && !good {
			return bad{} // what follows relies on it
		}
		ok = ok && good
	}
	if !ok {
		return bad{}
	}
	f.store.made = append(f.store.made, made{f.path, mv.decl, g.inst})
	return g.inst
}

func (f *frame) stacked() axes {
	if f.inst == nil {
		return nil
	}
	return f.inst.stacked
}

// moduleMember elaborates one member; false if it is bad.
func (f *frame) moduleMember(m Member) bool {
	before := len(f.c.list)
	switch m := m.(type) {
	case *Setting:
		f.report(&diag.Diagnostic{Code: codeSetting, Pos: m.Key.At, Msg: "a module has no settings", Fix: "let " + m.Key.Name + " = ..."})
	case *Entry:
		f.report(&diag.Diagnostic{Code: codeSetting, Pos: m.KeyPos(), Msg: "a module has no table"})
	default:
		return f.commonMember(m)
	}
	return len(f.c.list) == before
}

// commonMember elaborates a member that modules and blocks share.
func (f *frame) commonMember(m Member) bool {
	f.tick(m.Pos())
	switch m := m.(type) {
	case *AxisDecl:
		f.axisDecl(m)
		return !isBad(f.env.vars[m.Name.Name])
	case *Stored:
		v := f.storedMember(m)
		f.env.set(m.Name.Name, v)
		return !isBad(v)
	case *Require:
		before := len(f.c.list)
		f.require(m)
		return len(f.c.list) == before
	case *Let:
		v := f.memberLet(m)
		f.env.set(m.Name.Name, v)
		return !isBad(v)
	case *Fn:
		f.fnMember(m)
	}
	return true
}

// memberLet evaluates a let of a module or block: what it makes goes by its name.
func (f *frame) memberLet(m *Let) value {
	g := *f
	g.path = joinPath(f.instancePath(), m.Name.Name)
	return g.letValue(m)
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (f *frame) fnMember(m *Fn) {
	if m.Name == nil {
		if f.inst.call != nil {
			f.report(&diag.Diagnostic{Code: codeDeclared, Pos: m.At, Msg: "two functions without a name", Fix: "a name for one of them"})
			return
		}
		f.inst.call = &function{decl: m, env: f.env, inst: f.inst, name: f.inst.name}
		return
	}
	f.env.set(m.Name.Name, &function{decl: m, env: f.env, inst: f.inst, name: m.Name.Name})
}

// storedMember makes the leaf of a param or state.
func (f *frame) storedMember(m *Stored) value {
	t, ok := f.storedType(m)
	if !ok {
		return bad{}
	}
	init := f.recipeOf(m.Init, "an initialiser")
	if isBad(init) {
		return init
	}
	if fx, ok := init.(fixed); ok {
		if !m.State {
			return &constant{axes: t.axes, d: ir.Real, v: fx.v}
		}
		init = nil
	}
	if !isInitialiser(init) {
		return f.notInitialiser(m, init)
	}
	l := &cell{path: joinPath(f.inst.path, m.Name.Name), role: f.store.role, acc: f.store.acc, d: t.d, axes: t.axes, init: init, expr: m.Init,
		frozen: f.frozen, at: m.Name.At, frame: f, hidden: f.inst.stacked, loops: f.loops}
	if !m.State {
		l.role = ir.LeafParam
	} else if l.role == ir.LeafParam {
		l.role = ir.LeafModel
	}
	return f.addLeaf(l, m)
}

func isInitialiser(v value) bool {
	switch v := v.(type) {
	case *function:
		return true
	case *recipe:
		_, ok := v.callee.(*function)
		return ok
	}
	return false
}

func (f *frame) notInitialiser(m *Stored, v value) value {
	d := &diag.Diagnostic{Code: codeInitial, Pos: m.Init.Pos(), Msg: fmt.Sprintf("`%s` wants an initialiser: a fn of its `shape`", m.Name.Name), Expected: "such as nn.zeros, or nn.constant(0.5)"}
	if v == nil {
		d.Label = "a state is never fixed"
	} else {
		d.Label = "this is " + describeValue(v)
	}
	if n, ok := v.(num); ok {
		d.Fix = "nn.constant(" + show(n) + ")"
	}
	return f.report(d)
}

func (f *frame) addLeaf(l *cell, m *Stored) value {
	if len(l.hidden) > 0 && len(l.loops) > 0 {
		return f.later(m.At, "a `repeat` in an optimizer of repeated parameters")
	}
	if f.store.acc && !m.State {
		return f.report(&diag.Diagnostic{Code: codeWrite, Pos: m.At, Msg: "an evaluation trains no `param`", Fix: "state"})
	}
	if other := f.store.paths[l.path]; other != nil {
		return f.report(&diag.Diagnostic{Code: codePath, Pos: m.Name.At, Msg: fmt.Sprintf("two leaves have the path `%s`", l.path),
			Notes: []diag.Note{{Pos: other.at, Text: "the first one"}}, Fix: "a `let` for each instance"})
	}
	if !f.fits(m.Type.At, l.allAxesDistinct()) {
		return bad{}
	}
	f.store.add(l)
	return &stored{l}
}

// allAxesDistinct is allAxes with the loops' hidden, for a check of sizes: their names may
// be those of other axes.
func (l *cell) allAxesDistinct() axes {
	out := l.allAxes()
	for i := range len(out) - len(l.axes) {
		out[i].hidden = i + 1
	}
	return out
}

// storedType evaluates the declared type: a dtype and axes, all of known sizes.
func (f *frame) storedType(m *Stored) (*tensor, bool) {
	if !m.Type.Tensor {
		(&matching{frame: f}).bare(m.Type)
		return nil, false
	}
	t := &tensor{}
	if m.Type.Name == "" {
		f.report(&diag.Diagnostic{Code: codeDType, Pos: m.Type.At, Msg: fmt.Sprintf("`%s` lacks its dtype", m.Name.Name), Fix: "f32" + f.c.excerpt(m.Type.At)})
		return nil, false
	}
	var ok bool
	if t.d, ok = f.dtypeNamed(m.Type); !ok {
		return nil, false
	}
	if t.d == ir.Real || !m.State && !t.d.Float() {
		f.report(&diag.Diagnostic{Code: codeDType, Pos: m.Type.At, Msg: fmt.Sprintf("a %s cannot be stored as %s", m.Word(), t.d), Expected: "f32, bf16 or f16", Fix: "f32"})
		return nil, false
	}
	for _, a := range m.Type.Axes {
		if a.Rest {
			f.report(&diag.Diagnostic{Code: codeAxes, Pos: a.At, Msg: "`...` in what is stored", Expected: "every axis by name"})
			return nil, false
		}
		list, ok := f.typeAxis(a)
		if !ok {
			return nil, false
		}
		for _, one := range list {
			if t.axes.has(one) {
				f.storedTwice(m, one)
				return nil, false
			}
			t.axes = append(t.axes, one)
		}
	}
	return t, f.fits(m.Type.At, t.axes)
}

func (f *frame) storedTwice(m *Stored, a axis) {
	at := m.Type.At
	at.Col += len(m.Type.Name)
	f.report(&diag.Diagnostic{Code: codeTwice, Pos: at, Msg: fmt.Sprintf("a tensor cannot have axis `%s` twice", a.name),
		Label: fmt.Sprintf("both are `%s`", a.name), Fix: fmt.Sprintf("give the result its own axis: axis other = %s", a.name)})
}

// freezeCall evaluates freeze(m): the instance is made in a frame that says so.
func (f *frame) freezeCall(e *Call) value {
	if len(e.Args) != 1 || e.Args[0].Name != nil || e.Args[0].Spread {
		return f.report(&diag.Diagnostic{Code: codeArgument, Pos: e.At, Msg: "`freeze` takes one instance", Fix: "freeze(Module(...))"})
	}
	g := *f
	g.frozen = true
	v := g.eval(e.Args[0].Value)
	switch v := v.(type) {
	case bad:
		return v
	case *instance:
		if v.frozen && v.path == f.path {
			return v
		}
	case *looped, *chain:
		return v
	}
	return f.report(&diag.Diagnostic{Code: codeInstance, Pos: e.Args[0].At, Msg: "`freeze` takes a new instance", Label: "this is " + describeValue(v),
		Fix: "let name = freeze(Module(...))"})
}

package lang

import (
	"fmt"
	"math"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// call evaluates f(args).
func (f *frame) call(e *Call) value {
	callee := f.eval(e.Fn)
	switch v := callee.(type) {
	case bad:
		return v
	case *builtin:
		return f.callBuiltin(v, e)
	case dtype:
		return f.convertCall(ir.DType(v), e)
	case *function:
		b := f.bind(f.signatureOf(v), e.Args, nil)
		if b == nil {
			return bad{}
		}
		return f.invoke(v, b, e)
	case *instance:
		return f.callInstance(v, e)
	case *looped, *chain:
		return f.callChain(v, e)
	case *moduleValue, *recipe, *hostValue, *dataValue:
		return f.callRecipe(v, e)
	}
	d := &diag.Diagnostic{Code: codeCall, Pos: e.Fn.Pos(), Msg: fmt.Sprintf("%s cannot be called", callee.kind())}
	if n, ok := callee.(namespace); ok {
		d.Fix = "one of its declarations, such as " + f.c.excerpt(e.Fn.Pos()) + "." + firstOf(ownNames(n.file))
	}
	return f.report(d)
}

func firstOf(names []string) string {
	if len(names) == 0 {
		return "name"
	}
	return names[0]
}

// callRecipe completes a constructor: an instance, a host call, or a fn's result.
func (f *frame) callRecipe(callee value, e *Call) value {
	callee, before := opened(callee)
	b := f.bind(f.signatureOf(callee), e.Args, before)
	if b == nil {
		return bad{}
	}
	return f.apply(callee, b, e)
}

// apply calls something with its arguments bound.
func (f *frame) apply(callee value, b *arguments, e Expr) value {
	switch v := callee.(type) {
	case *function:
		return f.invoke(v, b, e)
	case *moduleValue:
		if !f.complete(b, e.Pos()) {
			return bad{}
		}
		return f.instantiate(v, b, e.Pos())
	case *hostValue:
		return f.hostCall(v, b, e.Pos())
	case *dataValue:
		return &recipe{callee: v, args: b, at: e.Pos()}
	}
	return bad{}
}

// recipeOf evaluates an expression where a constructor is wanted: an incomplete call awaits
// the rest of its arguments.
func (f *frame) recipeOf(e Expr, what string) value {
	switch x := e.(type) {
	case *Cond:
		side := f.choose(x)
		if side == nil {
			return bad{}
		}
		return f.recipeOf(side, what)
	case *Call:
		callee := f.eval(x.Fn)
		var before *arguments
		switch v := callee.(type) {
		case bad:
			return v
		case *builtin:
			if v == builtins["fixed"] {
				return f.callBuiltin(v, x)
			}
			return f.report(&diag.Diagnostic{Code: codeCall, Pos: e.Pos(), Msg: fmt.Sprintf("a call of `%s` is no recipe", v.name), Fix: "a `fn` of your own that calls it"})
		case *recipe:
			callee, before = v.callee, v.args
		case *function, *moduleValue, *hostValue, *dataValue:
		default:
			return f.report(&diag.Diagnostic{Code: codeCall, Pos: x.Fn.Pos(), Msg: fmt.Sprintf("%s makes no recipe", v.kind()), Expected: "a module or a fn"})
		}
		if b := f.bind(f.signatureOf(callee), x.Args, before); b != nil {
			return &recipe{callee: callee, args: b, at: e.Pos()}
		}
		return bad{}
	}
	return f.eval(e)
}

// invoke calls a function.
func (f *frame) invoke(fn *function, b *arguments, e Expr) value {
	at := e.Pos()
	if !f.complete(b, at) || !f.deep(fn, at) {
		return bad{}
	}
	g := f.enter(at, "", fn.env)
	g.inst, g.noMake = fn.inst, true
	g.site.fn = fn
	if _, none := e.(*Bad); none {
		g.site.text = ""
	}
	g.chain = f.callChainOf(fn, e)
	if fn.inst != nil && fn.inst != f.inst {
		g.training = f.training && !fn.inst.frozen
		g.frozen = fn.inst.frozen
		g.path = fn.inst.path
	}
	if !f.sizeAxes(fn, b) {
		return bad{}
	}
	if !g.define(b, func(kind string) bool { return kind != "tensor" }) {
		return bad{}
	}
	m := &matching{frame: g, what: fn.name, site: f.site, fields: fn.inst != nil && fn.inst.fields && fn == fn.inst.call}
	if !f.matchTensors(g, m, b) {
		return bad{}
	}
	return g.body(fn, m)
}

// sizeAxes gives the axes that are known by name alone the size that the tensors beside
// them have.
func (f *frame) sizeAxes(fn *function, b *arguments) bool {
	for i, v := range b.vals {
		switch v := v.(type) {
		case axis:
			a, ok := f.sizedBy(fn, v, b, b.at[i])
			if !ok {
				return false
			}
			b.vals[i] = a
		case axes:
			out := make(axes, len(v))
			for k, a := range v {
				var ok bool
				if out[k], ok = f.sizedBy(fn, a, b, b.at[i]); !ok {
					return false
				}
			}
			b.vals[i] = out
		}
	}
	return true
}

func (f *frame) sizedBy(fn *function, a axis, b *arguments, at diag.Pos) (axis, bool) {
	if a.size != unsized {
		return a, true
	}
	var tensors []*tensor
	for _, v := range b.vals {
		if t, ok := v.(*tensor); ok {
			if k := t.axes.named(a.name); k >= 0 {
				return t.axes[k], true
			}
			tensors = append(tensors, t)
		}
	}
	if len(tensors) == 0 {
		f.noSize(a, at)
	} else {
		f.noAxis(fn.name, at, a.name, tensors...)
	}
	return a, false
}

// matchTensors checks the arguments that are tensors and defines them.
func (f *frame) matchTensors(g *frame, m *matching, b *arguments) bool {
	ok := true
	for i, p := range b.sig.list() {
		if g.paramKind(b.sig, p) != "tensor" {
			continue
		}
		v, at := b.vals[i], b.at[i]
		if v == nil {
			v, at = g.eval(p.Default), p.Default.Pos()
		}
		t, good := g.argument(p.Type, v, at)
		if m.name = p.Name.Name; !good || !m.match(p.Type, t, at) {
			ok = false
			continue
		}
		g.env.set(p.Name.Name, m.converted)
	}
	return ok
}

// argument reads a tensor argument; numbers take on the dtype that is declared.
func (f *frame) argument(t *Type, v value, at diag.Pos) (*tensor, bool) {
	if x, ok := v.(*tensor); ok {
		return x, true
	}
	n, isNumber := numeric(v)
	if isNumber && f.s != nil && t.Tensor && t.Name != "" {
		if d, ok := f.dtypeNamed(t); ok {
			if !f.representable(n, d, at) {
				return nil, false
			}
			return &tensor{d: d, v: ir.Literal(d, n.v)}, true
		}
		return nil, false
	}
	return f.tensor(v, at)
}

// body runs a function's statements and checks its result.
func (f *frame) body(fn *function, m *matching) value {
	var last value = nothing{}
	at := fn.decl.End
	for i, s := range fn.decl.Body {
		f.tick(s.Pos())
		v := f.statement(s)
		if i < len(fn.decl.Body)-1 {
			f.unused(s, v)
			continue
		}
		if x, ok := s.(*ExprStmt); ok {
			last, at = v, x.X.Pos()
		}
	}
	return f.result(fn, m, last, at)
}

// unused reports an expression whose value goes nowhere.
func (f *frame) unused(s Stmt, v value) {
	x, ok := s.(*ExprStmt)
	if !ok || isBad(v) {
		return
	}
	if _, none := v.(nothing); !none {
		f.report(&diag.Diagnostic{Code: codeUnused, Pos: x.At, Msg: "this value is not used", Label: describeValue(v),
			Fix: "let name = ..., or leave the line out"})
	}
}

func (f *frame) result(fn *function, m *matching, v value, at diag.Pos) value {
	if isBad(v) {
		return v
	}
	m.result, m.site = true, f.site
	if fn.decl.Fields != nil {
		return f.resultFields(fn, m, v, at)
	}
	if fn.decl.Result == nil {
		return v
	}
	return f.resultType(fn.decl.Result, m, v, at)
}

func (f *frame) resultType(t *Type, m *matching, v value, at diag.Pos) value {
	if _, none := v.(nothing); none {
		return f.report(&diag.Diagnostic{Code: codeUnused, Pos: at, Msg: fmt.Sprintf("`%s` ends without a value", m.what),
			Expected: f.c.excerpt(t.At), Fix: "an expression as the last statement"})
	}
	if k := kindWord(t); k != "" {
		return f.convert(v, k, "", at)
	}
	x, ok := f.argument(t, v, at)
	if !ok || !m.match(t, x, at) {
		return bad{}
	}
	return m.converted
}

func (f *frame) resultFields(fn *function, m *matching, v value, at diag.Pos) value {
	r, ok := v.(*record)
	if !ok {
		return f.report(&diag.Diagnostic{Code: codeKind, Pos: at, Msg: fmt.Sprintf("the result of `%s` is a record", m.what), Label: "this is " + describeValue(v)})
	}
	out := &record{vals: map[string]value{}}
	for _, p := range fn.decl.Fields.List {
		name := p.Name.Name
		x, ok := r.vals[name]
		if !ok {
			return f.report(&diag.Diagnostic{Code: codeMissing, Pos: at, Msg: fmt.Sprintf("the result of `%s` lacks `%s`", m.what, name), Expected: oneOf(fieldNames(fn.decl.Fields))})
		}
		if p.Type != nil {
			if x = f.resultType(p.Type, m, x, at); isBad(x) {
				return x
			}
		}
		out.names = append(out.names, name)
		out.vals[name] = x
	}
	return out
}

func fieldNames(p *Params) []string {
	var out []string
	for _, f := range p.List {
		out = append(out, f.Name.Name)
	}
	return out
}

// callInstance calls the fn without a name.
func (f *frame) callInstance(inst *instance, e *Call) value {
	if inst.call == nil {
		d := &diag.Diagnostic{Code: codeCall, Pos: e.Fn.Pos(), Msg: fmt.Sprintf("`%s` has no `fn` without a name", inst.name)}
		var fns []string
		for _, name := range sortedKeys(inst.env.vars) {
			if fn, ok := inst.env.vars[name].(*function); ok && fn.inst == inst {
				fns = append(fns, name)
			}
		}
		if len(fns) > 0 {
			d.Expected = "one of its functions: " + strings.Join(fns, ", ")
		}
		return f.report(d)
	}
	b := f.bind(f.signatureOf(inst.call), e.Args, nil)
	if b == nil {
		return bad{}
	}
	return f.invoke(inst.call, b, e)
}

// deep reports calls that go too deep, or a function that calls itself.
func (f *frame) deep(fn *function, at diag.Pos) bool {
	for s := f.site; s != nil; s = s.up {
		if s.fn != nil && s.fn.decl == fn.decl && s.fn.inst == fn.inst {
			f.report(&diag.Diagnostic{Code: codeRecursion, Pos: at, Msg: fmt.Sprintf("`%s` calls itself", fn.name), Fix: "`repeat`, for a chain of instances"})
			return false
		}
	}
	if f.depth < maxCalls {
		return true
	}
	f.report(&diag.Diagnostic{Code: codeRecursion, Pos: at, Msg: fmt.Sprintf("calls within calls, more than %d deep", maxCalls)})
	return false
}

// convertCall evaluates f32(x) and the like.
func (f *frame) convertCall(d ir.DType, e *Call) value {
	if len(e.Args) != 1 || e.Args[0].Name != nil || e.Args[0].Spread {
		return f.report(&diag.Diagnostic{Code: codeArgument, Pos: e.At, Msg: fmt.Sprintf("`%s` converts one tensor", d), Fix: d.String() + "(x)"})
	}
	return f.castTo(f.eval(e.Args[0].Value), d, e.Args[0].Value.Pos(), e.At)
}

// castTo converts a tensor or number to a dtype.
func (f *frame) castTo(v value, d ir.DType, from, at diag.Pos) value {
	if n, ok := numeric(v); ok && f.s != nil {
		switch {
		case d == ir.Bool:
			return &tensor{d: d, v: ir.Literal(d, truth(n.v != 0))}
		case !d.Float():
			n = num{math.Trunc(n.v), true}
		}
		if !f.representable(n, d, from) {
			return bad{}
		}
		return &tensor{d: d, v: ir.Literal(d, n.v)}
	}
	if b, ok := v.(boolean); ok && f.s != nil {
		return &tensor{d: d, v: ir.Literal(d, truth(bool(b)))}
	}
	t, ok := f.tensor(v, from)
	if !ok {
		return bad{}
	}
	return f.cast(t, d, at)
}

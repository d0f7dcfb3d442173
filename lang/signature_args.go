package lang

import (
	"fmt"
	"strings"

	"vitc/ir/diag"
)

// arguments are those of one call, or of a recipe so far, beside the callee's parameters.
type arguments struct {
	sig  *signature
	vals []value    // nil: not given
	at   []diag.Pos // of each argument
}

// opened returns what a recipe calls and the arguments that it has; any other value is its own
// callee, with none.
func opened(v value) (callee value, before *arguments) {
	if r, ok := v.(*recipe); ok {
		return r.callee, r.args
	}
	return v, nil
}

// signature is what a callee takes.
type signature struct {
	name   string
	params *Params
	env    *env // defaults are evaluated in
	fn     bool // axes may be literal: other arguments give their sizes
}

// signatureOf returns a callee's signature, nil for what is no module, fn or host.
func (f *frame) signatureOf(callee value) *signature {
	switch v := callee.(type) {
	case *function:
		return &signature{v.name, v.decl.Params, v.env, true}
	case *moduleValue:
		return &signature{v.decl.Name.Name, v.decl.Params, v.env, false}
	case *hostValue:
		return &signature{v.decl.Name.Name, v.decl.Params, v.env, false}
	case *dataValue:
		return &signature{v.decl.Name.Name, v.decl.Params, v.env, false}
	case *importValue:
		return &signature{v.decl.Name.Name, v.decl.Params, v.env, false}
	case *recipe:
		return v.args.sig
	}
	return nil
}

func (s *signature) list() []*Param {
	if s.params == nil {
		return nil
	}
	return s.params.List
}

func (s *signature) find(name string) int {
	for i, p := range s.list() {
		if p.Name.Name == name {
			return i
		}
	}
	return -1
}

func (s *signature) names() []string {
	var out []string
	for _, p := range s.list() {
		out = append(out, p.Name.Name)
	}
	return out
}

// String prints the parameters' names, as in Linear(from, to, bias).
func (s *signature) String() string { return s.name + "(" + strings.Join(s.names(), ", ") + ")" }

// bind evaluates arguments for their parameters. before holds what a recipe has already:
// positions fill what it lacks, names override. It returns nil after errors.
func (f *frame) bind(sig *signature, args []*Arg, before *arguments) *arguments {
	n := len(sig.list())
	b := &arguments{sig: sig, vals: make([]value, n), at: make([]diag.Pos, n)}
	if before != nil {
		copy(b.vals, before.vals)
		copy(b.at, before.at)
	}
	given := make([]bool, n)
	ok := true
	for _, a := range args {
		ok = f.bindArg(b, a, given) && ok
	}
	if !ok {
		return nil
	}
	return b
}

func (f *frame) bindArg(b *arguments, a *Arg, given []bool) bool {
	if a.Spread {
		return f.bindRecord(b, a, given)
	}
	i := -1
	if a.Name == nil {
		i = b.nextOpen()
	} else {
		i = b.sig.find(a.Name.Name)
	}
	if i < 0 {
		f.noParameter(b.sig, a)
		return false
	}
	if given[i] {
		f.report(&diag.Diagnostic{Code: codeGiven, Pos: a.At, Msg: fmt.Sprintf("`%s` of `%s` is given twice", b.sig.list()[i].Name.Name, b.sig.name)})
		return false
	}
	given[i] = true
	p := b.sig.list()[i]
	v := f.evalParam(b.sig, p, a.Value)
	if x, ok := v.(axis); ok && x.origin == a.Value.Pos() {
		x.origin = a.At // heads: 5, with its name
		v = x
	}
	b.vals[i], b.at[i] = v, a.Value.Pos()
	return !isBad(v)
}

// nextOpen is the first parameter without an argument.
func (b *arguments) nextOpen() int {
	for i, v := range b.vals {
		if v == nil {
			return i
		}
	}
	return -1
}

func (f *frame) bindRecord(b *arguments, a *Arg, given []bool) bool {
	r, ok := f.spread(a)
	if !ok {
		return false
	}
	for _, name := range r.names {
		i := b.sig.find(name)
		if i < 0 {
			f.noParameter(b.sig, &Arg{Span: a.Span, Name: &Ident{a.Span, name}})
			return false
		}
		if given[i] {
			continue // a written argument overrides the record's
		}
		p := b.sig.list()[i]
		v := r.vals[name]
		if kind := f.paramKind(b.sig, p); kind != "tensor" {
			v = f.convert(v, kind, p.Name.Name, a.At)
		}
		if isBad(v) {
			return false
		}
		b.vals[i], b.at[i] = v, a.At
	}
	return true
}

func (f *frame) noParameter(sig *signature, a *Arg) {
	d := &diag.Diagnostic{Code: codeArgument, Pos: a.At, Expected: "the arguments of " + sig.String()}
	if a.Name == nil {
		d.Msg = fmt.Sprintf("`%s` takes %s", sig.name, plural(len(sig.list()), "argument"))
		d.Label = "one too many"
	} else {
		d.Msg = fmt.Sprintf("`%s` has no parameter `%s`", sig.name, a.Name.Name)
		d.Pos = a.Name.At
		d.Fix = diag.Nearest(a.Name.Name, sig.names())
	}
	f.report(d)
}

func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// paramKind is the kind that a parameter wants: "tensor", or as kindOf.
func (f *frame) paramKind(sig *signature, p *Param) string {
	if p.Type != nil {
		if k := kindWord(p.Type); k != "" {
			return k
		}
		return "tensor"
	}
	if p.Default == nil {
		return ""
	}
	switch d := p.Default.(type) {
	case *Number:
		if d.IsInt {
			return "int"
		}
		return "float"
	case *Bool:
		return "bool"
	case *String:
		return "string"
	case *List:
		return "list"
	case *Name, *Field:
		g := &frame{c: f.c, env: sig.env, site: f.site}
		return kindOf(g.eval(d))
	}
	return ""
}

// evalParam evaluates an argument for a parameter.
func (f *frame) evalParam(sig *signature, p *Param, e Expr) value {
	kind := f.paramKind(sig, p)
	if kind == "tensor" {
		return f.eval(e)
	}
	return f.evalKind(e, kind, p.Name.Name, sig.fn)
}

// missing lists the parameters that have neither argument nor default.
func (b *arguments) missing() []string {
	var out []string
	for i, p := range b.sig.list() {
		if b.vals[i] == nil && p.Default == nil {
			out = append(out, p.Name.Name)
		}
	}
	return out
}

// complete reports arguments that are missing.
func (f *frame) complete(b *arguments, at diag.Pos) bool {
	m := b.missing()
	if len(m) == 0 {
		return true
	}
	d := &diag.Diagnostic{Code: codeMissing, Pos: at, Msg: fmt.Sprintf("`%s` lacks `%s`", b.sig.name, strings.Join(m, "`, `")),
		Expected: "the arguments of " + b.sig.String()}
	f.report(d)
	return false
}

// define puts arguments and defaults into the callee's scope, in order.
func (f *frame) define(b *arguments, only func(kind string) bool) bool {
	ok := true
	for i, p := range b.sig.list() {
		kind := f.paramKind(b.sig, p)
		if !only(kind) {
			continue
		}
		v := b.vals[i]
		if v == nil {
			if v = f.defaultOf(p, kind); isBad(v) {
				ok = false
			}
			b.vals[i], b.at[i] = v, p.Default.Pos()
		}
		f.env.set(p.Name.Name, v)
	}
	return ok
}

func (f *frame) defaultOf(p *Param, kind string) value {
	if kind == "axis" {
		if _, ok := p.Default.(*Binary); ok {
			n, ok := f.size(p.Default, p.Name.Name)
			if !ok {
				return bad{}
			}
			return axis{name: p.Name.Name, size: n, origin: p.Default.Pos()}
		}
	}
	if kind == "tensor" {
		kind = ""
	}
	return f.evalKind(p.Default, kind, p.Name.Name, false)
}
